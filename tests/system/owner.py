#!/usr/bin/env python3
"""What an owner does to a running lease: Ctrl-C, signals, stop and start, over kill -9 and expiry; on lease-devnet."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import below
from harness import PATIENCE, World, check, main, need, wait_for
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

    def end(self, seconds=60):
        try:
            return self.process.wait(PATIENCE * seconds)
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
    done = lease("run", "-d", "--name", "box", "--for", "300s", "busybox", "--", "sh", "-c", script)
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
    check(wait_for(lambda: lease("logs", "box").stdout.count("run") == 2, 10, 0.5), "and the log goes on", lease("logs", "box").stdout)
    check(lease("start", "box", "--", "true").returncode != 0, "another command does not start beside it")
    need(lease("stop", "-t", "1s", "box").returncode == 0, "it is stopped once more")
    done = lease("start", "box", "--", "sh", "-c", "cat /root/kept; echo other; sleep 1000")
    check(done.returncode == 0 and wait_for(lambda: "other" in lease("logs", "box").stdout, 10, 0.5),
          "another command starts in its place", done.stderr)
    done = lease("rm", "box")
    check(done.returncode == 0 and "erased" in done.stderr, "lease rm ends it", done.stderr)


def stopped_expires(w, lease, provider):
    done = lease("run", "-d", "--name", "brief", "--for", "25s", "busybox", "--", "sh", "-c", "while :; do sleep 0.1; done")
    need(done.returncode == 0, "a short lease", done.stderr)
    check(lease("stop", "-t", "1s", "brief").returncode == 0, "that is stopped")
    one = json.loads(lease("show", "brief").stdout.splitlines()[0])["lease"]
    check(wait_for(lambda: "ended" in lease.state("brief"), 40, 0.5), "expires all the same", lease.state("brief"))
    left = [str(p) for p in below(w.dir, one)]
    left += [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if one in line]
    check(not left, "and is erased", "\n".join(left))


def commands(lease):
    """Input larger than a request, Ctrl-C, and a command that stays."""
    need(lease("run", "-d", "--name", "cmds", "--for", "300s", "busybox", "--", "sleep", "1000").returncode == 0, "a lease for commands")
    data = os.urandom(20000)
    done = subprocess.run([str(lease.program), "exec", "-i", "cmds", "--", "sh", "-c", "cat; echo apart >&2"], input=data,
                          capture_output=True, timeout=PATIENCE * 60, env=lease.w.env(LEASE_HOME=lease.home))
    check(done.stdout == data and b"apart" in done.stderr, "lease exec -i carries 20 kB there and back", done.stderr[-300:])
    done = lease("exec", "--timeout", "5s", "cmds", "--", "sh", "-c", "echo begun; setsid sleep 98 & sleep 99")
    check(done.returncode == 124 and "begun" in done.stdout, "a timeout keeps what was said", f"{done.returncode} {done.stdout}")
    check(lease("exec", "cmds", "--", "sh", "-c", "ps | grep -c 'sleep 9[89]'").stdout == "0\n", "and kills all that was started")
    detached = lease("exec", "-d", "cmds", "--", "sleep", "97").stdout.strip()
    check(len(detached) == 32, "lease exec -d prints an id", detached)
    asking = subprocess.Popen([str(lease.program), "exec", "cmds", "--", "sh", "-c", "trap 'exit 7' INT; echo > /root/set; while :; do sleep 0.1; done"],
                              stdin=subprocess.DEVNULL, env=lease.w.env(LEASE_HOME=lease.home))
    check(wait_for(lambda: lease("exec", "cmds", "--", "cat", "/root/set").returncode == 0, 30, 0.5), "a command waits for Ctrl-C")
    asking.send_signal(signal.SIGINT)
    check(asking.wait(timeout=PATIENCE * 60) == 7, "which reaches it", asking.returncode)
    check(lease("exec", "cmds", "--", "sh", "-c", "ps | grep -c 'sleep 9[7]'").stdout == "1\n", "and not the others")
    check(lease("kill", "--exec", detached, "cmds").returncode == 0, "lease kill --exec ends one")
    check(lease("exec", "cmds", "--", "sh", "-c", "ps | grep -c 'sleep 9[7]'").stdout == "0\n", "which is gone")
    check(lease("kill", "--exec", detached, "cmds").returncode != 0, "and is not there to be killed again")
    beside(lease)
    lease("rm", "cmds")


def beside(lease):
    """Another image in the lease "cmds": own root, same network, nothing bought."""
    before = lease.balance()
    lease("exec", "-d", "cmds", "--", "sh", "-c", "while :; do echo from main | nc -l -p 7070; done")
    done = lease("run", "--in", "cmds", "-e", "A=b", "busybox", "--", "sh", "-c",
                 "until nc 127.0.0.1 7070; do sleep 0.1; done; test -e /root/set || echo $A; ps | grep -c 'sleep 100[0]'; exit 5")
    check(done.returncode == 5 and done.stdout == "from main\nb\n0\n", "lease run --in: own root, same network, its status",
          f"{done.returncode} {done.stdout} {done.stderr}")
    done = lease("run", "--in", "cmds", "-i", "busybox", "--", "cat", input="there and back")
    check(done.stdout == "there and back", "which is sent standard input", done.stderr)
    done = lease("--json", "exec", "cmds", "--", "sh", "-c", "printf 'a\\377'; echo why >&2; kill -9 $$")
    told = json.loads(done.stdout)
    check(done.returncode == 137 and told["signal"] == "KILL" and told["stderr"] == "why\n" and told["stdout_base64"] == "Yf8=",
          "lease --json exec tells the whole result", done.stdout)
    done = lease("run", "--in", "cmds", "notsold")
    check(done.returncode != 0 and "image" in done.stderr, "only of images that the offer has", done.stderr)
    done = lease("run", "--in", "cmds", "--budget", "5", "busybox")
    check(done.returncode == 2 and "--budget" in done.stderr, "and buys nothing", done.stderr)
    detached = lease("run", "--in", "cmds", "-d", "busybox", "--", "sleep", "96").stdout.strip()
    check(len(detached) == 32, "lease run --in -d prints an id", detached)
    check(lease("kill", "--exec", detached, "cmds").returncode == 0, "which lease kill --exec ends")
    check(lease("kill", "--exec", detached, "cmds").returncode != 0, "once")
    check(lease.balance() == before, "all of that for nothing")


def copies(w, lease):
    """Files there and back, larger than a request, by an image that needs no tar."""
    need(lease("run", "-d", "--name", "files", "--for", "300s", "busybox", "--", "sh", "-c",
               "rm /bin/tar; ln -s /etc/passwd /root/away; sleep 1000").returncode == 0, "a lease for files")
    here = w.dir / "here"
    (here / "sub").mkdir(parents=True)
    data = os.urandom(20000)
    (here / "sub" / "data").write_bytes(data)
    (here / "sub" / "program").write_text("#!/bin/sh\necho ran\n")
    (here / "sub" / "program").chmod(0o755)
    (here / "link").symlink_to("sub/data")
    done = lease("cp", str(here), "files:/root")
    check(done.returncode == 0, "lease cp copies a folder into a lease", done.stderr)
    check(lease("exec", "files", "--", "/root/here/sub/program").stdout == "ran\n", "with its modes")
    done = lease("cp", "files:root/here", str(w.dir / "back"))
    check(done.returncode == 0, "and out of it, under another name", done.stderr)
    check((w.dir / "back" / "sub" / "data").read_bytes() == data and os.readlink(w.dir / "back" / "link") == "sub/data",
          "as it was")
    done = lease("cp", "files:/root", str(w.dir / "all"))
    check(done.returncode == 0 and "left out" in done.stderr and not (w.dir / "all" / "away").is_symlink(),
          "a link that leads elsewhere does not come out", done.stderr)
    (here / "big").write_bytes(b"x" * 1100000)
    done = lease("cp", str(here / "big"), "files:/root")
    check(done.returncode == 1 and "1048576" in done.stderr, "more than relays carry is refused here", done.stderr)
    done = lease("cp", "files:/none", str(w.dir / "none"))
    check(done.returncode == 4 and "/none" in done.stderr, "what is not there is said", f"{done.returncode} {done.stderr}")
    check(lease("cp", "a", "b").returncode == 2, "lease cp between two files here is wrong usage")
    lease("rm", "files")


def docker_words(lease):
    for option, word in (("-it", "standard input"), ("-i", "standard input"), ("-v/here:/x", "lease cp")):
        done = lease("run", option, "busybox")
        check(done.returncode == 2 and word in done.stderr, f"lease run {option} says what is not offered", done.stderr)
    done = lease("run", "-p8080:80", "busybox")
    check(done.returncode == 11 and "no offer has the Internet" in done.stderr, "lease run -p wants an offer with a network", done.stderr)


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
    lease.fund(4000)
    interrupts(lease)
    commands(lease)
    copies(w, lease)
    stop_and_start(lease, provider)
    stopped_expires(w, lease, provider)
    end_under_way(lease, provider)
    provider.stop()


main(test)
