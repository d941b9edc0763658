#!/usr/bin/env python3
"""A sample of the crash matrix with mints that others wrote: kills and a disturbed wire, then every satoshi is somewhere.

CHECK_SEED chooses the sample, LEASED_FULL a larger one. cdk-mintd leaves the inputs of an aborted swap pending until
it is started again: that point is always among them.
"""

import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import FULL, Skip, World, check, end_of, json_lines, main, need, note, skip, wait_for
from provider import Buyer, Provider
from proxy import FAULTS, Proxy
from stranger import buyer_sat, leases_of, left_of, processes, provider_sat

FUNDS = 2000
SAMPLE = 15 if FULL else 5  # points of each mint
BUYER_STEPS = ("PLAN_SENT", "PLAN_ANSWERED", "PLAN_SETTLED", "ORDER_STORED", "ORDER_SENT", "ORDER_ANSWERED")
PROVIDER_STEPS = ("LEASE_ASKED", "LEASE_PAYING", "PLAN_SENT", "PLAN_ANSWERED", "PLAN_SETTLED", "LEASE_PAID", "LEASE_STARTED",
                  "LEASE_RUNNING", "LEASE_REPLIED")
REFUND_STEPS = ("LEASE_STOPPING", "LEASE_REFUND_DUE", "LEASE_ENDED", "REFUND_ASKED", "REFUND_PLANNED", "REFUND_MADE")
NUTSHELL = ("SELECT (SELECT sum(amount) FROM promises WHERE c_ IS NOT NULL) - (SELECT sum(amount) FROM proofs_used)",
            "SELECT 0")
CDK = ("SELECT (SELECT sum(amount) FROM blind_signature WHERE c IS NOT NULL)"
       " - (SELECT coalesce(sum(amount), 0) FROM proof WHERE state = 'SPENT')",
       "SELECT count(*) FROM proof WHERE state = 'PENDING'")


class Market:
    """One mint behind a proxy, one provider, one buyer."""

    def __init__(self, w, relay, proxy, name, database, questions):
        self.w, self.proxy, self.name, self.database, self.questions = w, proxy, name, database, questions
        self.provider = Provider(w, [relay], [proxy.url], name=f"provider-{name}")
        self.provider.start()
        self.buyer = Buyer(w, [relay], [proxy.url], name=f"buyer-{name}")
        self.buyer.fund(FUNDS)
        self.leases = 0

    def ask_mint(self, which):
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return db.execute(self.questions[which]).fetchone()[0] or 0

    def run(self, **env):
        """lease run in the background; its name and process."""
        self.leases += 1
        name = f"{self.name}-{self.leases}"
        return name, subprocess.Popen(
            [self.buyer.program, "run", "-d", "--name", name, "--for", "120s", "busybox", "--", "sleep", "1000"],
            env=self.w.env(LEASE_HOME=self.buyer.home, **env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def state(self, name):
        rows = json_lines(self.buyer("--json", "show", name).stdout)
        return rows[0].get("state") if rows else None


def kill_buyer(m, step):
    _, process = m.run(LEASED_TEST_STEP=step)
    said = end_of(process)
    return process.returncode == -signal.SIGKILL, said


def kill_provider(m, step, act):
    m.provider.stop()
    m.provider.start(LEASED_TEST_STEP=step)
    core = set(processes("leased-core"))
    process = act()
    died = wait_for(lambda: not core & set(processes("leased-core")), 30, 0.02)
    m.provider.stop(sig=signal.SIGKILL)
    m.provider.start()
    return died, end_of(process)


def kill_at_start(m, step):
    return kill_provider(m, step, lambda: m.run()[1])


def kill_at_refund(m, step):
    name, process = m.run()
    end_of(process)
    return kill_provider(m, step, lambda: subprocess.Popen(
        [m.buyer.program, "rm", name], env=m.w.env(LEASE_HOME=m.buyer.home), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))


def disturb_buyer(m, fault):
    m.proxy.disturb(fault, 0)
    _, process = m.run()
    return end_of(process) is not None and m.proxy.happened, ""


def disturb_provider(m, fault):
    m.proxy.disturb(fault, 1)
    _, process = m.run()
    said = end_of(process, 8)
    return m.proxy.happened, said


def points():
    rows = [(f"buyer killed at {s}", kill_buyer, s) for s in BUYER_STEPS]
    rows += [(f"provider killed at {s}", kill_at_start, s) for s in PROVIDER_STEPS]
    rows += [(f"provider killed at {s}", kill_at_refund, s) for s in REFUND_STEPS]
    rows += [(f"the buyer's swap {f}", disturb_buyer, f) for f in FAULTS if f not in ("aborted", "429")]
    return rows + [(f"the provider's swap {f}", disturb_provider, f) for f in FAULTS if f not in ("aborted", "429")]


def settle(m):
    """As their owners would: recover, end what runs, recover again."""
    for _ in range(6):
        done = m.buyer("recover", timeout=120)
        live = [r["name"] for r in json_lines(m.buyer("--json", "ls").stdout) if r.get("state") in ("asked", "running")]
        for name in live:
            m.buyer("rm", name, timeout=90)
        if done.returncode == 0 and not live:
            break
        time.sleep(1)
    return done


def audit(m):
    return (json_lines(m.provider.ctl("--json", "wallet", "audit").stdout) or [{}])[0]


def adds_up(m, what, said):
    settle(m)
    def sums():
        books = audit(m)
        ours, theirs, owes = sum(buyer_sat(m.buyer)), provider_sat(m.provider), m.ask_mint(0)
        return (owes == ours + theirs and books.get("broken") == 0 and books.get("owed_msat") == 0
                and books.get("open_msat") == 0), f"mint owes {owes}, buyer {ours}, provider {theirs}, {books}"
    wait_for(lambda: sums()[0], 20, 0.5)
    good, detail = sums()
    given = [r for r in leases_of(m.provider).values() if r["state"] not in ("refused", "ended")]
    return check(good and not given, f"{m.name}: {what}: recovered, and the mint's own count agrees",
                 f"{detail}\n{given}\n{said}\n{m.provider.log()}")


def play(m, sample):
    for what, run, how in sample:
        happened, said = run(m, how)
        check(happened, f"{m.name}: {what}: it happened", said)
        adds_up(m, what, said)


def cdk_left_pending(m, restart):
    """The provider's swap is aborted on its way: nobody can say what became of it until the mint starts anew."""
    for _ in range(10):
        m.proxy.disturb("aborted", 1)
        _, process = m.run()
        wait_for(lambda process=process: m.proxy.happened or process.poll() is not None, 20)
        end_of(process, 2)
        if m.ask_mint(1):
            break
    else:
        adds_up(m, "ten aborted swaps that the mint finished", "")
        skip(f"{m.name}: inputs left pending", "this mint finished every aborted swap")
        return
    need(m.ask_mint(1) > 0, f"{m.name}: inputs are left pending")
    m.provider.stop(sig=signal.SIGKILL)
    restart()
    m.provider.start()
    check(wait_for(lambda: not m.ask_mint(1), 10), f"{m.name}: no input is pending after the mint's restart")
    adds_up(m, "inputs left pending, mint restarted", "")


def restarter(w, port):
    def restart():
        home = w.dir / f"cdk-{port}"
        program = w.foreign("cdk-mintd-0.18.3/bin/cdk-mintd")
        w.stop(f"cdk-{port}", sig=signal.SIGKILL)
        w.start(f"cdk-{port}", program, "-w", home, port=port,
                env=w.env(HOME=home, CDK_MINTD_MNEMONIC=" ".join(["abandon"] * 11 + ["about"])))
    return restart


def test(w: World):
    seed = os.environ.get("CHECK_SEED") or str(int(time.time()))
    note(f"CHECK_SEED={seed}")
    pick = random.Random(seed)
    relay = w.devnet(port=7010).relay
    for name, port, start, path, questions in (
            ("nutshell", 3338, w.nutshell, "nutshell-3338/mint/mint.sqlite3", NUTSHELL),
            ("cdk-mintd", 3339, w.cdk, "cdk-3339/cdk-mintd.sqlite", CDK)):
        try:
            start()
        except Skip as e:
            skip(name, e)
            continue
        m = Market(w, relay, Proxy(port + 100, port), name, w.dir / path, questions)
        play(m, pick.sample(points(), SAMPLE))
        if name == "cdk-mintd":
            cdk_left_pending(m, restarter(w, port))
        m.provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))


main(test)
