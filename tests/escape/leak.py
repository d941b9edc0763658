#!/usr/bin/env python3
"""Leases started and ended again and again: what of them is still there? Ends with "cycles N, leaked N".

LEASED_CYCLES=N says how often (100); one cycle is a start by the helper, a command inside, another image beside it, and
the end. Then LEASED_CROWD leases (100) are asked for at once, and all of them must run. What the machine has is looked at
before the first cycle (after one that does not count, since stores and tables are made once) and after the last.
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from images import Layout, entry, folder
from world import BACKEND, BUILD, Tap, World, into_namespaces, run

CYCLES, CROWD = int(os.environ.get("LEASED_CYCLES", "100")), int(os.environ.get("LEASED_CROWD", "100"))
SMALL = {"limits": {"disk": 16 << 20, "memory": 16 << 20, "cpu": 100, "pids": 16}}
SETTLE_S = 20


def files_below(*folders):
    """Bytes and names; the store of images and what is prepared ahead do not grow with leases."""
    return sorted(f"{p} {p.lstat().st_size if p.is_file() else 0}" for top in folders for p in Path(top).rglob("*")
                  if p.name != "helper.log" and not p.is_socket())


def cgroups(world):
    return sorted(str(p) for p in Path("/sys/fs/cgroup").glob(f"**{world.cgroup}/**/") if p.is_dir())


def processes(helper):
    """Not the dead whose parent is this script, the first process in here: nobody else would leave them so."""
    found = []
    for p in Path("/proc").glob("[0-9]*"):
        try:
            name, rest = (p / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if name != "python3" and (state != "Z" or int(parent) == helper):
            found.append(name)
    return sorted(found)


def namespaces():
    """Of whoever is alive, and of whatever is still bound somewhere."""
    found = set()
    for p in Path("/proc").glob("[0-9]*/ns/*"):
        try:
            found.add(os.readlink(p))
        except OSError:
            pass
    return sorted(found)


def descriptors(pid):
    found = []
    for p in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(p).split(":")[0])
        except OSError:
            pass
    return sorted(found)


def look(world, helper):
    """Everything that a lease could leave, as name -> sorted lines."""
    losetup = run("losetup", "--noheadings", "--output", "BACK-FILE")
    return {
        "mounts": sorted(line.split(" ", 4)[4] for line in run("cat", "/proc/self/mountinfo").splitlines()),
        "namespaces": namespaces(),
        "cgroups": cgroups(world),
        "links": sorted(line.split(":")[1].split("@")[0] for line in run("ip", "-o", "link").splitlines()),
        "routes": sorted(run("ip", "-4", "route", "show", "table", "all").splitlines()),
        "loop devices": sorted(line for line in losetup.splitlines() if world.dir.name in line),
        "nft elements": run("nft", "-s", "list", "ruleset").splitlines(),
        "descriptors": descriptors(helper),
        "processes": processes(helper),
        "files": files_below(world.state, world.run_dir),
        "keys": [line.split(None, 4)[4] for line in run("cat", "/proc/keys").splitlines()
                 if re.search(r"_ses\.[0-9a-f]{16}\b", line)],  # not of those who log in meanwhile
    }


def left(before, after):
    """Lines that are there now and were not."""
    more = {}
    for what, lines in after.items():
        known = list(before[what])
        for line in lines:
            if line in known:
                known.remove(line)
            else:
                more.setdefault(what, []).append(line)
    return more


def settle(world, helper, before):
    """The kernel takes network namespaces and control groups away some time after their last user."""
    end = time.monotonic() + SETTLE_S
    more = left(before, look(world, helper))
    while more and time.monotonic() < end:
        time.sleep(0.1)
        more = left(before, look(world, helper))
    return more


def cycle(world, lease):
    world.must_start(lease, "attack", ["/attacker", "wait"], **SMALL)
    outcome, status, _ = world.exec(lease, "/attacker", "identity")
    other = world.beside(lease, "attack", "/attacker", "identity")[:2] if BACKEND == "oci" else ("0", 0)
    answer = world.destroy(lease)
    if (outcome, status) != ("0", 0) or other != ("0", 0) or answer != "erased":
        raise RuntimeError(f"lease {lease}: exec {outcome} {status}, beside {other}, destroy {answer}")


def report(tap, name, more):
    leaked = sum(len(lines) for lines in more.values())
    tap.result(not leaked, name, "; ".join(f"{what}: {lines[:3]}" for what, lines in more.items())[:1500])
    return leaked


def many_cycles(tap, world, helper, before):
    done = 0
    try:
        for done in range(1, CYCLES + 1):
            cycle(world, f"{done:016x}")
    except RuntimeError as e:
        tap.result(False, f"cycle {done}", str(e))
    return report(tap, f"nothing is left of {done} leases", settle(world, helper, before)), done


def crowd(tap, world, helper, before):
    began = time.monotonic()
    answer = world.ask("many", CROWD, world.spec("attack", ["/attacker", "wait"], **SMALL))[0]
    print(f"# the last of {CROWD} runs after {time.monotonic() - began:.1f} s")
    tap.result(answer == f"running {CROWD} failed 0", f"{CROWD} leases start at once",
               f"{answer}: {(world.dir / 'helper.log').read_text()[-800:]}")
    left_over = [lease for lease in (f"{i:016x}" for i in range(1, CROWD + 1)) if world.destroy(lease) != "erased"]
    tap.result(not left_over, f"all {CROWD} are erased", ", ".join(left_over))
    return report(tap, f"nothing is left of {CROWD} leases at once", settle(world, helper, before))


def main():
    into_namespaces()
    tap = Tap()
    world = World("leased-leak-", net=True)
    Layout(world.images / "attack", [[folder("tmp"), entry("attacker", data=(BUILD / "tests/escape/attacker").read_bytes())]])
    world.start_helper()
    helper = int(world.ask("pid")[0])
    began = time.monotonic()
    cycle(world, "0" * 16)
    before = look(world, helper)
    leaked, done = many_cycles(tap, world, helper, before)
    print(f"# {done} cycles in {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    leaked += crowd(tap, world, helper, before)
    print(f"# {CROWD} at once in {time.monotonic() - began:.1f} s")
    world.close()
    stray = subprocess.run(["losetup", "--noheadings", "--output", "BACK-FILE"], capture_output=True, text=True).stdout
    tap.result(world.dir.name not in stray, "no loop device is left of the helper", stray)
    tap.end(f"cycles {done}, leaked {leaked}")


if __name__ == "__main__":
    sys.exit(main())
