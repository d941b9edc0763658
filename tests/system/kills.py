#!/usr/bin/env python3
"""kill -9 of buyer and provider at every step: one lease or one refusal comes of a request, and the money adds up."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, end_of, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import buyer_sat, leases_of, left_of, processes, provider_sat

FUNDS = 2000
STARTING = ("LEASE_ASKED", "PLAN_SENT", "PLAN_ANSWERED", "PLAN_SETTLED", "LEASE_PAYING", "LEASE_PAID", "LEASE_STARTED",
            "LEASE_RUNNING", "LEASE_REPLIED")
ENDING = ("LEASE_STOPPING", "LEASE_REFUND_DUE", "REFUND_ASKED", "REFUND_PLANNED", "REFUND_MADE", "LEASE_ERASED", "LEASE_ENDED")
REFUNDED = ("ORDER_REFUND_STORED", "PLAN_SENT", "PLAN_SETTLED", "ORDER_REFUNDED")
BUYING = ("ORDER_MEANT", "PLAN_SENT", "PLAN_ANSWERED", "PLAN_SETTLED", "ORDER_STORED", "ORDER_SENT", "ORDER_ANSWERED")


def name_of(who, step):
    return f"{who}-{step.lower().replace('_', '-')}"


def in_background(buyer, *argv):
    return subprocess.Popen([buyer.program, *argv], env=buyer.w.env(LEASE_HOME=buyer.home), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_at(provider, step, doing):
    """Run doing() against a provider whose core kills itself at `step`, then kill leased too and start it anew."""
    provider.stop()
    provider.start(LEASED_TEST_STEP=step)
    core = processes("leased-core")
    process = doing()
    died = wait_for(lambda: not set(core) & set(processes("leased-core")), 20, 0.02)
    provider.stop(sig=signal.SIGKILL)
    provider.start()
    return died, end_of(process)


def entry(buyer, name):
    rows = json_lines(buyer("show", name).stdout)
    return rows[0] if rows else {}


def settle(buyer, name):
    """Until the buyer knows what became of it; the last state."""
    for _ in range(4):
        state = entry(buyer, name).get("state")
        if state != "asked":
            return state
        buyer("recover", timeout=90)
    return entry(buyer, name).get("state")


def adds_up(provider, buyer, name):
    def sums():
        b, p = buyer_sat(buyer), provider_sat(provider)
        return (sum(b) + p == FUNDS and not b[1], b, p)
    wait_for(lambda: sums()[0], 10, 0.3)
    good, b, p = sums()
    check(good, f"{name}: the money adds up", f"buyer {b} + provider {p} of {FUNDS}")


def one_outcome(provider, buyer, name, before, said):
    state = settle(buyer, name)
    new = {i: r for i, r in leases_of(provider).items() if i not in before}
    given = {i: r for i, r in new.items() if r["state"] != "refused"}
    if state == "running":
        good = len(given) == 1 and entry(buyer, name)["lease"] in given
    else:
        good = state in (None, "refused", "failed") and not [r for r in given.values() if r["state"] != "ended"]
    check(good, f"{name}: one lease or one refusal ({state})", f"{new}\n{said}\n{provider.log()}")
    if state == "running":
        done = buyer("exec", name, "--", "true")
        check(done.returncode == 0, f"{name}: the lease can be used", done.stderr + provider.log())
        done = buyer("rm", name)
        check(done.returncode == 0 and entry(buyer, name)["state"] == "ended", f"{name}: and ended", done.stderr)
    adds_up(provider, buyer, name)


def while_starting(provider, buyer, step):
    name = name_of("provider", step)
    before = set(leases_of(provider))
    died, said = kill_at(provider, step, lambda: in_background(buyer, "run", "-d", "--name", name, "--for", "120s",
                                                               "busybox", "--", "sleep", "1000"))
    if check(died, f"{name}: leased-core died there", said + provider.log()):
        one_outcome(provider, buyer, name, before, said)


def while_ending(provider, buyer, step):
    name = name_of("provider", step)
    done = buyer("run", "-d", "--name", name, "--for", "120s", "busybox", "--", "sleep", "1000")
    if not check(done.returncode == 0, f"{name}: runs", done.stderr):
        return
    died, said = kill_at(provider, step, lambda: in_background(buyer, "rm", name))
    check(died, f"{name}: leased-core died there", said + provider.log())
    ended = wait_for(lambda: "ended" in buyer("status", name).stdout or entry(buyer, name).get("state") == "ended", 20, 0.5)
    check(ended, f"{name}: the lease is ended and erased afterwards", said + provider.log())
    refund_is_back(buyer, name)
    adds_up(provider, buyer, name)


def refund_is_back(buyer, name):
    def states():
        buyer("recover", timeout=90)
        return [r["state"] for r in entry(buyer, name).get("refunds", [])]
    check(wait_for(lambda: states() == ["taken"], 20, 0.5), f"{name}: one refund, and it is back", entry(buyer, name))


def while_refunded(provider, buyer, step):
    name = name_of("refund", step)
    done = buyer("run", "-d", "--name", name, "--for", "120s", "busybox", "--", "sleep", "1000")
    if not check(done.returncode == 0, f"{name}: runs", done.stderr):
        return
    done = buyer("rm", name, env={"LEASED_TEST_STEP": step})
    check(done.returncode == -signal.SIGKILL, f"{name}: lease died there", f"{done.returncode} {done.stderr}")
    refund_is_back(buyer, name)
    adds_up(provider, buyer, name)


def while_buying(provider, buyer, step):
    name = name_of("buyer", step)
    before = set(leases_of(provider))
    done = buyer("run", "-d", "--name", name, "--for", "120s", "busybox", "--", "sleep", "1000", env={"LEASED_TEST_STEP": step})
    check(done.returncode == -signal.SIGKILL, f"{name}: lease died there", f"{done.returncode} {done.stderr}")
    time.sleep(0.5)
    buyer("recover", timeout=90)
    one_outcome(provider, buyer, name, before, done.stderr)


def test(w: World):
    net = w.devnet(fee_ppk=0)
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    buyer = Buyer(w, [net.relay], [net.mint])
    buyer.fund(FUNDS)
    need(wait_for(lambda: "live" in buyer("offers").stdout, 10), "the offer is there")
    only = os.environ.get("KILLS_ONLY", "").split()
    for steps, run in ((BUYING, while_buying), (STARTING, while_starting), (ENDING, while_ending),
                       (REFUNDED, while_refunded)):
        for step in steps:
            if not only or step in only:
                run(provider, buyer, step)
    provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))


main(test)
