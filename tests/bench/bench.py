#!/usr/bin/env python3
"""What DESIGN holds leased to, measured: `make bench`.

Prints a table and writes bench.json. Everything runs in a network namespace of its own on loopback: our relay,
nutshell's mint (fake wallet, 100 ppk), this build's programs, and what they are measured beside. The two sides of a
ratio take turns, so that whatever else the machine does meets both. What was started is stopped, also on failure.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system" / "lib"))
import harness                                                           # noqa: E402
from driver import Driver                                                # noqa: E402
from harness import Failed, Skip, wait_for                               # noqa: E402
from peer import Peer                                                    # noqa: E402
from rows import goal, note, row, show, spread                           # noqa: E402
from starts import bare_bundle, starts_rows, unpacked                    # noqa: E402
from volumes import volume_rows                                          # noqa: E402

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
RELAY_PORT, MINT_PORT = 7447, 3338
RELAY, MINT = f"ws://127.0.0.1:{RELAY_PORT}", f"http://127.0.0.1:{MINT_PORT}"
NET = 99        # sat; with the fee of its swap a token of exactly three proofs: 64 + 32 + 4
CORE_USER = 64208
PARTS = ("curve", "starts", "volumes", "paid", "idle")


# The agent and its buyer -------------------------------------------------------------------------

class Agent:
    """leased in a folder of the world, selling one image."""

    def __init__(self, w, name, pool):
        self.w, self.name = w, name
        self.dir = w.dir / name
        self.dir.mkdir(mode=0o755)
        self.run = self.dir / "run"
        self.conf = self.dir / "leased.conf"
        self.cgroup = f"leased-bench-{name}"
        values = {"agent.state_dir": self.dir / "state", "agent.run_dir": self.run,
                  "runtime.allow_cgroup_v1": "yes", "runtime.cgroup_parent": self.cgroup, "volume.pool": pool}
        made = w.run(self.program("leasectl"), "--config", self.conf, "init", "--relay", RELAY, "--mint", MINT,
                     "--price", "1sat/s", "--image", f"busybox=oci:{w.dir}/busybox", "--user", CORE_USER,
                     "--allow-local", *(x for k, v in values.items() for x in ("--set", f"{k}={v}")))
        if made.returncode:
            raise Failed(f"leasectl init: {made.stderr}")
        w.start(name, self.program("leased"), "--config", self.conf)

    def program(self, name):
        return self.w.ours(harness.SBIN / name)

    def pids(self):
        top = self.w.started[self.name].pid
        found = [top]
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == top:
                found.append(int(stat.parent.name))
        return found

    def has_prepared(self):
        """A prepared volume waits, and no lease is left."""
        return not list((self.run / "leases").glob("*/spec")) and list(self.run.glob("volumes/pool-*/ready"))

    def stop(self):
        for pool in ("leases", "volumes"):
            wait_for(lambda p=pool: not [x for x in (self.run / p).glob("*") if not x.name.startswith("pool-")], 20)
        self.w.stop(self.name, seconds=60)


class Buyer:
    def __init__(self, w):
        self.w = w
        self.home = w.dir / "buyer"
        self.home.mkdir()
        (self.home / "lease.conf").write_text(
            f"[nostr]\nrelay = {RELAY}\nallow_local = yes\n\n[wallet]\nmint = {MINT}\n")
        self.env = w.env(LEASE_HOME=self.home)
        self.lease = w.ours(harness.BIN / "lease")

    def run(self, *argv, timeout=120):
        done = self.w.run(self.lease, *argv, env=self.env, timeout=timeout)
        if done.returncode:
            raise Failed(f"lease {' '.join(map(str, argv))}: {done.stderr}{done.stdout}")
        return done

    def fund(self, amount):
        self.run("wallet", "fund", amount)


def open_client(w, buyer):
    """tests/bench/client: a buyer that stays."""
    client = Driver(w, "client", env={**buyer.env, "BENCH_IMAGE": "busybox", "BENCH_SAT": str(NET), "BENCH_RUNTIME": "runc"})
    client.answer("start")
    return client


# Measures ----------------------------------------------------------------------------------------

class Floor:
    """The same swap alone, then the bare runtime on the same root folder."""

    NAME = "the same swap alone + runc create + runc start of the same rootfs"

    def __init__(self, client, bundle):
        self.client, self.bundle = client, bundle
        self.swaps, self.boxes = [], []

    def run(self):
        self.swaps.append(self.client.ask("swap"))
        self.boxes.append(self.client.ask(f"box {self.bundle}"))
        self.client.ask("unbox")
        return self.swaps[-1] + self.boxes[-1]


def settle(agent):
    if not wait_for(agent.has_prepared, 30):
        raise Failed(f"no volume was prepared again\n{agent.w.log(agent.name)}")
    time.sleep(0.3)


def paid_request(agent, client, floor, runs):
    ours, theirs = [], []
    for i in range(-2, runs):
        settle(agent)
        took = client.ask("lease")
        client.ask("end")
        settle(agent)
        least = floor.run()
        if i >= 0:
            ours.append(took)
            theirs.append(least)
    return row("paid-request-to-running", "ms", ours, (Floor.NAME, theirs), goal("ratio", "<=", 1.5))


def command(agent, buyer, floor, runs):
    ours, theirs = [], []
    for i in range(-1, runs):
        settle(agent)
        since = time.monotonic()
        name = buyer.run("run", "-d", "--for", f"{NET}s", "busybox", "--", "sleep", "1000").stdout.strip()
        took = (time.monotonic() - since) * 1000
        buyer.run("rm", name)
        settle(agent)
        least = floor.run()
        if i >= 0:
            ours.append(took)
            theirs.append(least)
    # DESIGN wants a tenth of the peer's 1.56 s, on a machine where this floor was 82 ms.
    return row("command-to-running", "ms", ours, (Floor.NAME, theirs), goal("ratio", "<=", 1.9))


def beside_curve(w, program, *argv):
    """Microseconds of a program of tests/bench, and of the curve operations that it needs, alone."""
    done = w.run(harness.BUILD / "tests" / "bench" / program, *argv, timeout=300)
    if done.returncode:
        raise Failed(f"{program}: {done.stdout}{done.stderr}")
    return zip(*[map(float, line.split()) for line in done.stdout.splitlines()])


def verify(w, rounds):
    bare, whole = beside_curve(w, "verify", rounds)
    return row("verify-locked-token-10", "us", whole, ("hash to curve and DLEQ check of each proof, alone", bare),
               goal("ratio", "<=", 1.25))


def junk(w, rounds):
    """A wrap of 2.2 kB."""
    bare, whole = beside_curve(w, "wraps", 200, rounds)
    return row("refuse-junk-wrap", "us", whole, ("two signatures and two shared keys, alone", bare), goal("ratio", "<=", 1.25))


def pss(pids):
    """MB of all of them together; shared pages count by their share."""
    kb = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kb += int(line.split()[1])
    return kb / 1024


def cpu(pids):
    """Nanoseconds on a processor so far, all threads."""
    return sum(int(p.read_text().split()[0]) for pid in pids
               for p in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def idle(sides, seconds, calm):
    """Both sides in the same minutes: lists of MB and of ms a minute for each."""
    time.sleep(calm)
    memory, work = [[] for _ in sides], [[] for _ in sides]
    step = min(60, seconds)
    end = time.monotonic() + seconds
    last = [cpu(s) for s in sides]
    at = time.monotonic()
    while at < end:
        time.sleep(step)
        passed, at = time.monotonic() - at, time.monotonic()
        for i, pids in enumerate(sides):
            memory[i].append(pss(pids))
            now = cpu(pids)
            work[i].append((now - last[i]) / 1e6 / passed * 60)
            last[i] = now
    return memory, work


def idle_rows(w, seconds, calm):
    agent = Agent(w, "idle", 0)
    peer, why = None, ""
    try:
        peer = Peer(w, RELAY, MINT)
    except Skip as e:
        why = str(e)
        note(f"no peer to measure beside: {why}")
    sides = [agent.pids()] + ([peer.pids()] if peer else [])
    memory, work = idle(sides, seconds, calm)
    name = "paygress-cli provider" + (f" (left out: {why})" if why else "")
    if os.environ.get("BENCH_DETAIL"):
        for pid in sides[0]:
            shutil.copy(f"/proc/{pid}/smaps", f"{os.environ['BENCH_DETAIL']}/smaps.{pid}")
    agent.stop()
    if peer:
        peer.stop()
    return [row("idle-pss", "MB", memory[0], (name, memory[1] if peer else None), goal("median", "<=", 12)),
            row("idle-cpu", "ms/min", work[0], (name, work[1] if peer else None), goal("median", "<=", 4))]


def paid_rows(w, runs):
    agent = Agent(w, "leased", 1)
    buyer = Buyer(w)
    if not wait_for(lambda: "small" in w.run(buyer.lease, "offers", env=buyer.env).stdout, 30, 0.3):
        raise Failed(f"no offer came\n{w.log('leased')}")
    buyer.fund(20000)
    client = open_client(w, buyer)
    client.ask("lease")         # unpacks the image
    client.ask("end")
    bundle = w.dir / "bundle"
    bundle.mkdir()
    floor = Floor(client, bare_bundle(bundle, unpacked(agent.dir / "state")))
    rows = [paid_request(agent, client, floor, runs)]
    note(f"swap alone: {spread(floor.swaps)} ms")
    note(f"runc: {spread(floor.boxes)} ms")
    rows.append(command(agent, buyer, floor, runs))
    w.stop("client")
    agent.stop()
    return rows


def bench(w, o):
    made = w.run(SOURCE / "contrib" / "make-image", w.dir / "busybox")
    if made.returncode:
        raise Failed(f"make-image: {made.stderr}")
    rows = []
    if "curve" in o.parts:
        rows += [verify(w, o.rounds), junk(w, o.rounds)]
    if "starts" in o.parts:
        rows += starts_rows(w, w.dir / "busybox", o.runs)
    if "volumes" in o.parts:
        rows += volume_rows(w, w.dir / "busybox", o.runs)
    if "paid" in o.parts or "idle" in o.parts:
        w.start("devnet", harness.BUILD / "lease-devnet", "--relay-port", RELAY_PORT, "--mint-port", MINT_PORT + 100,
                port=RELAY_PORT)
        w.nutshell(MINT_PORT)
    if "paid" in o.parts:
        rows += paid_rows(w, o.runs)
    if "idle" in o.parts and o.idle:
        rows += idle_rows(w, o.idle, o.calm)
    return rows


# ---------------------------------------------------------------------------------------------------

def options():
    p = argparse.ArgumentParser(description="Measure leased beside its floor and its peer.")
    p.add_argument("--runs", type=int, default=15, help="of each side of a ratio")
    p.add_argument("--idle", type=int, default=600, metavar="SECONDS", help="how long an idle agent is watched")
    p.add_argument("--calm", type=int, default=30, metavar="SECONDS", help="before that")
    p.add_argument("--only", dest="parts", action="append", choices=PARTS, help="may be given more than once")
    p.add_argument("--rounds", type=int, default=100, help="of twenty tokens or wraps, checked offline")
    p.add_argument("--quick", action="store_true", help="few runs, for a look")
    p.add_argument("-o", "--output", default="bench.json")
    o = p.parse_args()
    o.parts = o.parts or PARTS
    if o.quick:
        o.runs, o.idle, o.calm, o.rounds = min(o.runs, 5), min(o.idle, 60), min(o.calm, 15), min(o.rounds, 20)
    return o


def main():
    o = options()
    if os.geteuid() != 0:
        print("bench: needs root, for volumes and containers", file=sys.stderr)
        return 1
    o.output = os.path.abspath(o.output)
    if not os.environ.get("HARNESS_INSIDE"):
        harness.enter_namespaces()
    harness.be_init()
    signal.signal(signal.SIGTERM, harness.terminated)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    w = harness.World()
    try:
        rows = bench(w, o)
    except (Failed, Skip) as e:
        print(f"bench: {e}", file=sys.stderr)
        for name in ("leased", "idle"):
            print(w.log(name), file=sys.stderr)
        return 1
    finally:
        if not os.environ.get("HARNESS_KEEP"):
            w.close()
    pathlib.Path(o.output).write_text(json.dumps(rows, indent=1) + "\n")
    show(rows)
    return 0


sys.exit(main())
