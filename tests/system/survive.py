#!/usr/bin/env python3
"""Leases outlive the agent: kill -9 of leased, leased-core or both loses no lease, no line and no second of the deadline."""

import contextlib
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import traces
from harness import World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import leases_of, left_of, processes

LINES = 80


def entry(buyer, name):
    return (json_lines(buyer("show", name).stdout) or [{}])[0]


def run(buyer, name, seconds, *command):
    done = buyer("run", "-d", "--name", name, "--for", f"{seconds}s", "busybox", "--", *command)
    need(done.returncode == 0, f"{name}: a lease of {seconds} s", done.stderr)
    return entry(buyer, name)


def usable(provider, buyer, name, after):
    done = buyer("exec", name, "--", "echo", "still here")
    check(done.stdout.strip() == "still here", f"after {after} {name} can be used", done.stderr + provider.log())


def command_lines():
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            pass
    return found


def kills(provider, buyer):
    """The order matters: leased, then core alone, then both at once."""
    script = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 5"
    run(buyer, "writer", 180, "sh", "-c", script)
    steady = run(buyer, "steady", 90, "sleep", "6661")
    provider.stop(sig=signal.SIGKILL)
    check(wait_for(lambda: not processes("leased-core"), 5), "leased-core ends with leased")
    time.sleep(1)
    provider.start()
    usable(provider, buyer, "steady", "kill -9 of leased")
    core = processes("leased-core")
    os.kill(core[0], signal.SIGKILL)
    check(wait_for(lambda: set(processes("leased-core")) - set(core), 10, 0.1), "leased starts leased-core again",
          provider.log())
    wait_for(lambda: "(published)" in provider.ctl("status").stdout, 20)
    usable(provider, buyer, "steady", "kill -9 of leased-core")
    for pid in [*processes("leased"), *processes("leased-core")]:
        with contextlib.suppress(ProcessLookupError):  # it ends with the first
            os.kill(pid, signal.SIGKILL)
    provider.stop()
    provider.start()
    usable(provider, buyer, "steady", "kill -9 of both")
    check(wait_for(lambda: "exited" in buyer.state("writer"), 20, 0.5), "the writer has exited", buyer.state("writer"))
    written = [line for line in buyer("logs", "writer").stdout.splitlines() if line.startswith("line ")]
    check(written == [f"line {i}" for i in range(LINES)], "no line of it is lost", f"{len(written)} {written[-3:]}")
    writer = leases_of(provider)[entry(buyer, "writer")["lease"]]
    check(writer.get("exit_status") == 5, "its exit status is known", writer)
    left = steady["expires_at"] - time.time()
    ended = wait_for(lambda: "ended" in buyer.state("steady"), left + 15, 0.5)
    check(ended and time.time() >= steady["expires_at"] - 1, "steady ends, and not before its time", buyer.state("steady"))
    check(leases_of(provider)[steady["lease"]]["why"] == "expired", "and because its time was over", leases_of(provider))


def without_agent(w, provider, buyer):
    alone = run(buyer, "alone", 15, "sleep", "6662")
    check(any("sleep 6662" in line for line in command_lines()), "alone: its command runs")
    provider.stop(sig=signal.SIGKILL)
    wait_for(lambda: not any("sleep 6662" in line for line in command_lines()), 25, 0.2)
    late = time.time() - alone["expires_at"]
    check(not any("sleep 6662" in line for line in command_lines()), "with no agent, it ends all the same", command_lines())
    check(-2 <= late <= 20, "on its deadline", f"{late:.1f} s late")
    provider.start()
    check(wait_for(lambda: "ended" in buyer.state("alone"), 20, 0.5), "the agent's next start ends it", provider.log())
    check(wait_for(lambda: not traces(w, alone["lease"]), 10), "and erases it", traces(w, alone["lease"]))


def failed_start(provider, buyer):
    done = buyer("run", "-d", "--name", "broken", "--for", "30s", "busybox", "--", "/bin/no-such-command")
    check(done.returncode == 5 and "back in the wallet" in done.stderr,
          "a start that fails after payment: exit status 5, and the money is back",
          f"{done.returncode} {done.stderr}{provider.log()}")
    shown = entry(buyer, "broken")
    check([r["state"] for r in shown.get("refunds", [])] == ["taken"], "lease show says that it was taken", shown)
    row = leases_of(provider).get(shown.get("lease"), {})
    check([r["msat"] for r in row.get("refunds", [])] == [30000], "leasectl leases has it as a job", row)
    provider.stop(sig=signal.SIGKILL)
    provider.start()
    row = leases_of(provider).get(shown.get("lease"), {})
    check(len(row.get("refunds", [])) == 1, "after kill -9 still one job", row)


def test(w: World):
    net = w.devnet(fee_ppk=0)
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    buyer = Buyer(w, [net.relay], [net.mint])
    buyer.fund(1000)
    need(wait_for(lambda: "live" in buyer("offers").stdout, 10), "the offer is there")
    failed_start(provider, buyer)
    without_agent(w, provider, buyer)
    kills(provider, buyer)
    buyer("rm", "writer")
    check(wait_for(lambda: not leases_of(provider) or all(r["state"] in ("ended", "refused") for r in
                                                          leases_of(provider).values()), 15), "every lease has ended")
    provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))


main(test)
