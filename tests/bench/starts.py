"""Starts of the helper alone, without money: beside the bare runtime, beside Docker, and many at once."""

import collections
import contextlib
import json
import shutil
import statistics
import subprocess
import time

import harness
from driver import Driver
from harness import Failed, Skip, wait_for
from rows import goal, note, row, spread

CROWD = 20
LIMITS = ("--cpus", "1", "--memory", "512m", "--pids-limit", "256")    # those of tests/bench/starts.c
BARE = "runc create + runc start of the same rootfs, with the configuration of runc spec"


def bare_bundle(bundle, rootfs):
    """A copy of the root folder with the runtime's own default configuration."""
    shutil.copytree(rootfs, bundle / "rootfs", symlinks=True)
    subprocess.run(["runc", "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["sleep", "1000"]
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def unpacked(state):
    """The root folder of the one image that an agent or a helper unpacked."""
    layers = [p.parent.parent for p in (state / "images").glob("**/bin/busybox")]
    if not layers:
        raise Failed("there is no unpacked image")
    return layers[0]


class Helper:
    """The helper and its keepers, with volumes prepared for a whole crowd; `name` is the activation, else the best."""

    def __init__(self, w, image, prepared, name=""):
        self.w = w
        folder = f"starts{name}-{prepared}" if name else "starts"
        self.state, self.run_dir = w.dir / folder, w.dir / f"{folder}-run"
        self.state.mkdir(mode=0o711)
        self.run_dir.mkdir(mode=0o711)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0711,nosuid,nodev,noexec", "tmpfs", self.run_dir], check=True)
        self.driver = Driver(w, "starts", self.state, self.run_dir, f"/{w.group}-starts{name}", image, prepared,
                             *([name] if name else []), log=f"starts{name}")
        self.stages = collections.defaultdict(list)
        self.start(1)       # unpacks the image
        self.end()

    def settle(self):
        """Everything that the start or the end before left to be done is done."""
        self.driver.tell("ready")
        time.sleep(0.3)

    def start(self, n):
        """Milliseconds until the last of them runs."""
        us, *stages = self.driver.tell("start", n)
        for name, took in zip(stages[::2], stages[1::2]):
            self.stages[n, name].append(int(took) / 1000)
        return int(us) / 1000

    def end(self):
        self.driver.tell("end")

    def tell_stages(self, n):
        note(f"stages of {n}: " + ", ".join(f"{name} {statistics.median(v):.1f}" for (of, name), v in self.stages.items()
                                           if of == n and name != "prepared") + " ms")


class Docker:
    """dockerd of its own on the same disk, with the same tree as its image."""

    def __init__(self, w, helper, rootfs):
        for program in ("docker", "dockerd"):
            if not shutil.which(program):
                raise Skip(f"there is no {program}")
        self.w, self.driver = w, helper.driver
        home = w.dir / "docker"
        home.mkdir()
        self.argv = ["docker", "-H", f"unix://{home}/sock"]
        # Not the machine's: neither a containerd of its own nor a network's state.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        w.start("dockerd", "dockerd", "-H", f"unix://{home}/sock", "--data-root", home / "data", "--exec-root",
                home / "exec", "-p", home / "pid", "--cgroup-parent", f"/{w.group}-docker")
        if not wait_for(lambda: w.started["dockerd"].poll() is not None or self.ask("version").returncode == 0, 10):
            raise Skip("dockerd does not answer")
        if w.started["dockerd"].poll() is not None:
            raise Skip(f"dockerd does not run here: {w.log('dockerd').strip().splitlines()[-1:]}")
        tree = w.dir / "tree.tar"
        subprocess.run(["tar", "-C", rootfs, "-cf", tree, "."], check=True)
        if self.ask("import", tree, "bench").returncode:
            raise Skip("docker import fails")
        self.run()
        self.remove()

    def ask(self, *argv):
        return self.w.run(*self.argv, *argv)

    def run(self):
        return self.driver.ask("run", *self.argv, "run", "-d", "--name", "bench", *LIMITS, "bench", "sleep", "1000")

    def remove(self):
        done = self.ask("rm", "-f", "bench")
        if done.returncode:
            raise Failed(f"docker rm: {done.stderr}")


def docker_or_none(w, helper, rootfs):
    try:
        return Docker(w, helper, rootfs), ""
    except Skip as e:
        note(f"no Docker to measure beside: {e}")
        with contextlib.suppress(KeyError):
            w.stop("dockerd")
        return None, f" (left out: {e})"


def take_turns(helper, bare, docker, runs):
    """Milliseconds of ours, the bare runtime and Docker."""
    ours, least, theirs = [], [], []
    for i in range(-1, runs):
        helper.settle()
        took = helper.start(1)
        helper.end()
        helper.settle()
        box = helper.driver.ask("run", "runc", "create", "--bundle", bare, "bench")
        box += helper.driver.ask("run", "runc", "start", "bench")
        helper.driver.ask("run", "runc", "delete", "--force", "bench")
        if docker:
            helper.settle()
            whale = docker.run()
            docker.remove()
        if i < 0:
            helper.stages.clear()
            continue
        ours.append(took)
        least.append(box)
        if docker:
            theirs.append(whale)
    return ours, least, theirs


def crowds(helper, runs):
    """Milliseconds of one, and of the last of a crowd."""
    one, last = [], []
    for _ in range(runs):
        helper.settle()
        one.append(helper.start(1))
        helper.end()
        helper.settle()
        last.append(helper.start(CROWD))
        helper.end()
    return one, last


def starts_rows(w, image, runs):
    helper = Helper(w, image, CROWD)
    rootfs = unpacked(helper.state)
    bare = w.dir / "bare"
    bare.mkdir()
    bare_bundle(bare, rootfs)
    docker, why = docker_or_none(w, helper, rootfs)
    ours, least, theirs = take_turns(helper, bare, docker, runs)
    helper.tell_stages(1)
    if docker:
        w.stop("dockerd")
    one, last = crowds(helper, max(3, runs // 3))
    helper.tell_stages(CROWD)
    note(f"one of a crowd, alone: {spread(one)} ms")
    helper.driver.end()
    rows = [row("oci-start-hardened", "ms", ours, (BARE, least), goal("ratio", "<=", 1.3)),
            row("parallel-starts", "ms", last, (f"{CROWD} times one", [CROWD * x for x in one]), goal("ratio", "<=", 0.6))]
    if docker:
        rows.insert(1, row("docker-run", "ms", theirs, ("oci-start-hardened", ours), goal("ratio", ">=", 3.5)))
    else:
        note(f"docker-run{why}")
    return rows
