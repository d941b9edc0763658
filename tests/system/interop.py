#!/usr/bin/env python3
"""Tokens, locks and payment requests both ways with cashu-ts and with nutshell's wallet; v2 and v1 keysets, fees on."""

import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import BUILD, Skip, World, check, checks, main, need, skip
from provider import Buyer

FEE = 1     # 100 ppk and no token here has more than ten proofs


class Ours:
    """What leased's code makes and takes: the wallet of `lease`, and the bare library (tests/system/client)."""

    def __init__(self, w, mint, name):
        self.w, self.mint = w, mint
        self.program = BUILD / "tests" / "system" / "client"
        if not self.program.exists():
            raise Skip("tests/system/client is not built (make check)")
        self.key = os.urandom(32).hex()
        self.point = self.client("key", self.key).stdout.strip()
        self.lease = Buyer(w, [], [mint], name=f"buyer-{name}")
        self.lease.fund(300)

    def client(self, *argv, **more):
        return self.w.run(self.program, *argv, **more)

    def lock(self, amounts, key, refund, locktime):
        """A token of exactly these amounts, locked to `key` and after `locktime` to `refund`."""
        lines = ""
        for amount in amounts:
            tags = [["sigflag", "SIG_INPUTS"], ["locktime", str(locktime)], ["refund", refund]]
            lines += f"{amount} " + json.dumps(["P2PK", {"nonce": os.urandom(32).hex(), "data": key, "tags": tags}]) + "\n"
        return self.client("token", self.mint, input=lines).stdout.strip()

    def plain(self, amount):
        """A token that anybody can spend."""
        return self.out("send", "--mint", self.mint, amount)

    def out(self, *argv):
        """What `lease wallet …` prints for others, or why it does not."""
        done = self.lease("wallet", *argv)
        return done.stdout.strip() or done.stderr

    def receive(self, token):
        """What `lease wallet receive` adds to the wallet."""
        before = self.lease.sat(self.mint)[0]
        done = self.lease("wallet", "receive", input=token)
        return self.lease.sat(self.mint)[0] - before, done.stdout + done.stderr

    def take(self, token, key):
        """A plain token for a locked one, by `key`; or why not."""
        done = self.client("take", self.mint, key, input=token)
        return done.stdout.strip() or done.stderr


class CashuTs:
    name = "cashu-ts"

    def __init__(self, w, mint):
        self.w, self.mint = w, mint
        self.key = os.urandom(32).hex()

    def run(self, verb, *argv):
        return checks(self.w.node("cashu.mjs", verb, self.mint, *argv)) or {}

    def plain(self, amount):
        return self.run("plain", amount).get("token", "")

    def lock(self, amount, key, refund, seconds):
        return self.run("lock", amount, key, refund, int(time.time()) + seconds).get("token", "")

    def receive(self, token, key=None):
        return self.run("receive", token, *([key] if key else [])).get("amount", 0)

    def refuses(self, token, key):
        done = self.w.node("cashu.mjs", "receive", self.mint, token, key)
        return done.returncode != 0 or '"ok":false' in done.stdout

    def own_lock(self, ours):
        return ours.client("key", self.key).stdout.strip()

    def read_request(self, text):
        r = self.run("read-creq", text)
        return {"amount": r.get("amount"), "unit": r.get("unit"), "mints": r.get("mints"), "single_use": r.get("singleUse"),
                "lock": r.get("data")}


class Nutshell:
    name = "nutshell's wallet"

    def __init__(self, w, mint, tag):
        self.w, self.mint, self.wallet = w, mint, f"nutshell-{tag}"
        w.cashu_fund(mint, 300, wallet=self.wallet)
        self.key = None

    def run(self, *argv):
        return self.w.cashu(self.mint, *argv, wallet=self.wallet)

    def balance(self):
        found = re.search(r"Balance: (\d+) sat", self.run("balance").stdout)
        return int(found.group(1)) if found else -1

    def plain(self, amount, *options):
        done = self.run("send", amount, "--dleq", *options)
        token = re.search(r"cashu[AB]\S+", done.stdout)
        return token.group() if token else ""

    def pays(self, text):
        """The token that it makes for a request."""
        done = self.run("pay", text)
        token = re.search(r"cashuB\S+", done.stdout)
        return token.group() if token else done.stdout + done.stderr

    def lock(self, amount, key, refund, seconds):
        return self.w.cashu_lock(self.mint, amount, key, refund, seconds, wallet=self.wallet)

    def receive(self, token, key=None):
        before = self.balance()
        self.run("receive", token)
        return self.balance() - before

    def refuses(self, token, key):
        return self.receive(token) == 0

    def own_lock(self, ours):
        return re.search(r"P2PK:([0-9a-f]{66})", self.run("lock", "p2pk").stdout).group(1)

    def read_request(self, text):
        done = self.run("decode", text)
        found = re.search(r"\{.*\}", done.stdout, re.DOTALL)
        r = json.loads(found.group()) if found else {}
        return {"amount": r.get("a"), "unit": r.get("u"), "mints": r.get("m"), "single_use": r.get("s"),
                "lock": (r.get("nut10") or {}).get("d")}


def tokens(ours, theirs, name):
    got = theirs.receive(ours.plain(60))
    check(got == 60 - FEE, f"{name}: a token of lease wallet send", got)
    token = theirs.plain(21)
    check(token.startswith("cashuB"), f"{name}: makes a V4 token", token)
    got, said = ours.receive(token)
    check(got == 21 - FEE, f"{name}: its V4 token by lease wallet receive", f"{got}\n{said}")
    got, said = ours.receive(token)
    check(got == 0, f"{name}: the same token again brings nothing", f"{got}\n{said}")


def locks(ours, theirs, name):
    now = int(time.time())
    me = theirs.own_lock(ours)
    stranger = ours.client("key", os.urandom(32).hex()).stdout.strip()
    token = ours.lock([4, 16], me, stranger, now + 3600)
    check(theirs.receive(token, theirs.key) == 20 - FEE, f"{name}: our lock by its key", token)
    token = ours.lock([4, 16], stranger, me, now + 3600)
    check(theirs.refuses(token, theirs.key), f"{name}: our lock not by the refund key before the locktime", token)
    token = ours.lock([4, 16], stranger, me, now - 5)
    check(theirs.receive(token, theirs.key) == 20 - FEE, f"{name}: our lock by the refund key after it", token)

    token = ours.out("send", "--mint", ours.mint, "--lock", me, 20)
    check(theirs.receive(token, theirs.key) == 20 - FEE, f"{name}: a lock of lease wallet send by its key", token)

    token = theirs.lock(20, ours.point, stranger, 3600)
    made = ours.take(token, ours.key)
    check(made.startswith("cashuB") and ours.receive(made)[0] > 0, f"{name}: its lock by our key", made)
    made = ours.take(theirs.lock(20, stranger, ours.point, 3600), ours.key)
    check(not made.startswith("cashu"), f"{name}: its lock not by the refund key before the locktime", made)
    token = theirs.lock(20, stranger, ours.point, 2)
    time.sleep(4)
    made = ours.take(token, ours.key)
    check(made.startswith("cashuB") and ours.receive(made)[0] > 0, f"{name}: its lock by the refund key after it", made)


def requests(ours, theirs, name):
    want = {"amount": 21, "unit": "sat", "mints": [ours.mint], "single_use": True, "lock": None}
    text = ours.out("request", "--mint", ours.mint, 21)
    read = theirs.read_request(text)
    check(read == want, f"{name}: reads the request of lease wallet request", f"{text}\n{read}\n{want}")
    text = ours.client("creq", ours.mint, 21, ours.point).stdout.strip()
    read = theirs.read_request(text)
    check(read == {**want, "lock": ours.point}, f"{name}: reads our request with a lock", f"{text}\n{read}")


def pay_ours(ours, theirs, name):
    """nutshell's wallet pays what we ask for, plain and locked to us."""
    token = theirs.pays(ours.out("request", "--mint", ours.mint, 21))
    got, said = ours.receive(token)
    check(got >= 20, f"{name}: pays the request of lease wallet request", f"{token}\n{said}")
    token = theirs.pays(ours.client("creq", ours.mint, 21, ours.point).stdout.strip())
    made = ours.take(token, ours.key)
    check(made.startswith("cashuB"), f"{name}: pays our request with a lock", f"{token}\n{made}")
    check(not ours.take(token, "-").startswith("cashuB"), f"{name}: and only our key could take it")


def pay_theirs(ours, theirs, name):
    """lease wallet pay answers what cashu-ts asks for, plain, locked to it, and by HTTP."""
    me = theirs.own_lock(ours)
    for key in ("", me):
        text = theirs.run("creq", 34, key).get("request", "")
        token = ours.out("pay", text)
        got = theirs.receive(token, theirs.key if key else None)
        check(got == 34 - FEE, f"{name}: its request{' with a lock' if key else ''} is paid by lease wallet pay", token)
    with Inbox() as inbox:
        text = theirs.run("creq", 34, "", inbox.url).get("request", "")
        said = ours.out("pay", text)
        if check(inbox.got and inbox.got.get("id") == "9f86d081", f"{name}: its request is paid where it says", said):
            ids = {p["id"] for p in inbox.got["proofs"]}
            check(all(len(i) == (66 if i.startswith("01") else 16) for i in ids), f"{name}: with whole keyset ids", ids)
            check(theirs.run("receive-payload", json.dumps(inbox.got)).get("amount") == 34 - FEE, f"{name}: and it can be taken")


class Inbox:
    """An HTTP server for one payment."""

    def __init__(self):
        self.got = None
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                inbox.got = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/pay"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test(w: World):
    mints = [("nutshell", w.nutshell())]
    try:
        mints.append(("cdk-mintd", w.cdk()))
    except Skip as e:
        skip("cdk-mintd", e)
    for tag, mint in mints:
        ours = Ours(w, mint, tag)
        for theirs in (CashuTs(w, mint), Nutshell(w, mint, tag)):
            name = f"{tag}, {theirs.name}"
            tokens(ours, theirs, name)
            locks(ours, theirs, name)
            requests(ours, theirs, name)
            if isinstance(theirs, CashuTs):
                pay_theirs(ours, theirs, name)
            else:
                got, said = ours.receive(theirs.plain(21, "--legacy"))
                check(got > 0, f"{name}: its V3 token by lease wallet receive", f"{got}\n{said}")
                pay_ours(ours, theirs, name)


main(test)
