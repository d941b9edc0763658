#!/usr/bin/env python3
"""Token, keys and environment of a lease are in no process list, no log and on no disk in clear; core executes nothing."""

import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import below
from harness import World, check, main, need, skip, wait_for
from provider import Buyer, Provider
from search import CHUNK, on_disk
from stranger import Stranger, leases_of, left_of, offer_of, processes

OURS = ("leased", "leased-core", "leased-keeper", "lease", "qemu-storage-da", "lease-devnet")


def in_processes(marks):
    found = []
    for name in OURS:
        for pid in processes(name):
            for part in ("cmdline", "environ"):
                try:
                    text = pathlib.Path(f"/proc/{pid}/{part}").read_bytes()
                except OSError:
                    continue
                found += [f"{name} {part}: {mark}" for mark, value in marks.items() if value in text]
    return found


def volume_keys(provider):
    """What lies on tmpfs beside the volumes: keys and headers."""
    keys = {}
    for path in below(provider.run_dir, "key"):
        with contextlib.suppress(FileNotFoundError):  # of a volume that has gone meanwhile
            if path.is_file() and path.stat().st_size in range(16, 129):
                keys[f"volume key {path.name}"] = path.read_bytes().strip()
    return keys


def secret_columns(database):
    """Values left in the columns that hold secrets of leases."""
    left = []
    for table, column, done in (("lease", "spec", "state IN (2, 7)"), ("payment", "token", "1"), ("ask", "text", "open = 0"),
                                ("token_out", "token", "state IN (3, 5)")):
        try:
            rows = database.execute(f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND {done}").fetchone()
        except sqlite3.OperationalError:
            continue
        left += [f"{table}.{column}: {rows[0]}"] if rows[0] else []
    return left


def databases(w):
    return [p for p in below(w.dir, ".db") if p.suffix == ".db" and p.is_file()]


def traced(w, buyer):
    """strace of core while a lease is bought, used and ended."""
    if not shutil.which("strace"):
        skip("leased-core executes nothing", "strace is not installed")
        return
    log = w.dir / "strace.out"
    core = processes("leased-core")[0]
    tracer = w.start("strace", "strace", "-f", "-e", "trace=execve,execveat,sendmsg,write,writev,sendto", "-o", log, "-p", core)
    attached = wait_for(lambda: "attached" in w.log("strace") or tracer.poll() is not None, 5)
    if not attached or tracer.poll() is not None:
        w.started.pop("strace", None)
        skip("leased-core executes nothing", f"strace cannot attach here: {w.log('strace').strip()[-100:]}")
        return
    done = buyer("run", "--for", "20s", "busybox", "--", "echo", "traced")
    w.stop("strace", sig=signal.SIGINT)
    text = log.read_text()
    check(done.returncode == 0 and len(text.splitlines()) > 5, "a lease is bought while strace looks at leased-core",
          f"{done.returncode} {done.stderr} {len(text)}")
    check("exec" not in text, "and it shows no execve", [line for line in text.splitlines() if "exec" in line])


def dumps_core(limit):
    """Does a process of ours that aborts leave a core here? It runs in a folder of its own, which is removed."""
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["sh", "-c", "kill -ABRT $$"], cwd=folder, preexec_fn=prepare, check=False)
        return bool(os.listdir(folder))


def no_cores():
    """Neither what has keys in memory nor what it starts leaves a core dump."""
    limits = {}
    for name in ("leased", "leased-core", "leased-keeper", "qemu-storage-da"):
        for pid in processes(name):
            limits[f"{name} {pid}"] = re.search(r"^Max core file size +(\w+) +(\w+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M).groups()
    check(len(limits) >= 3 and all(set(v) <= {"0", "1"} for v in limits.values()), "no process of ours may dump core", limits)
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith(("|", "/")) or not dumps_core(resource.RLIM_INFINITY):
        skip("and one that aborts does not", f"this host keeps no core files to look at ({pattern})")
        return
    check(not dumps_core(1), "and one that aborts with that limit does not, where another would")
    servers = processes("qemu-storage-da")
    before = set(pathlib.Path("/").glob("core*"))
    for pid in servers:
        os.kill(pid, signal.SIGABRT)
    check(wait_for(lambda: not set(servers) & set(processes("qemu-storage-da")), 10), "disk servers end by SIGABRT", servers)
    check(set(pathlib.Path("/").glob("core*")) == before, "and leave no core", list(pathlib.Path("/").glob("core*")))


def test(w: World):
    net = w.devnet(fee_ppk=0)
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    buyer = Buyer(w, [net.relay], [net.mint])
    buyer.fund(500)
    offer = wait_for(lambda: offer_of(buyer), 10)
    need(offer, "the offer is there")
    mark = os.urandom(8).hex()
    # Tenants write it as two halves, so that only their disk has the whole.
    left, right = f"dataleft{mark}", f"dataright{mark}"
    write = f"printf '%s%s' {left} {right} > /data; sync; sleep 1000"
    stranger = Stranger(w, net.relay, offer)
    secret = stranger.secret()
    token = stranger.token(net.mint, amounts=(64,), secret=lambda: secret)
    request = stranger.request(token, spec={"image": "busybox", "args": ["sh", "-c", write], "env": {"WORD": f"envof{mark}"}})
    replies = stranger.ask(request)
    need(replies and replies[-1].get("stage") == "running", "a lease of somebody else", replies)
    done = buyer("run", "-d", "--name", "mine", "--for", "300s", "-e", f"WORD=mineof{mark}", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease of lease run", done.stderr)
    done = buyer("exec", "mine", "--", "sh", "-c", "echo $WORD | wc -c")
    check(done.stdout.strip() == str(len(f"mineof{mark}") + 1), "the environment is inside", done.stdout + done.stderr)
    marks = {"environment": f"envof{mark}".encode(), "environment of lease run": f"mineof{mark}".encode(),
             "tenant's data": (left + right).encode(), "token": token[10:60].encode(), "end of the token": token[-60:].encode(),
             "secret of a proof": secret[20:60].encode()}
    os.sync()
    keys = volume_keys(provider)
    check(keys, "volume keys are on tmpfs", below(provider.run_dir))
    found = in_processes({**marks, **keys})
    check(not found, "no secret is in the arguments or environment of our processes", found)
    found = on_disk(w.dir, {**marks, **keys})
    check(not found, "no secret is on the disk in clear, while the leases run", "\n".join(found))
    proof = w.dir / "proof"
    proof.write_bytes(b"x" * (CHUNK - 5) + marks["token"])
    check(len(on_disk(w.dir, marks)) == 1, "(the search would find one)")
    proof.unlink()
    traced(w, buyer)
    no_cores()
    done = buyer("rm", "mine")
    check(done.returncode == 0, "mine ends", done.stderr)
    check(wait_for(lambda: all(r["state"] == "ended" for r in leases_of(provider).values()), 60, 0.5), "the other one too")
    provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))
    os.sync()
    found = on_disk(w.dir, {**marks, **keys})
    check(not found, "no secret is on the disk in clear, afterwards", "\n".join(found))
    check(len(databases(w)) == 2, "there are two databases", databases(w))
    for path in databases(w):
        mode = path.stat().st_mode & 0o777
        check(mode == 0o600, f"{path.name} of {path.parent.name} is for its owner only", oct(mode))
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            blank = secret_columns(database)
        check(not blank, f"{path.name} of {path.parent.name} keeps no secret of leases that are over", blank)


main(test)
