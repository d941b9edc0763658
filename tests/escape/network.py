"""The tenant network attacked: an outside that answers on addresses that no tenant may reach, and the table taken away."""
import os
import re
import signal
import subprocess

from world import BUILD, run

TABLE = ("inet", "leasedescape")
HOST, PUBLIC, RESOLVER, FOREIGN = "8.8.8.1", "8.8.8.8", "9.9.9.9", "8.8.4.4"
SPOOFED = "20.7.7.7"
METADATA = "169.254.169.254"
# One of each barred range that can be given to a link.
BARRED = ("10.9.9.9", "100.64.1.1", "172.16.1.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.1.1",
          "198.51.100.1", "203.0.113.1", "240.1.1.1")


def groups_of(gateway, theirs):
    """Forbidden actions by what stops them: (its name, the rules, the actions). Another tenant is stopped three times."""
    barred = (r"\tip daddr \{ 0\.0\.0\.0/8", )
    return [
        ("the list of ranges", barred, [f"{way}:{METADATA},80" for way in ("tcp", "udp")] + [f"tcp:{a},80" for a in BARRED]),
        ("the host's own door", (r'to_host \tiifname "\w+\*" drop', ),
         [f"{way}:{a},82" for a in (gateway, HOST) for way in ("tcp", "udp")]),
        ("the doors between tenants", (*barred, r'\toifname "\w+\*" drop', r"ingress \tdrop"),
         [f"{way}:{theirs},83" for way in ("tcp", "udp")]),
        ("the rule of resolvers", (r"th dport 53 drop", ), [f"{way}:{FOREIGN},53" for way in ("tcp", "udp")]),
        ("the rule of mail", (r"\ttcp dport \{ 25, 465, 587 \}", ), [f"tcp:{PUBLIC},{p}" for p in (25, 465, 587)]),
        ("the lease's own address", (r"ip saddr != @mine drop", ), [f"spoof:{SPOOFED},{PUBLIC},7777"]),
    ]


def take_out(rules):
    """Delete these rules of the table, and no other."""
    chain = ""
    for line in run("nft", "-a", "list", "table", *TABLE).splitlines():
        chain = line.split()[1] if line.startswith("\tchain ") else chain
        handle = re.search(r" # handle (\d+)$", line)
        if handle and any(re.search(rule, f"{chain} \t{line.strip()}") for rule in rules):
            run("nft", "delete", "rule", *TABLE, chain, "handle", handle[1])
            yield line.strip()


class Network:
    """A host (this namespace), and what lies outside of it."""

    def __init__(self, world):
        self.world = world
        self.outside = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
        self.servers = []
        while run("readlink", f"/proc/{self.outside.pid}/ns/net") == run("readlink", "/proc/self/ns/net"):
            pass
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", self.outside.pid)
        for command in (f"addr add {HOST}/24 dev up0", "link set up0 up", f"route add default via {PUBLIC}"):
            run("ip", *command.split())
        self.beyond(f"addr add {PUBLIC}/24 dev up0", "link set up0 up", "link set lo up", f"route add default via {HOST}",
                    *(f"addr add {a}/32 dev up0" for a in (RESOLVER, FOREIGN, METADATA, *BARRED)))
        self.serve(["nsenter", f"--net=/proc/{self.outside.pid}/ns/net"],
                   [f"{a},{p}" for a in (PUBLIC, METADATA, *BARRED) for p in (80,)] +
                   [f"{PUBLIC},{p}" for p in (25, 465, 587, 7777)] + [f"{a},53" for a in (RESOLVER, FOREIGN)])
        self.serve([], ["0.0.0.0,82"])

    def beyond(self, *commands):
        for command in commands:
            run("nsenter", f"--net=/proc/{self.outside.pid}/ns/net", "ip", *command.split())

    def serve(self, where, addresses):
        server = subprocess.Popen([*where, BUILD / "tests/escape/attacker", "serve", *addresses], stdout=subprocess.PIPE,
                                  text=True)
        if server.stdout.readline() != "ready\n":
            raise RuntimeError("a server of the test does not listen")
        self.servers.append(server)

    def slot(self, lease):
        """The lease's own address and that of the host's end of its link."""
        pid = self.world.pid_of(lease)
        words = run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "-4", "addr", "show", "eth0").split()
        mine = words[words.index("inet") + 1].split("/")[0]
        a, b, c, d = (int(n) for n in mine.split("."))
        return mine, f"{a}.{b}.{c}.{d - 1}"

    def attack(self, count, inside, beside, lease, other):
        mine, gateway = self.slot(lease)
        theirs, _ = self.slot(other)
        link = run("ip", "-o", "route", "get", mine).split()[2]
        allowed = [f"tcp:{PUBLIC},80", f"udp:{PUBLIC},7777", f"udp:{RESOLVER},53", f"tcp:{RESOLVER},53"]
        groups = groups_of(gateway, theirs)
        forbidden = [action for _, _, actions in groups for action in actions]
        # An address that is not the lease's, given to it by root, and the way back to it, so that only the table is left.
        run("nsenter", f"--net=/proc/{self.world.pid_of(lease)}/ns/net", "ip", "addr", "add", f"{SPOOFED}/32", "dev", "eth0")
        run("ip", "route", "add", f"{SPOOFED}/32", "dev", link)
        first = inside(self.world, lease, allowed, "-p")
        table = run("nft", "-s", "list", "table", *TABLE)
        protected = inside(self.world, lease, forbidden, "-p")
        # The helper puts back what is taken from its table: it is held for as long as that takes.
        helper = int(self.world.ask("pid")[0])
        os.kill(helper, signal.SIGSTOP)
        bare, leaks = {}, {}
        for name, rules, actions in groups:
            gone = list(take_out(rules))
            said = beside(self.world, lease, forbidden, "-p")
            bare |= {action: said.get(action, "?") for action in actions} if len(gone) == len(rules) else {}
            opened = {a for _, needed, some in groups if set(needed) <= set(rules) for a in some}
            leaks[name] = [a for a in forbidden if a not in opened and said.get(a, "?") is None]
            run("nft", "-f", "-", input=f"delete table {' '.join(TABLE)}\n{table}")
        os.kill(helper, signal.SIGCONT)
        again = inside(self.world, lease, allowed, "-p")
        for action in allowed:
            count.tap.result(first.get(action, "?") is None and again.get(action, "?") is None, f"{action} is reached",
                             f"{first.get(action)}, {again.get(action)}")
        for name, _, actions in groups:
            for action in actions:
                count.add(action, [] if protected.get(action, "killed") else ["the table"], bare.get(action, "?") is None,
                          str(bare.get(action)))
            count.tap.result(not leaks[name], f"without {name} only that is open", str(leaks[name]))
        run("ip", "route", "del", f"{SPOOFED}/32", "dev", link)

    def close(self):
        for p in (*self.servers, self.outside):
            p.kill()
            p.wait()
