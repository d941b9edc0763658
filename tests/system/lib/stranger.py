"""Requests that `lease` would never send, by tests/system/client; and what a provider's books say."""

import contextlib
import glob
import json
import os
import pathlib
import re
import time

from disk import cgroups
from harness import BUILD, PATIENCE, Skip, json_lines


class Stranger:
    """Any token, any request, one key."""

    def __init__(self, world, relay, offer):
        self.w, self.relay, self.offer = world, relay, offer
        self.program = BUILD / "tests" / "system" / "client"
        if not self.program.exists():
            raise Skip("tests/system/client is not built (make check)")
        self.key = None
        self.as_another()
        self.refund = self.w.run(self.program, "key", os.urandom(32).hex()).stdout.strip()

    def as_another(self):
        """A new key, and with it a new budget at the provider."""
        self.key = os.urandom(32).hex()

    def secret(self, data=None, kind="P2PK", locktime=None, refund=None, tags=()):
        """A locked secret, in the one good shape unless told otherwise."""
        data = data or self.offer["mints"][0]["payment_key"]
        locktime = int(time.time()) + 4 * 3600 if locktime is None else locktime
        rows = [["sigflag", "SIG_INPUTS"], ["locktime", str(locktime)], ["refund", refund or self.refund], *tags]
        rows = list({row[0]: row for row in rows}.values())
        return json.dumps([kind, {"nonce": os.urandom(32).hex(), "data": data, "tags": rows}])

    def token(self, mint, amounts=(4, 16), secret=None, **lock):
        """Fresh money from `mint`; secret(amount) makes each secret."""
        lines = "".join(f"{a} {secret() if secret else self.secret(**lock)}\n" for a in amounts)
        done = self.w.run(self.program, "token", mint, input=lines)
        if done.returncode:
            raise Skip(f"client token: {done.stderr}")
        return done.stdout.strip()

    def request(self, token, **changes):
        o = self.offer
        return {"v": 1, "type": "spawn", "request_id": os.urandom(16).hex(), "expires_at": int(time.time()) + 120,
                "token": token, "refund_key": self.refund, "offer": o["event"],
                "price": {"msat": o["price_msat"], "per": o["price_per"]},
                "spec": {"image": "busybox", "args": ["sleep", "1000"]}, **changes}

    def ask(self, request, seconds=10, again=0):
        """Every reply until the final one, in order; when it is sent `again`, all of that time's."""
        seconds *= 1 if again else PATIENCE
        done = self.w.run(self.program, "ask", self.relay, self.offer["provider"], self.key, seconds, again,
                          input=json.dumps(request), timeout=seconds + 30)
        return json_lines(done.stdout)

    def ask_later(self, request, seconds, again):
        """The same in the background; its replies are in the log of `repeat`."""
        path = self.w.dir / "request.json"
        path.write_text(json.dumps(request))
        return self.w.start("repeat", "sh", "-c", 'exec "$0" "$@" < ' + str(path), self.program, "ask", self.relay,
                            self.offer["provider"], self.key, seconds, again)


def offer_of(buyer, name="small"):
    """The offer as `lease offers` reads it."""
    for row in json_lines(buyer("--json", "offers").stdout):
        for offer in row if isinstance(row, list) else [row]:
            if offer.get("offer") == name:
                return offer
    return None


def configure(provider, section, key, value):
    """Change one key of leased.conf; it holds from the next start on. None takes it out."""
    lines, where, done = [], "", value is None
    for line in provider.config.read_text().splitlines():
        head = re.match(r"\[(.+)\]", line)
        where = head.group(1) if head else where
        if where == section and re.match(rf"{key}\s*=", line):
            continue
        lines.append(line)
        if head and where == section and not done:
            lines.append(f"{key} = {value}")
            done = True
    provider.config.write_text("\n".join(lines) + "\n")


def leases_of(provider):
    """All leases that leasectl lists, by id."""
    done = provider.ctl("--json", "leases", "--all")
    found = json_lines(done.stdout) or [{}]
    rows = found[0] if isinstance(found[0], list) else found[0].get("result", found[0]).get("leases", [])
    return {row["lease"]: row for row in rows}


def provider_sat(provider):
    """What lies in the provider's wallet, claims under way among it."""
    found = json_lines(provider.ctl("--json", "status").stdout) or [{}]
    status = found[0].get("result", found[0])
    return sum(m["available_sat"] + m["reserved_sat"] + m["in_flight_sat"] for m in status.get("mints", []))


def buyer_sat(buyer):
    """What lies in the buyer's wallet: free, in swaps, handed out."""
    rows = json_lines(buyer("--json", "wallet", "balance").stdout)
    rows = rows[0] if rows and isinstance(rows[0], list) else rows
    return tuple(sum(r[k] for r in rows) for k in ("available_sat", "reserved_sat", "in_flight_sat"))


def processes(name):
    """Numbers of the living processes of that name in this test's namespace."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == name and (process / "stat").read_text().split()[2] != "Z":
                found.append(int(process.name))
        except OSError:
            pass
    return found


def left_of(world):
    """What the host still has of a world whose agents have stopped: processes, mounts, cgroups, loop devices."""
    found = [n for n in ("leased", "leased-core", "leased-keeper", "qemu-storage-da") if processes(n)]
    found += [m for m in pathlib.Path("/proc/self/mounts").read_text().splitlines() if str(world.dir) in m
              and f"{world.dir}/docker/" not in m]  # of a daemon that the test itself started
    found += cgroups(f"**/{world.group}*")
    for loop in glob.glob("/sys/block/loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # another test's, which has gone meanwhile
            found += [name for name in (pathlib.Path(loop).read_text().strip(),) if str(world.dir) in name]
    return found
