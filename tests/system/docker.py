#!/usr/bin/env python3
"""The main job with Docker: paid, run, entered, copied, halted, ended and erased, with two backends at one agent."""

import json
import pathlib
import re
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import MAKE_IMAGE, Buyer, Provider
from stranger import leases_of, left_of

HOST, PUBLIC, RESOLVER = "8.8.8.1", "8.8.8.8", "9.9.9.9"
SECOND = """
[offer plain]
backend = oci
price = 1sat/s
image = busybox=oci:%s
cpu = 500m
memory = 64Mi
disk = 64Mi
"""


def served(w, outside, url):
    script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=3).read().decode())"
    return wait_for(lambda: "served" in w.run("nsenter", "-t", outside, "-n", "python3", "-c", script).stdout, 10, 0.5)


def offers(w, provider, lease):
    found = {o["offer"]: o for o in (json.loads(line) for line in lease("--json", "offers").stdout.splitlines())}
    need(set(found) == {"small", "plain"}, "two offers of one agent", found)
    check(found["small"]["backend"] == "docker" and found["small"]["runtime"].startswith("docker "), "one says Docker, and which",
          found["small"])
    check(found["plain"]["backend"] == "oci" and "runc" in found["plain"]["runtime"], "the other a runtime", found["plain"])
    check("user-namespace" in found["plain"]["guards"] and "user-namespace" not in found["small"]["guards"],
          "Docker's promises no user namespace", found["small"]["guards"])
    done = provider.ctl("doctor")
    check(re.search(r"^ok +docker: version \d", done.stdout, re.M) and "docker: users" in done.stdout, "doctor looks at the daemon",
          done.stdout)
    done = provider.ctl("check-config")
    check("backend = oci" in done.stdout and "backend = docker" in done.stdout, "check-config prints both", done.stdout[-800:])


def attached(provider, lease):
    done = lease("run", "--offer", "small", "--for", "30s", "-e", "WORD=purple", "busybox", "--", "sh", "-c",
                 "echo $WORD; echo to err >&2; touch /root/x /mine; exit 7")
    need(done.returncode == 7, "lease run exits as its command does", f"{done.returncode} {done.stderr}{provider.log()}")
    check("purple" in done.stdout and "to err" in done.stderr, "its streams are apart", done.stdout + done.stderr)
    check("erased" in done.stderr and "receipt" in done.stderr, "it is erased, with a receipt", done.stderr)
    done = lease("run", "--offer", "small", "--for", "30s", "busybox", "--", "no-such-program")
    check(done.returncode != 0 and "back" in done.stderr, "a command that is not there is paid back", done.stderr)


def inside(w, provider, lease, outside, docker):
    done = lease("run", "-d", "--offer", "small", "--name", "box", "--for", "1500s", "-p", "20001:8080", "busybox", "--", "sh", "-c",
                 "echo begin; echo served >/index.html; busybox httpd -p 8080 -h /; while :; do sleep 0.1; done")
    need(done.returncode == 0, "a lease that stays", done.stderr + provider.log())
    names = docker("ps", "--format", "{{.Names}} {{.Label \"lease.owner\"}}").stdout.split()
    check(len(names) == 2 and names[0].startswith("leased-") and names[1] == str(provider.dir / "state"), "is a container of Docker",
          names)
    done = lease("run", "-d", "--offer", "plain", "--name", "other", "--for", "1500s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0 and len(docker("ps", "--quiet").stdout.split()) == 1, "that of the other offer is not", done.stderr)
    check(served(w, outside, f"http://{HOST}:20001/"), "a published port is reached from outside")
    done = lease("exec", "-i", "box", "--", "sh", "-c", "cat; cat /proc/1/comm; exit 3", input="given\n")
    check(done.returncode == 3 and done.stdout == "given\nsh\n", "lease exec: input, output, exit status", f"{done}")
    done = lease("exec", "box", "--", "busybox", "ip", "-o", "link")
    check("eth0" in done.stdout and "up0" not in done.stdout, "a network of its own", done.stdout + done.stderr)
    (w.dir / "here").write_text("a file\n")
    done = lease("cp", str(w.dir / "here"), "box:/root/there")
    check(done.returncode == 0 and lease("exec", "box", "--", "cat", "/root/there").stdout == "a file\n", "lease cp into it", done.stderr)
    done = lease("cp", "box:/root/there", str(w.dir / "back"))
    check(done.returncode == 0 and (w.dir / "back").read_text() == "a file\n", "and out of it", done.stderr)
    check("begin" in lease("logs", "box").stdout, "lease logs")
    one = json.loads(lease("--json", "stats", "box").stdout or "{}")
    check(one.get("memory", 0) > 0 and one.get("pids", 0) >= 1 and one.get("disk_size", 0) > 0, "lease stats says what it uses", one)
    done = lease("verify-isolation", "box")
    check(done.returncode == 0, "lease verify-isolation finds what the offer promises", done.stdout + done.stderr)
    done = lease("run", "--in", "box", "busybox", "--", "true")
    check(done.returncode != 0 and "no other image" in done.stderr, "another image beside it is refused, and why", done.stderr)


def stored(w, provider, lease):
    """Storage of every kind: over a larger disk, a stop and another image."""
    need(lease("volume", "create", "data", "--size", "16Mi", "--for", "900s", "--max-risk", "1h").returncode == 0, "a kept volume")
    done = lease("run", "-d", "--offer", "small", "--name", "disk", "--for", "900s", "-v", "own:/own", "-v", "/anon", "--tmpfs",
                 "/fast:size=1Mi,mode=0700", "-v", "kept:data:/data", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease with storage of every kind", done.stderr)
    done = lease("exec", "disk", "--", "sh", "-c", "stat -c %a /fast; mkdir /data/part /srv; for d in own anon data/part srv root; do "
                 "echo $d >/$d/x; done; echo gone >/x; echo gone >/fast/x")
    check(done.returncode == 0 and done.stdout == "700\n", "it writes to all of them", done.stdout + done.stderr)
    (w.dir / "copied").write_text("by cp\n")
    check(all(lease("cp", str(w.dir / "copied"), f"disk:{d}").returncode == 0 for d in ("/own", "/data/part", "/srv")), "lease cp into them")
    done = lease("run", "-d", "--offer", "small", "--name", "part", "--for", "300s", "-v", "kept:data:/part:ro,subpath=part", "busybox",
                 "--", "sleep", "1000")
    need(done.returncode == 0, "another lease has a folder of the kept one", done.stderr)
    done = lease("exec", "part", "--", "sh", "-c", "cat /part/x /part/copied; touch /part/y 2>/dev/null || echo fixed")
    check(done.stdout == "data/part\nby cp\nfixed\n", "reads it, and writes nothing", done.stdout + done.stderr)
    check(lease("mounts", "set", "disk", "/root,/srv,/anon").returncode == 0, "two more paths shall stay")
    grown = lease("grow", "disk", "128Mi")
    need(lease("stop", "-t", "1s", "disk").returncode == 0, "it is stopped")
    if grown.returncode != 0 and "not while it runs" in grown.stderr:
        grown = lease("grow", "disk", "128Mi")
    check(grown.returncode == 0 and "its disk has 128Mi" in grown.stderr, "its disk grows", grown.stderr)
    done = lease("start", "--image", "second", "disk")
    need(done.returncode == 0, "and started with another image", done.stderr)
    done = lease("exec", "disk", "--", "sh", "-c", "cat /own/x /anon/x /data/part/x /srv/x /root/x; ls /x /fast/x 2>/dev/null; "
                 "cat /own/copied /srv/copied; dd if=/dev/zero of=/own/fill bs=1M count=80 2>&1 | grep space")
    check(done.stdout == "own\nanon\ndata/part\nsrv\nroot\nby cp\nby cp\n", "all of it is there, with more room, and nothing else",
          done.stdout + done.stderr)
    done = lease("cp", "disk:/data/part/copied", str(w.dir / "out"))
    check(done.returncode == 0 and (w.dir / "out").read_text() == "by cp\n", "lease cp out of it", done.stderr)
    for name in ("disk", "part"):
        check("erased" in lease("rm", name).stderr, f"lease rm {name}: erased")
    done = lease("volume", "rm", "data")
    left = [row["lease"] for row in leases_of(provider).values() if (provider.dir / "state" / "volumes" / row["lease"]).exists()
            and row["state"] != "running"]
    check(done.returncode == 0 and not left, "and so is the kept volume: nothing of them is on the disk", f"{done.stderr} {left}")


def halted(lease):
    done = lease("stop", "-t", "5s", "box")
    need(done.returncode == 0, "lease stop", done.stderr)
    done = lease("start", "box")
    check(done.returncode == 0, "lease start", done.stderr)
    check(lease("exec", "box", "--", "cat", "/root/there").stdout == "a file\n", "its files are kept")
    done = lease("topup", "--for", "30s", "box")
    check(done.returncode == 0, "lease topup", done.stderr)


def restarted(provider, lease):
    provider.stop(sig=signal.SIGKILL)
    time.sleep(1)
    provider.start()
    check("running" in lease.state("box") and "running" in lease.state("other"), "after kill -9 of leased both are there", provider.log())
    done = lease("exec", "box", "--", "cat", "/root/there")
    check(done.stdout == "a file\n", "and can be used", done.stderr)


def deadline(provider, lease, docker):
    """The keeper ends it: nobody else is there."""
    done = lease("run", "-d", "--offer", "small", "--name", "brief", "--for", "25s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a short lease", done.stderr)
    name = "leased-" + json.loads(lease("show", "brief").stdout.splitlines()[0])["lease"]
    provider.stop(sig=signal.SIGKILL)
    running = ("ps", "--quiet", "--filter", f"name={name}")
    check(docker(*running).stdout.strip(), "it runs while leased is dead")
    check(wait_for(lambda: not docker(*running).stdout.strip(), 25, 0.5), "and ends at its deadline without it")
    provider.start()
    check(wait_for(lambda: "ended" in lease.state("brief"), 25, 0.5), "which leased finds", lease.state("brief"))


def daemon_dead(w, provider, lease, docker):
    """New ones are refused unpaid; what runs is not ended on doubt."""
    w.stop("dockerd", sig=signal.SIGKILL)
    before = lease.balance()
    done = lease("run", "--offer", "small", "--for", "30s", "busybox", "--", "true", timeout=200)
    refused = done.returncode == 4 and "does not answer" in done.stderr
    check((refused or done.returncode == 11) and before - lease.balance() <= 2,  # 11: its offer says so by now
          "without the daemon a lease is refused, and nothing is paid", f"{done.returncode} {done.stderr} {before} {lease.balance()}")
    check("running" in lease.state("box"), "and what runs is left alone", lease.state("box"))
    w.dockerd()
    done = lease("exec", "box", "--", "cat", "/root/there")
    check(done.stdout == "a file\n", "with the daemon back it can be used", done.stderr)
    check(wait_for(lambda: all(row["state"] in ("ended", "refused", "running") for row in leases_of(provider).values()), 60, 1),
          "and what failed meanwhile is erased", leases_of(provider))


def ended(w, provider, lease, docker):
    for name in ("box", "other"):
        done = lease("rm", name)
        check(done.returncode == 0 and "erased" in done.stderr, f"lease rm {name}: erased", done.stderr)
    check(not docker("ps", "--all", "--quiet").stdout.strip(), "Docker has no container", docker("ps", "--all").stdout)
    images = docker("images", "--all", "--quiet", "--no-trunc").stdout.split()
    check(len(images) <= 1, "and no image but the one that holds nothing", images)
    check(not docker("volume", "ls", "--quiet").stdout.strip(), "and no volume")
    provider.stop()
    w.stop("dockerd")
    check(not left_of(w), "nothing is left on the host", "\n".join(left_of(w)))


def test(w: World):
    docker = w.dockerd()
    outside = w.internet(HOST, PUBLIC, f"{RESOLVER}/32")
    net = w.devnet()
    second = w.dir / "second"
    need(w.run(MAKE_IMAGE, w.dir / "busybox").returncode == 0, "an image")
    shutil.copytree(w.dir / "busybox", second)
    provider = Provider(w, [net.relay], [net.mint],
                        settings=("runtime.backend=docker", f"runtime.docker={w.docker_host}", "network.mode=internet",
                                  f"network.resolver={RESOLVER}", "network.publish_ports=20000-20009",
                                  f"network.publish_address={HOST}", "offer.volume_price=16sat/s", "offer.disk_max=256Mi",
                                  f"offer.image=second=oci:{second}"))
    with open(provider.config, "a", encoding="utf-8") as f:
        f.write(SECOND % (w.dir / "busybox"))
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(5000)
    offers(w, provider, lease)
    attached(provider, lease)
    inside(w, provider, lease, outside, docker)
    stored(w, provider, lease)
    halted(lease)
    restarted(provider, lease)
    deadline(provider, lease, docker)
    daemon_dead(w, provider, lease, docker)
    ended(w, provider, lease, docker)


main(test)
