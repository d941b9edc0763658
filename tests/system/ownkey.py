#!/usr/bin/env python3
"""Keys of disks that buyers bring: on no disk, in no memory but the disk server's, and brought again after the host's restart."""

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import below
from harness import World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from search import forms, in_memory, on_disk
from stranger import left_of, processes

AGENT = ("leased", "leased-core", "leased-keeper")
# Writes its mark once, as two halves, so that only its disk has the whole; and counts its starts.
SCRIPT = "[ -e /mark ] || printf '%s%s' {0} {1} > /mark; echo start >> /starts; sync; sleep 1000"


def entry(lease, name):
    return (json_lines(lease("show", name).stdout) or [{}])[0]


def key_of(provider, lease):
    path = provider.run_dir / "volumes" / lease / "key"
    return path.read_text().strip() if path.exists() else None


def run(provider, lease, name, mark, *options, **more):
    command = SCRIPT.format(f"left{mark}", f"right{mark}")
    done = lease("run", "-d", "--name", name, "--for", "600s", *options, "busybox", "--", "sh", "-c", command, **more)
    need(done.returncode == 0, f"a lease runs with {' '.join(map(str, options))}", done.stderr + provider.log())
    return key_of(provider, entry(lease, name)["lease"])


def disk_says(lease, name, starts):
    return wait_for(lambda: lease("exec", name, "--", "sh", "-c", "cat /mark; grep -c start /starts").stdout == starts, 10, 0.5)


def wrong_files(w, lease):
    short, text = w.dir / "short", w.dir / "text"
    short.write_text("00112233\n")
    text.write_text("correct horse battery staple ".ljust(64, "x"))
    for path, why in ((short, "64 lower-case hex"), (text, "64 lower-case hex"), (w.dir / "none", "there is no")):
        done = lease("run", "--volume-key", path, "busybox")
        check(done.returncode == 2 and "--volume-key: " in done.stderr and why in done.stderr, f"a key in {path.name} is wrong usage", done.stderr)
    done = lease("run", "--volume-key", "-", "busybox", input="0011\n")
    check(done.returncode == 2 and "64 lower-case hex" in done.stderr, "so is a short one of standard input", done.stderr)
    check(lease("run", "--own-key", "--volume-key", short, "busybox").returncode == 2, "and both at once")


def kept_by(pids, marks):
    """What of the marks these processes have when what is under way is over."""
    def found():
        return [f"{pathlib.Path(f'/proc/{pid}/comm').read_text().strip()}: {mark}" for pid in pids for mark in sorted(in_memory(pid, marks))]
    wait_for(lambda: not found(), 2, 0.5)
    return found()


def in_no_memory(keys, when):
    marks = {k: v for name, key in keys.items() for k, v in forms(name, key).items()}
    found = kept_by([pid for name in AGENT for pid in processes(name)], marks)
    check(not found, f"no process of the agent has a key in its memory {when}", "\n".join(found))
    servers = processes("qemu-storage-da")
    having = [pid for pid in servers if in_memory(pid, marks)]
    check(in_memory(os.getpid(), marks) and (having or not servers), "(but in the disks' servers, where it is found)", servers)


def buyer_forgets(w, lease, file):
    """lease run stays with its command for hours, and its key does not."""
    command = ("run", "--name", "watched", "--for", "600s", "--volume-key", file, "busybox", "--", "sleep", "1000")
    pid = w.start("watched", lease.program, *command, env=w.env(LEASE_HOME=lease.home)).pid
    need(wait_for(lambda: "running" in lease.state("watched"), 20, 0.3), "a lease runs with its buyer attached", w.log("watched"))
    found = kept_by([pid], forms("key", file.read_text().strip()))
    check(not found, "who has no key in memory", "\n".join(found))
    check(lease("rm", "watched").returncode == 0, "it ends")
    w.stop("watched")


def on_no_disk(w, keys, allowed, when):
    os.sync()
    marks = {k: v for name, key in keys.items() for k, v in forms(name, key).items()}
    found = [row for row in on_disk(w.dir, marks) if not row.startswith(f"{allowed}: ")]
    check(not found, f"no key is on the disk {when}", "\n".join(found))
    check(any(row.startswith(f"{allowed}: ") for row in on_disk(w.dir, marks)), "(but in the buyer's own file, where it is found)")


def emptied(w, folder, last=()):
    """Unmounts all below `folder` but what ends with one of these. True: nothing else is mounted there."""
    paths = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    paths = [p for p in paths if f"{p}/".startswith(f"{folder}/") and not p.endswith(last)]
    return all([w.run("umount", p).returncode == 0 for p in reversed(paths)])


def reboot(w, provider):
    """All processes of provider and leases die, and all that is in memory is lost. Disks are unmounted before their servers die."""
    provider.stop(sig=signal.SIGKILL)
    need(wait_for(lambda: not processes("leased-core"), 5), "the host is halted")
    loops = w.loops()
    w.end_groups()
    need(wait_for(lambda: emptied(w, provider.run_dir, ("/disk", "/volumes", provider.run_dir.name)), 10, 0.2), "its disks are unmounted")
    for device in loops:
        w.run("losetup", "-d", device)
    for pid in processes("qemu-storage-da"):
        os.kill(pid, signal.SIGKILL)
    need(wait_for(lambda: not processes("qemu-storage-da"), 5), "and closed")
    need(wait_for(lambda: emptied(w, provider.run_dir, ()), 10, 0.2) and not list(provider.run_dir.glob("*")), "its memory is emptied")
    provider.start()


def waits(provider, lease, name):
    check(wait_for(lambda: "needs its key" in lease.state(name), 20, 0.5), f"{name} waits for its key", lease.state(name) + provider.log())
    shown = entry(lease, name)
    check(shown.get("state") == "needs its key", "lease show says so", shown)
    check(any(name in row and "needs its key" in row for row in lease("ls").stdout.splitlines()), "and lease ls", lease("ls").stdout)
    return shown


def unlocks(w, provider, lease, keys, file):
    other = w.dir / "other"
    other.write_text(os.urandom(32).hex() + "\n")
    before = {name: waits(provider, lease, name) for name in keys}
    for name in ("derived", "filed"):
        done = lease("unlock", "--volume-key", other, name)
        check(done.returncode != 0 and "not the key" in done.stderr, f"{name} refuses another key", f"{done.returncode} {done.stderr}")
        check("needs its key" in lease.state(name), "and goes on waiting", lease.state(name))
    done = lease("start", "derived")
    check(done.returncode != 0 and "needs the key" in done.stderr, "lease start says what it needs", f"{done.returncode} {done.stderr}")
    check(lease("unlock", "--volume-key", w.dir / "short", "filed").returncode == 2, "a short key is wrong usage")
    done = lease("unlock", "derived")
    check(done.returncode == 0, "lease unlock brings the wallet's own", done.stderr + provider.log())
    done = lease("unlock", "--volume-key", "-", "filed", input=file.read_text())
    check(done.returncode == 0, "and one of standard input", done.stderr + provider.log())
    for name in ("derived", "filed"):
        check(entry(lease, name)["expires_at"] == before[name]["expires_at"], f"the time of {name} went on", f"{before[name]} {entry(lease, name)}")


def ends(provider, lease, name):
    """Its time went on while it waited: what is left of it comes back."""
    had, left = lease.balance(), entry(lease, name)["expires_at"] - time.time()
    id = entry(lease, name)["lease"]
    done = lease("rm", name)
    check(done.returncode == 0 and "erased" in done.stderr, f"{name} ends and is erased", done.stderr)
    back = lease.balance() - had
    check(left - 60 < back <= left + 2, "and the rest of its time is paid back", f"{back} sat back, {left:.0f} s left")
    found = [str(p) for top in (provider.dir, provider.run_dir) for p in below(top, id)]
    check(not found, "nothing of it is left", found)


def test(w: World):
    net = w.devnet(fee_ppk=0)
    provider = Provider(w, [net.relay], [net.mint], settings=["volume.header=disk"])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(3000)
    need(wait_for(lambda: "live" in lease("offers").stdout, 10), "the offer is there")
    wrong_files(w, lease)
    mark = os.urandom(8).hex()
    said = f"left{mark}right{mark}"
    file = w.dir / "key"
    file.touch(0o600)
    file.write_text(os.urandom(32).hex() + "\n")
    piped = os.urandom(32).hex()
    keys = {"derived": run(provider, lease, "derived", mark, "--own-key"),
            "filed": run(provider, lease, "filed", mark, "--volume-key", file),
            "piped": run(provider, lease, "piped", mark, "--volume-key", "-", input=piped)}
    need(len(keys["derived"] or "") == 64, "the host has a key in its memory alone", below(provider.run_dir))
    check(keys["filed"] == file.read_text().strip() and keys["piped"] == piped, "and those that were brought")
    for name in keys:
        check(disk_says(lease, name, f"{said}1\n"), f"{name} has its mark", provider.log())
    marks = {"mark": said.encode()}
    check(not on_disk(w.dir, marks), "which is on no disk in clear", on_disk(w.dir, marks))
    on_no_disk(w, keys, file, "while the leases run")
    in_no_memory(keys, "while the leases run")
    buyer_forgets(w, lease, file)
    reboot(w, provider)
    check(not any(key_of(provider, entry(lease, name)["lease"]) for name in keys), "after its restart the host has no key")
    unlocks(w, provider, lease, keys, file)
    for name in ("derived", "filed"):
        check(disk_says(lease, name, f"{said}2\n"), f"{name} runs again, with its data", provider.log())
    check(key_of(provider, entry(lease, "piped")["lease"]) is None, "the third waits on")
    on_no_disk(w, keys, file, "after they were unlocked")
    in_no_memory(keys, "after they were unlocked")
    for name in keys:
        ends(provider, lease, name)
    provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))
    on_no_disk(w, keys, file, "afterwards")


main(test)
