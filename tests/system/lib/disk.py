"""Files and folders that others write and remove while a test looks at them."""

import glob
import os
import pathlib


def below(top, word=""):
    """Every path below a folder whose name has the word, but what goes away meanwhile."""
    def stumble(e):
        if not isinstance(e, FileNotFoundError):
            raise e
    return [pathlib.Path(folder, name) for folder, folders, files in os.walk(top, onerror=stumble)
            for name in (*folders, *files) if word in name]


def files(top):
    """Every file below a folder but the open disks of volumes, which are in clear and tell nothing of their holes."""
    return [p for p in below(top) if p.is_file() and not p.is_symlink() and not p.match("run-*/volumes/*/disk")]


def cgroups(pattern):
    """Those of the whole host, where others come and go."""
    return glob.glob(f"/sys/fs/cgroup/{pattern}", recursive=True)


def traces(w, lease):
    """Mounts, cgroups and files of a world that have the name of a lease."""
    mounts = [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if lease in line]
    return mounts + cgroups(f"*/*/*{lease}*") + [str(p) for p in below(w.dir, lease) if "erased" not in p.parts]
