#!/usr/bin/env python3
"""Other people's validators: oci-runtime-tool on every bundle of ours, runtimetest inside a lease (contrib/foreign)."""
import json
import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/escape"))
from images import Layout, entry, folder  # noqa: E402
from world import BUILD, RUNC, Tap, World, into_namespaces, run  # noqa: E402

TOOLS = pathlib.Path(os.environ.get("LEASED_TESTS_CACHE", "/var/cache/leased-tests")) / "runtime-tools-0.9.0"
LEASE, READ_ONLY = "00000000000000c1", "00000000000000c2"
ARGS = ["/runtimetest", "--path", "/tmp"]
# It looks for the schema in the Internet; tests/oci-schema.sh holds the same files against Debian's copy of it.
SCHEMA = "config-schema.json"


def complaints(bundle, *options):
    """What the validator says of a bundle but that."""
    done = subprocess.run([TOOLS / "bin/oci-runtime-tool", *options, "validate", "--path", bundle], capture_output=True, text=True,
                          timeout=240)
    # logrus quotes what it says; multierror puts a star before each error.
    said = (done.stdout + done.stderr.replace("\\n", "\n").replace("\\t", "\t")).splitlines()
    noise = re.compile(r'\s*$|Refer to:|"$|time=.*(\d errors? occurred:$|without --host-specific is not supported)')
    found = [line.strip() for line in said if SCHEMA not in line and not noise.match(line)]
    return found if any(SCHEMA in line for line in said) else [*found, "nothing of the schema"]


def bundle_of(folder_path, config):
    """The config with a root beside it; what else the validator looks for in that root is put there."""
    config["root"]["path"] = "rootfs"
    (folder_path / "rootfs").mkdir(parents=True)
    profile = config["process"].get("apparmorProfile")
    if profile:
        (folder_path / "rootfs/etc/apparmor.d").mkdir(parents=True)
        (folder_path / "rootfs/etc/apparmor.d" / profile).touch()
    # It takes the number 0 of a device, which is /dev/cdrom's, for none.
    for device in config["linux"].get("devices", []):
        device["minor"] = device["minor"] or 1
    # runc 1.1 wants the maps of a user namespace that is joined; the validator those of a new one only.
    if any(n["type"] == "user" and n.get("path") for n in config["linux"]["namespaces"]):
        del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    (folder_path / "config.json").write_text(json.dumps(config))
    return folder_path


def try_goldens(tap, work):
    for path in sorted((SOURCE / "tests/vectors/oci").glob("*.json")):
        if path.name == "exec-process.json":
            continue
        said = complaints(bundle_of(work / path.stem, json.loads(path.read_text())))
        tap.result(not said, f"oci-runtime-tool has nothing to say about {path.stem}", said)
    broken = json.loads((SOURCE / "tests/vectors/oci/image-only.json").read_text())
    broken["process"]["cwd"] = "home"
    said = complaints(bundle_of(work / "broken", broken))
    tap.result(any("not an absolute path" in line for line in said), "it has something to say about a broken one", said)


def told(config, actual):
    """The config as runtimetest is told it: without what no tenant may find out, and under the names that the kernel uses."""
    told_config = json.loads(json.dumps(config))
    linux = told_config["linux"]
    del linux["rootfsPropagation"]  # it mounts to see; that is tried apart
    # A path that this kernel has not cannot be written to either.
    linux["readonlyPaths"] = [p for p in linux["readonlyPaths"] if (actual / p[1:]).exists()]
    # By convention "cgroup" is what the host has: a tmpfs of folders, or version 2.
    version2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
    for mount in told_config["mounts"]:
        if mount["type"] == "cgroup":
            mount["type"], mount["source"] = ("cgroup2", "cgroup") if version2 else ("tmpfs", "tmpfs")
    linux["sysctl"] = {k: "\t".join(v.split()) for k, v in linux["sysctl"].items()}
    told_config["process"]["args"] = ARGS
    return told_config


def put(world, lease, config):
    """Where it looks for it, as the lease's own root: a tmpfs takes files of no other user."""
    pid = world.pid_of(lease)
    run("nsenter", f"--user=/proc/{pid}/ns/user", "tee", f"/proc/{pid}/root/tmp/config.json", input=json.dumps(config))


def failures(output):
    return [line for line in output.splitlines() if line.startswith("not ok") and "# TODO" not in line]


def try_inside(tap, world, lease):
    bundle = world.run_dir / "leases" / lease
    config = world.config_of(lease)
    for options in ((), ("--host-specific",)):
        said = complaints(bundle, *options)
        tap.result(not said, f"oci-runtime-tool has nothing to say about a lease that runs{' '.join(('', *options))}", said)
    config = told(config, pathlib.Path(f"/proc/{world.pid_of(lease)}/root"))
    put(world, lease, config)
    outcome, status, output = world.exec(lease, *ARGS)
    confirmed = sum(line.startswith("ok ") and "# SKIP" not in line for line in output.splitlines())
    tap.result(outcome == "0" and status == 0 and not failures(output) and confirmed > 250,
               f"runtimetest confirms {confirmed} things of it", output[-600:] + "\n".join(failures(output)))
    config["hostname"] = "other"
    config["process"]["rlimits"][0]["soft"] = config["process"]["rlimits"][0]["hard"] = 1
    config["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    put(world, lease, config)
    _, _, output = world.exec(lease, *ARGS)
    tap.result(len(failures(output)) == 4, "and sees what is not so: host name, a limit twice, a capability", failures(output))


def try_propagation(tap, world, lease):
    """It mounts to see: in a container of the same bundle that may."""
    config = world.config_of(lease)
    bundle = world.run_dir / "propagation"
    bundle.mkdir()
    del config["linux"]["seccomp"]
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
    config["process"]["args"] = ARGS
    config["linux"]["cgroupsPath"] = f"{world.cgroup}/propagation"
    only = {"ociVersion": "1.0.2", "root": config["root"], "linux": {"rootfsPropagation": config["linux"]["rootfsPropagation"]}}
    put(world, lease, only)
    (bundle / "config.json").write_text(json.dumps(config))
    done = subprocess.run([RUNC, "--root", world.run_dir / "other", "run", "--bundle", bundle, "propagation"], capture_output=True,
                          text=True, timeout=240)
    tap.result("private root propagation does not expose" in done.stdout and not failures(done.stdout),
               "and that what is mounted inside stays inside", done.stdout[-500:] + done.stderr)


def main():
    tool = TOOLS / "bin/runtimetest"
    if not tool.exists():
        print(f"1..0 # SKIP {tool} is not there (contrib/foreign, which needs go)")
        return
    into_namespaces()
    tap = Tap()
    world = World("leased-conform-")
    try_goldens(tap, world.dir / "goldens")
    Layout(world.images / "test", [[folder("tmp"), folder("etc"), entry("etc/passwd", data=b"root:x:0:0::/:\n"),
                                    entry("runtimetest", data=tool.read_bytes()),
                                    entry("attacker", data=(BUILD / "tests/escape/attacker").read_bytes())]])
    world.start_helper()
    world.must_start(LEASE, "test", ["/attacker", "wait"], sysctls={"net.core.somaxconn": "100"},
                     storage=[{"type": "tmpfs", "path": "/scratch", "size": 1 << 20}])
    world.must_start(READ_ONLY, "test", ["/attacker", "wait"], read_only=True, hostname="box", env={"A": "1"})
    for lease in (LEASE, READ_ONLY):
        try_inside(tap, world, lease)
    try_propagation(tap, world, LEASE)
    for lease in (LEASE, READ_ONLY):
        tap.result(world.destroy(lease) == "erased", f"lease {lease} is erased")
    world.close()
    tap.end("")


main()
