#!/usr/bin/env python3
"""The tenant network: a lease reaches the Internet, and nothing else; a second network namespace plays the Internet."""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider

PUBLIC, RESOLVER, HOST, PRIVATE = "8.8.8.8", "9.9.9.9", "8.8.8.1", "10.9.9.9"
PREFIX6, HOST6, PUBLIC6 = "2a00:9999:0:1::", "2606::1", "2606::2"


def make_internet(w):
    """The outside, with IPv6, and web servers and a resolver's port behind it."""
    outside = w.internet(HOST, PUBLIC, f"{RESOLVER}/32", f"{PRIVATE}/32")
    for address, where in ((HOST6, None), (PUBLIC6, outside)):
        w.ip("addr", "add", f"{address}/64", "dev", "up0", "nodad", where=where)
    w.ip("route", "add", f"{PREFIX6}/64", "via", HOST6, where=outside)
    page = w.dir / "page"
    page.mkdir()
    (page / "index.html").write_text("from outside\n")
    for port in (80, 53, 25):
        w.start(f"port-{port}", "nsenter", "-t", outside, "-n", "python3", "-m", "http.server", port, "--directory", page)
    w.start("port-host", "python3", "-m", "http.server", 8088, "--directory", page)
    return outside


def links(w):
    return [line for line in w.run("ip", "-o", "link").stdout.splitlines() if ": ls" in line]


def from_outside(w, outside, url):
    script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=3).read().decode())"
    return w.run("nsenter", "-t", outside, "-n", "python3", "-c", script).stdout


def served(w, outside, url):
    """A server inside may begin a moment after its lease, and the first packets of a new link may be lost."""
    return wait_for(lambda: "served" in from_outside(w, outside, url), 10, 0.5)


def shown(lease, name):
    """What a lease publishes, as the buyer's book has it."""
    return json.loads(lease("show", name).stdout.splitlines()[0])


def ports(w, provider, lease, outside):
    chosen = shown(lease, "two")
    check(chosen["address"] == HOST and 20000 <= chosen["ports"][0]["outside"] <= 20009, "a port is chosen and told", chosen)
    extra, unused = [p for p in (20002, 20008, 20009) if p != chosen["ports"][0]["outside"]][:2]
    for port in (20001, chosen["ports"][0]["outside"]):
        check(served(w, outside, f"http://{HOST}:{port}/"), f"port {port} is reached")
    check(served(w, outside, f"http://[{chosen['address6']}]:8080/"), "also by IPv6", chosen)
    check(not from_outside(w, outside, f"http://{HOST}:{unused}/"), "and no other")
    before = lease.balance()
    done = lease("run", "-d", "--for", "60s", "-p", "20001:80", "busybox", "--", "sleep", "60")
    check(done.returncode != 0 and "20001/tcp is taken" in done.stderr, "a port that is taken is refused", done.stderr)
    check(wait_for(lambda: before - lease.balance() <= 10, 10), "and costs no more than the mint's fees", (before, lease.balance()))
    done = lease("port", "add", "one", f"{extra}:8080", "53/udp")
    check(f"8080/tcp -> {HOST}:{extra}" in done.stdout, "a port is added while the lease runs", done.stdout + done.stderr)
    check(served(w, outside, f"http://{HOST}:{extra}/"), "and is reached")
    done = lease("port", "rm", "one", f"{extra}:8080")
    check(done.returncode == 0 and f"8080/tcp -> {HOST}:{extra}" not in done.stdout, "and taken away", done.stdout + done.stderr)
    check(not from_outside(w, outside, f"http://{HOST}:{extra}/"), "then it is not reached")
    need(lease("stop", "-t", "1s", "one").returncode == 0 and lease("start", "one").returncode == 0, "lease stop and start")
    check(served(w, outside, f"http://{HOST}:20001/"), "ports outlive stop and start")
    done = lease("run", "--for", "30s", "--network", "none", "busybox", "--", "busybox", "ip", "-o", "link")
    check("lo:" in done.stdout and "eth0" not in done.stdout, "--network none has no network", done.stdout + done.stderr)
    for sport, what in ((10050, "source ports 10000-10099"), (20001, "published port 20001/tcp")):
        done = provider.ctl("who", "--at", int(time.time()), "--sport", sport)
        check("npub1" in done.stdout and what in done.stdout, f"leasectl who knows port {sport}", done.stdout + done.stderr)
    check(provider.ctl("who", "--at", 1000, "--sport", 10050).returncode == 3, "and that nobody had it before")


def flush(w, when):
    """Another program throws all rules away."""
    mine = ("nft", "list", "chain", "inet", "leased_0ad30000", "egress")
    need(w.run("nft", "flush", "ruleset").returncode == 0, "nft flush ruleset")
    check(wait_for(lambda: "drop" in w.run(*mine).stdout, 10), f"rules that another program removed are loaded again{when}")


def healing(w, provider, get):
    flush(w, "")
    check(wait_for(lambda: "from outside" in get("one", f"http://{PUBLIC}/").stdout, 5), "a lease reaches the Internet again")
    check(get("one", f"http://{PRIVATE}/").returncode != 0, "but no private address")
    check("ALARM" in provider.log(), "which alarms", provider.log())


def scanner(w, provider, lease, get):
    """More than a hundred addresses in ten seconds, by few processes at once; a slow machine may need another try."""
    def scan(n):
        lease("exec", "two", "--", "busybox", "sh", "-c",
              f"for i in $(busybox seq 1 120); do busybox nc 20.1.{n}.$i 9 </dev/null & "
              "[ $((i % 40)) = 0 ] && { busybox sleep 0.5; kill $(jobs -p); wait; }; done 2>/dev/null")
        return wait_for(lambda: json.loads(lease("--json", "status", "two").stdout).get("network") == "cut", 3)

    check(any(scan(n) for n in range(1, 6)), "a scanner is cut off", provider.log())
    check("two" in lease("ls").stdout and "cut off" in lease("ls").stdout, "its owner sees it")
    check("1 leases are cut off" in provider.ctl("status").stdout, "and the operator", provider.ctl("status").stdout)
    check(get("two", f"http://{PUBLIC}/").returncode != 0, "it reaches nothing")
    check(wait_for(lambda: "from outside" in get("one", f"http://{PUBLIC}/").stdout, 5), "the others do")
    check(wait_for(lambda: lease("reconnect", "two").returncode == 0, 10), "after a pause its owner joins it again")
    check(wait_for(lambda: "from outside" in get("two", f"http://{PUBLIC}/").stdout, 10), "and it reaches the Internet")


def another_firewall(w, provider, get):
    """As Docker leaves one: what is forwarded is dropped, unless somebody says otherwise."""
    done = provider.ctl("doctor")
    check("ok    firewall: " in done.stdout, "leasectl doctor finds no other firewall",
          [line for line in done.stdout.splitlines() if "firewall" in line])
    for rule in ("add table ip filter", "add chain ip filter DOCKER-USER",
                 "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
                 "add rule ip filter FORWARD jump DOCKER-USER"):
        need(w.run("nft", rule).returncode == 0, f"nft {rule}")
    done = provider.ctl("doctor")
    check("fail  firewall: table ip filter, chain FORWARD drops what leases forward" in done.stdout and
          "DOCKER-USER -i ls0ad300-+" in done.stdout, "one that drops is found, with a remedy", done.stdout)
    check(get("one", f"http://{PUBLIC}/").returncode != 0, "it does drop")
    for way in ("iifname", "oifname"):
        w.run("nft", f'insert rule ip filter DOCKER-USER {way} "ls0ad300-*" accept')
    done = provider.ctl("doctor")
    check("ok    firewall: " in done.stdout, "with the remedy nothing is found",
          [line for line in done.stdout.splitlines() if "firewall" in line])
    check(wait_for(lambda: "from outside" in get("one", f"http://{PUBLIC}/").stdout, 5), "and nothing is dropped")
    w.run("nft", "delete table ip filter")


def usage(w, provider, lease):
    done = lease("--json", "stats", "one")
    one = json.loads(done.stdout or "{}")
    check(one.get("net_in", 0) > 100 and one["net_out"] > 100 and one["pids"] >= 1 and one["memory"] > 0 and one["disk_size"] > 0,
          "lease stats says what a lease uses", done.stdout + done.stderr)
    done = lease("stats")
    check([line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "one", "two"], "and of all", done.stdout + done.stderr)
    done = provider.ctl("stats")
    check(len(done.stdout.splitlines()) == 4 and done.stdout.splitlines()[-1].startswith("all "), "leasectl stats adds up",
          done.stdout + done.stderr)
    limits = w.run("nft", "list", "limits").stdout
    check("1000000 bytes/second" in limits and "2000000 bytes/second" in limits, "its bandwidth is limited each way", limits)


def test(w: World):
    outside = make_internet(w)
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint],
                        settings=("network.mode=internet", f"network.resolver={RESOLVER}", "network.source_ports=100",
                                  "network.publish_ports=20000-20009", f"network.publish_address={HOST}",
                                  "network.reconnect_pause=1s", f"network.prefix6={PREFIX6}/64"))
    provider.start()
    flush(w, ", also without a lease")
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(5000)
    check("internet" in lease("--json", "offers").stdout, "the offer says that leases have a network")
    check('"ports":10' in lease("--json", "offers").stdout, "and how many ports it may publish")
    for name, port, *more in (("one", "20001:8080", "--bandwidth-in", "1M", "--bandwidth-out", "2M"), ("two", "8080")):
        done = lease("run", "-d", "--name", name, "--for", "1500s", "-p", port, *more, "busybox", "--", "sh", "-c",
                     "echo served >/tmp/index.html; busybox httpd -f -p 8080 -h /tmp")
        need(done.returncode == 0, f"lease run {name}", done.stderr + provider.log())
    check(len(links(w)) == 2, "each lease has a link", links(w))

    def get(name, url):
        return lease("exec", name, "--", "busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-", url)

    check(wait_for(lambda: "from outside" in get("one", f"http://{PUBLIC}/").stdout, 5), "a lease reaches the Internet", provider.log())
    check(wait_for(lambda: "from outside" in get("one", f"http://{RESOLVER}:53/").stdout, 5), "and port 53 of the resolver")
    check(RESOLVER in lease("exec", "one", "--", "cat", "/etc/resolv.conf").stdout, "which its resolv.conf names")
    own = lease("exec", "two", "--", "busybox", "ip", "-o", "-4", "addr", "show", "eth0").stdout.split()
    theirs = own[own.index("inet") + 1].split("/")[0] if "inet" in own else "0.0.0.0"
    check(wait_for(lambda: "served" in get("two", f"http://{theirs}:8080/").stdout, 5), "a lease serves itself", own)
    for what, url in (("port 53 elsewhere", f"http://{PUBLIC}:53/"), ("a private address", f"http://{PRIVATE}/"),
                      ("the host", f"http://{HOST}:8088/"), ("its relay", f"http://{HOST}:{net.relay.rsplit(':', 1)[1]}/"),
                      ("a mail server", f"http://{PUBLIC}:25/"), ("another lease", f"http://{theirs}:8080/")):
        done = get("one", url)
        check(done.returncode != 0 and not done.stdout, f"but not {what}", done.stdout + done.stderr)
    check(lease("exec", "one", "--", "busybox", "ip", "addr", "add", "8.8.8.77/32", "dev", "eth0").returncode != 0,
          "and cannot change its addresses")

    usage(w, provider, lease)
    another_firewall(w, provider, get)
    ports(w, provider, lease, outside)
    provider.stop(sig=9)
    provider.start()
    check(served(w, outside, f"http://{HOST}:20001/"), "after kill -9 of leased ports are published")
    check(wait_for(lambda: "from outside" in get("one", f"http://{PUBLIC}/").stdout, 5), "after kill -9 of leased the network is still there")
    healing(w, provider, get)
    scanner(w, provider, lease, get)
    provider.ctl("stop", shown(lease, "two")["lease"], "--reason", "a test")
    done = lease("stats")
    check([line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "one"] and done.returncode == 0 and "two: " in done.stderr,
          "lease stats leaves out what the provider has ended, and says so", done.stdout + done.stderr)
    check(lease("stats", "two").returncode == 4, "and refuses to show it alone")
    for name in ("one", "two"):
        lease("rm", name)
    done = provider.ctl("who", "--at", int(time.time()) - 1, "--sport", 10050)
    check("npub1" in done.stdout, "who it was is known when the lease has ended", done.stdout + done.stderr)
    check("20001" not in w.run("nft", "list", "map", "inet", "leased_0ad30000", "published").stdout, "its port has gone")
    check(wait_for(lambda: not links(w), 10), "with the leases their links go", links(w))
    mine = w.run("nft", "list", "set", "inet", "leased_0ad30000", "mine")
    check(mine.returncode == 0 and '"ls' not in mine.stdout, "and their elements", mine.stdout + mine.stderr)
    provider.stop()
    check("leased_" not in w.run("nft", "list", "tables").stdout, "and with the agent its table", provider.log())


main(test)
