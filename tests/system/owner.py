#!/usr/bin/env python3
"""What an owner does to a running lease: Ctrl-C, signals, stop and start, over kill -9 and expiry; on lease-devnet."""

import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider

CATCH = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done"


class Attached:
    """A `lease run` in the foreground, whose terminal we are."""

    def __init__(self, buyer, *argv):
        self.out = buyer.home / "attached.out"
        self.err = buyer.home / "attached.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([str(buyer.program), "run", *argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            env=buyer.w.env(LEASE_HOME=buyer.home))

    def says(self, word, seconds=20):
        return wait_for(lambda: word in self.out.read_text() + self.err.read_text(), seconds)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds=20):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def interrupts(lease):
    run = Attached(lease, "--for", "60s", "busybox", "--", "sh", "-c", CATCH)
    need(run.says("ready"), "an attached command runs", run.err.read_text())
    run.interrupt()
    check(run.says("caught"), "the first Ctrl-C goes to the command", run.out.read_text() + run.err.read_text())
    status = run.end()
    check(status == 9 and "erased" in run.err.read_text(), "whose end is the lease's", f"{status} {run.err.read_text()}")

    run = Attached(lease, "--name", "deaf", "--for", "60s", "busybox", "--", "sh", "-c", "trap '' INT; echo ready; sleep 1000")
    need(run.says("ready"), "a command that ignores it runs", run.err.read_text())
    run.interrupt()
    check(run.says("once more detaches"), "the first Ctrl-C says what the second does", run.err.read_text())
    time.sleep(1)
    run.interrupt()
    status = run.end()
    check(status == 130 and "detached" in run.err.read_text(), "the second detaches", f"{status} {run.err.read_text()}")
    check("running" in lease.state("deaf"), "and the lease runs", lease.state("deaf"))
    done = lease("kill", "deaf")
    check(done.returncode == 0, "lease kill kills its command", done.stderr)
    check(wait_for(lambda: "exited" in lease.state("deaf"), 10, 0.5), "and only that", lease.state("deaf"))
    check(lease("kill", "-s", "STOP", "deaf").returncode == 2, "a signal that may not be sent is wrong usage")
    lease("rm", "deaf")


def stop_and_start(lease, provider):
    script = "cat /root/kept; echo run; while :; do sleep 0.1; done"
    done = lease("run", "-d", "--name", "box", "--for", "120s", "busybox", "--", "sh", "-c", script)
    need(done.returncode == 0, "a lease to stop", done.stderr)
    need(lease("exec", "box", "--", "sh", "-c", "echo kept > /root/kept").returncode == 0, "a file is written in it")
    done = lease("stop", "-t", "1s", "box")
    check(done.returncode == 0 and "full price" in done.stderr, "lease stop says that its time goes on", done.stderr)
    check("stopped" in lease.state("box"), "lease status says stopped", lease.state("box"))
    check("stopped" in lease("ls").stdout, "and so does lease ls", lease("ls").stdout)
    check(json.loads(lease("show", "box").stdout.splitlines()[0])["state"] == "stopped", "and lease show")
    check("stopped" in provider.ctl("leases").stdout, "and leasectl leases", provider.ctl("leases").stdout)
    check(lease("exec", "box", "--", "true").returncode != 0, "nothing runs in it")
    provider.stop(sig=signal.SIGKILL)
    time.sleep(1)
    provider.start()
    check("stopped" in lease.state("box"), "after kill -9 of leased it is still stopped", provider.log())
    done = lease("start", "box")
    check(done.returncode == 0, "lease start runs it again", done.stderr)
    check("running" in lease.state("box"), "and it runs", lease.state("box"))
    check(wait_for(lambda: "kept" in lease("logs", "box").stdout, 10, 0.5), "with the file that was written before",
          lease("logs", "box").stdout)
    check(lease("logs", "box").stdout.count("run") == 2, "and the log goes on", lease("logs", "box").stdout)
    done = lease("rm", "box")
    check(done.returncode == 0 and "erased" in done.stderr, "lease rm ends it", done.stderr)


def stopped_expires(w, lease, provider):
    done = lease("run", "-d", "--name", "brief", "--for", "15s", "busybox", "--", "sh", "-c", "while :; do sleep 0.1; done")
    need(done.returncode == 0, "a short lease", done.stderr)
    check(lease("stop", "-t", "1s", "brief").returncode == 0, "that is stopped")
    one = json.loads(lease("show", "brief").stdout.splitlines()[0])["lease"]
    check(wait_for(lambda: "ended" in lease.state("brief"), 30, 0.5), "expires all the same", lease.state("brief"))
    left = [str(p) for p in w.dir.rglob(f"*{one}*")]
    left += [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if one in line]
    check(not left, "and is erased", "\n".join(left))


def docker_words(lease):
    for option, word in (("-it", "terminal"), ("-i", "standard input"), ("-p8080:80", "ports"), ("-vdata:/x", "volumes")):
        done = lease("run", option, "busybox")
        check(done.returncode == 2 and word in done.stderr, f"lease run {option} says what is not offered", done.stderr)


def end_under_way(lease, provider):
    """The agent ends while it works for somebody; a build with sanitizers would tell what it forgets to free."""
    need(lease("run", "-d", "--name", "busy", "--for", "60s", "busybox", "--", "sleep", "1000").returncode == 0, "one more lease")
    asking = subprocess.Popen([str(lease.program), "exec", "busy", "--", "sleep", "30"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=lease.w.env(LEASE_HOME=lease.home))
    time.sleep(1.5)
    status = provider.stop()
    asking.kill()
    asking.wait()
    check(status == 0 and "Sanitizer" not in provider.log(), "the agent ends in the middle of an exec", f"{status}\n{provider.log()}")
    provider.start()
    check(lease("rm", "busy").returncode == 0, "and goes on", provider.log())


def test(w: World):
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    docker_words(lease)
    lease.fund(2000)
    interrupts(lease)
    stop_and_start(lease, provider)
    stopped_expires(w, lease, provider)
    end_under_way(lease, provider)
    provider.stop()


main(test)
