#!/usr/bin/env python3
"""How a command lives: run again when it fails, over kill -9 of the agent, its health, its terminal; on lease-devnet."""

import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider

# Fails until it was run so often; what it counts lies on the lease's disk.
FAILS = "echo x >> /root/runs; n=$(wc -l < /root/runs); echo run $n; test $n -ge {} && exit 0; exit 3"


def shown(lease, name):
    return json.loads(lease("show", name).stdout.splitlines()[0])


def foreground(lease):
    done = lease("run", "--for", "60s", "--restart", "on-failure:3", "busybox", "--", "sh", "-c", FAILS.format(3))
    check(done.returncode == 0, "a command that fails twice succeeds in the foreground", f"{done.returncode} {done.stderr}")
    check(done.stdout == "run 1\nrun 2\nrun 3\n", "on the same data, and all that it printed comes", done.stdout)
    check("restart 1 of 3 in 1 s" in done.stderr and "restart 2 of 3 in 2 s" in done.stderr, "each failure is said", done.stderr)
    done = lease("run", "--for", "60s", "--restart", "on-failure:1", "busybox", "--", "sh", "-c", FAILS.format(9))
    check(done.returncode == 3 and done.stdout == "run 1\nrun 2\n", "the last failure is its exit status", f"{done.returncode} {done.stdout}")
    done = lease("run", "--restart", "always", "busybox")
    check(done.returncode == 2 and "on-failure:N" in done.stderr, "what is not offered is said", done.stderr)


def agent_dies(lease, provider):
    """The agent is killed while the command waits, and while it runs; it is run again exactly so often."""
    done = lease("run", "-d", "--name", "again", "--for", "300s", "--restart", "on-failure:4", "busybox", "--", "sh", "-c", FAILS.format(9))
    need(done.returncode == 0, "a lease whose command fails", done.stderr)
    for pause in (0.3, 1, 2.2):
        time.sleep(pause)
        provider.stop(sig=signal.SIGKILL)
        time.sleep(0.5)
        provider.start()
    check(wait_for(lambda: "exited" in lease.state("again"), 60, 0.5), "it ends", lease.state("again"))
    done = lease("logs", "again")
    check(done.stdout == "".join(f"run {n}\n" for n in range(1, 6)), "after five runs, over three kill -9 of leased", done.stdout)
    seen = shown(lease, "again")
    check(seen["restarts"] == 4 and seen["exit_status"] == 3, "lease show counts them", seen)
    check("restarted 4 times" in lease.state("again"), "and lease status", lease.state("again"))
    check('"restarts":4' in provider.ctl("--json", "leases").stdout.replace(" ", ""), "and leasectl leases", provider.ctl("--json", "leases").stdout)
    lease("rm", "again")


def owner_ends(lease):
    done = lease("run", "-d", "--name", "held", "--for", "300s", "--restart", "on-failure:9", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease that would be run again", done.stderr)
    check(lease("kill", "held").returncode == 0 and wait_for(lambda: "exited" in lease.state("held"), 10, 0.5),
          "what its owner kills stays ended", lease.state("held"))
    check(lease("start", "held").returncode == 0 and lease("stop", "-t", "1s", "held").returncode == 0, "and is started and stopped")
    time.sleep(2)
    check("stopped" in lease.state("held"), "and stays stopped", lease.state("held"))
    lease("rm", "held")


def health(lease):
    done = lease("run", "-d", "--name", "well", "--for", "300s", "--restart", "on-failure:1", "--health-cmd", "test -e /root/well", "--health-interval", "1s",
                 "--health-retries", "2", "--health-start-period", "15s", "--stop-timeout", "1s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease with a check", done.stderr)
    check("starting" in lease.state("well"), "lease status says starting", lease.state("well"))
    need(lease("exec", "well", "--", "touch", "/root/well").returncode == 0, "it becomes well")
    check(wait_for(lambda: "healthy" in lease.state("well"), 10, 0.5), "and healthy", lease.state("well"))
    check(shown(lease, "well")["health"] == "healthy", "which lease show says, too", shown(lease, "well"))
    need(lease("exec", "well", "--", "rm", "/root/well").returncode == 0, "it falls ill")
    check(wait_for(lambda: "restarted 1 times" in lease.state("well"), 40, 0.5), "and is run again", lease.state("well"))
    check(wait_for(lambda: "unhealthy" in lease.state("well"), 40, 0.5), "once: then that is only said", lease.state("well"))
    check("unhealthy" in lease("ls").stdout, "by lease ls, too", lease("ls").stdout)
    lease("rm", "well")


def terminal(lease):
    done = lease("run", "-t", "--for", "60s", "busybox", "--", "sh", "-c", "test -t 0 && test -t 1 && stty size; exit 5")
    check(done.returncode == 5 and done.stdout == "24 80\n" or done.stdout == "24 80\r\n", "lease run -t gives a terminal", f"{done.returncode} {done.stdout!r}")


def test(w: World):
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(4000)
    foreground(lease)
    agent_dies(lease, provider)
    owner_ends(lease)
    health(lease)
    terminal(lease)
    provider.stop()


main(test)
