#!/usr/bin/env python3
"""The tenant network: a lease reaches the Internet, and nothing else; a second network namespace plays the Internet."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider

PUBLIC, RESOLVER, HOST, PRIVATE = "8.8.8.8", "9.9.9.9", "8.8.8.1", "10.9.9.9"


def ip(w, *argv, where=None):
    """ip(8), here or in the namespace of the process `where`."""
    done = w.run(*(("nsenter", "-t", where, "-n") if where else ()), "ip", *argv)
    need(done.returncode == 0, f"ip {' '.join(map(str, argv))}", done.stderr) if done.returncode else None


def make_internet(w):
    """A link out of this namespace, and web servers and a resolver's port behind it."""
    held = w.start("internet", "unshare", "-n", "sh", "-c", "echo up; exec sleep 600")
    need(wait_for(lambda: "up" in w.log("internet"), 5), "a second namespace")
    ip(w, "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", held.pid)
    ip(w, "addr", "add", f"{HOST}/24", "dev", "up0")
    ip(w, "link", "set", "up0", "up")
    ip(w, "route", "add", "default", "via", PUBLIC)
    for address in (f"{PUBLIC}/24", f"{RESOLVER}/32", f"{PRIVATE}/32"):
        ip(w, "addr", "add", address, "dev", "up0", where=held.pid)
    ip(w, "link", "set", "up0", "up", where=held.pid)
    ip(w, "link", "set", "lo", "up", where=held.pid)
    ip(w, "route", "add", "default", "via", HOST, where=held.pid)
    page = w.dir / "page"
    page.mkdir()
    (page / "index.html").write_text("from outside\n")
    for port in (80, 53, 25):
        w.start(f"port-{port}", "nsenter", "-t", held.pid, "-n", "python3", "-m", "http.server", port, "--directory", page)
    w.start("port-host", "python3", "-m", "http.server", 8088, "--directory", page)


def links(w):
    return [line for line in w.run("ip", "-o", "link").stdout.splitlines() if ": ls" in line]


def test(w: World):
    make_internet(w)
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint],
                        settings=("network.mode=internet", f"network.resolver={RESOLVER}", "network.source_ports=100"))
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(2000)
    check("internet" in lease("--json", "offers").stdout, "the offer says that leases have a network")
    for name in ("one", "two"):
        done = lease("run", "-d", "--name", name, "--for", "120s", "busybox", "--", "sh", "-c",
                     "echo served >/tmp/index.html; busybox httpd -f -p 8080 -h /tmp")
        need(done.returncode == 0, f"lease run {name}", done.stderr + provider.log())
    check(len(links(w)) == 2, "each lease has a link", links(w))

    def get(name, url):
        return lease("exec", name, "--", "busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-", url)

    done = get("one", f"http://{PUBLIC}/")
    check("from outside" in done.stdout, "a lease reaches the Internet", done.stderr + provider.log())
    check("from outside" in get("one", f"http://{RESOLVER}:53/").stdout, "and port 53 of the resolver")
    check(RESOLVER in lease("exec", "one", "--", "cat", "/etc/resolv.conf").stdout, "which its resolv.conf names")
    own = lease("exec", "two", "--", "busybox", "ip", "-o", "-4", "addr", "show", "eth0").stdout.split()
    theirs = own[own.index("inet") + 1].split("/")[0] if "inet" in own else "0.0.0.0"
    check("served" in get("two", f"http://{theirs}:8080/").stdout, "a lease serves itself", own)
    for what, url in (("port 53 elsewhere", f"http://{PUBLIC}:53/"), ("a private address", f"http://{PRIVATE}/"),
                      ("the host", f"http://{HOST}:8088/"), ("its relay", f"http://{HOST}:{net.relay.rsplit(':', 1)[1]}/"),
                      ("a mail server", f"http://{PUBLIC}:25/"), ("another lease", f"http://{theirs}:8080/")):
        done = get("one", url)
        check(done.returncode != 0 and not done.stdout, f"but not {what}", done.stdout + done.stderr)
    check(lease("exec", "one", "--", "busybox", "ip", "addr", "add", "8.8.8.77/32", "dev", "eth0").returncode != 0,
          "and cannot change its addresses")

    provider.stop(sig=9)
    provider.start()
    check("from outside" in get("one", f"http://{PUBLIC}/").stdout, "after kill -9 of leased the network is still there")
    for name in ("one", "two"):
        lease("rm", name)
    check(wait_for(lambda: not links(w), 10), "with the leases their links go", links(w))
    mine = w.run("nft", "list", "set", "inet", "leased_0ad30000", "mine")
    check(mine.returncode == 0 and '"ls' not in mine.stdout, "and their elements", mine.stdout + mine.stderr)
    provider.stop()
    check("leased_" not in w.run("nft", "list", "tables").stdout, "and with the agent its table", provider.log())


main(test)
