#!/usr/bin/env python3
"""Money that leaves the buyer's wallet: invoices, moves and tokens at mints not written by us, whose books agree."""

import base64
import contextlib
import http.server
import json
import pathlib
import re
import sqlite3
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, check, main, need, skip
from provider import Buyer

FUNDED = 500
FEES = 12       # what swaps and payments of this test cost at most, at one mint
BOOKS = {
    "nutshell": ("SELECT sum(amount) FROM promises WHERE c_ IS NOT NULL", "SELECT sum(amount) FROM proofs_used"),
    "cdk-mintd": ("SELECT sum(amount) FROM blind_signature WHERE c IS NOT NULL",
                  "SELECT sum(amount) FROM proof WHERE state = 'SPENT'"),
}


def owes(name, path):
    """What a mint signed and was not given back: sat."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        signed, spent = (db.execute(sql).fetchone()[0] or 0 for sql in BOOKS[name])
    return signed - spent


def invoice(mint, amount):
    """A bill of somebody else's mint."""
    body = json.dumps({"amount": amount, "unit": "sat"}).encode()
    ask = urllib.request.Request(mint + "/v1/mint/quote/bolt11", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(ask, timeout=60) as answer:
        return json.load(answer)["request"]


def pay(lease, mint, name, shop):
    bill = invoice(shop, 100)
    before = lease.sat(mint)[0]
    done = lease("--json", "wallet", "pay", "--mint", mint, bill)
    need(done.returncode == 0, f"{name}: an invoice is paid", done.stdout + done.stderr)
    cost = json.loads(done.stdout)["cost_sat"]
    check(100 <= cost <= 100 + FEES, f"{name}: its cost is the amount and small fees", cost)
    check(lease.sat(mint) == (before - cost, 0), f"{name}: which is what left the wallet; the rest came back",
          f"{before} - {cost}: {lease.sat(mint)}")
    again = lease("--json", "wallet", "pay", "--mint", mint, bill.upper())
    check(again.returncode == 0 and again.stdout == done.stdout, f"{name}: paid again, it says the same",
          again.stdout + again.stderr)
    check(lease.sat(mint)[0] == before - cost, f"{name}: and nothing more left", lease.sat(mint))
    dear = lease("wallet", "pay", "--mint", mint, invoice(shop, 100000))
    check(dear.returncode == 10 and "missing" in dear.stderr, f"{name}: too little money is said before anything is sent",
          f"{dear.returncode} {dear.stderr}")


def killed(lease, mint, name, shop):
    """The process dies at each step of a payment; asked again, it is paid, once."""
    for step in ("MELT_PLANNED", "MELT_SENT", "MELT_ANSWERED", "MELT_SETTLED"):
        bill, before = invoice(shop, 10), lease.sat(mint)[0]
        env = lease.w.env(LEASE_HOME=lease.home, LEASED_TEST_STEP=step)
        done = lease.w.run(lease.program, "wallet", "pay", "--mint", mint, bill, env=env, timeout=60)
        need(done.returncode == -9, f"{name}: killed at {step}", done.returncode)
        done = lease("--json", "wallet", "pay", "--mint", mint, bill)
        need(done.returncode == 0, f"{name}: killed at {step}, paid by the next", done.stdout + done.stderr)
        cost = json.loads(done.stdout)["cost_sat"]
        check(lease.sat(mint) == (before - cost, 0) and cost <= 10 + FEES, f"{name}: killed at {step}, paid once",
              f"{before} - {cost}: {lease.sat(mint)}")


def move(lease, source, target, names):
    before = lease.sat(source)[0], lease.sat(target)[0]
    done = lease("--json", "wallet", "move", "--from", source, "--to", target, "60")
    need(done.returncode == 0, f"{names}: money moves", done.stdout + done.stderr)
    cost = json.loads(done.stdout)["cost_sat"]
    check(60 <= cost <= 60 + FEES and lease.sat(source)[0] == before[0] - cost, f"{names}: for small fees",
          f"{cost}: {before} {lease.sat(source)}")
    check(lease.sat(target)[0] == before[1] + 60, f"{names}: all of it arrives", f"{before} {lease.sat(target)}")


def cbor(value):
    """As much of CBOR as a payment request needs."""
    def head(kind, n):
        return bytes([kind << 5 | n]) if n < 24 else bytes([kind << 5 | 24, n]) if n < 256 else bytes([kind << 5 | 25, n >> 8, n & 255])
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


@contextlib.contextmanager
def till(status):
    """A shop's till: takes payments by POST. Yields its address and what came."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass
    came = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/pay", came
    server.shutdown()


def by_post(lease, other, mint, name):
    for status in (200, 500):
        with till(status) as (url, came):
            wanted = {"i": "b7", "a": 30, "u": "sat", "m": [mint], "t": [{"t": "post", "a": url}]}
            creq = "creqA" + base64.urlsafe_b64encode(cbor(wanted)).decode().rstrip("=")
            done = lease("wallet", "pay", creq)
        got = came[0] if len(came) == 1 else {}
        check(got.get("id") == "b7" and sum(p["amount"] for p in got.get("proofs", [])) == 30 and all("dleq" in p for p in got["proofs"]),
              f"{name}: a request with POST gets its payment once", f"{came} {done.stderr}")
        before = lease.sat(mint)[0], other.sat(mint)[0]
        if status == 200:
            check(done.returncode == 0 and not done.stdout, f"{name}: and is done", done.stdout + done.stderr)
            token = {"token": [{"mint": got["mint"], "proofs": got["proofs"]}], "unit": got["unit"]}
            taken = other("wallet", "receive", input="cashuA" + base64.urlsafe_b64encode(json.dumps(token).encode()).decode())
            check(other.sat(mint)[0] == before[1] + 29, f"{name}: the shop can spend it", taken.stdout + taken.stderr)
            continue
        number = re.search(r"reclaim (\d+)", done.stderr)
        check(done.returncode == 6 and number, f"{name}: a till that fails is told", f"{done.returncode} {done.stderr}")
        back = lease("wallet", "reclaim", number.group(1))
        check(lease.sat(mint)[0] == before[0] + 29, f"{name}: and the money comes back", back.stdout + back.stderr)


def locked_post(lease, mint, name):
    """A request for a locked token whose till fails: only its receiver can spend it, so it must not be lost."""
    key = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    with till(500) as (url, _):
        wanted = {"i": "b8", "a": 10, "u": "sat", "m": [mint], "t": [{"t": "post", "a": url}], "nut10": {"k": "P2PK", "d": key}}
        done = lease("wallet", "pay", "creqA" + base64.urlsafe_b64encode(cbor(wanted)).decode().rstrip("="))
    token, number = done.stdout.strip(), re.search(r"--token (\d+)", done.stderr)
    need(done.returncode == 6 and token.startswith("cashuB") and number, f"{name}: a locked token that is not taken is printed",
         f"{done.returncode} {done.stdout} {done.stderr}")
    check("reclaim" not in done.stderr, f"{name}: and nobody says that it can be taken back", done.stderr)
    again = lease("wallet", "pending", "--token", number.group(1))
    check(again.stdout.strip() == token, f"{name}: and printed again", again.stdout + again.stderr)
    sent = lease("wallet", "send", "--mint", mint, "--lock", key, "10")
    number = re.search(r"--token (\d+)", sent.stderr)
    check(number and lease("wallet", "pending", "--token", number.group(1)).stdout == sent.stdout, f"{name}: so is one that was sent locked",
          sent.stdout + sent.stderr)
    done = lease.w.run("sh", "-c", 'exec "$0" "$@" >/dev/full', lease.program, "wallet", "pending", "--token", number.group(1),
                       env=lease.w.env(LEASE_HOME=lease.home))
    check(done.returncode == 1, f"{name}: what cannot be printed is told", f"{done.returncode} {done.stderr}")


def hand_over(w, lease, other, mint, name):
    token = lease("wallet", "send", "--mint", mint, "37").stdout.strip()
    before = other.sat(mint)[0]
    done = other("wallet", "receive", input=token)
    check(done.returncode == 0 and other.sat(mint)[0] == before + 36, f"{name}: a plain token is taken by another wallet",
          done.stdout + done.stderr)
    sent = lease("--json", "wallet", "send", "--mint", mint, "20")
    before = lease.sat(mint)[0]
    done = lease("wallet", "reclaim", json.loads(sent.stdout)["id"])
    check(done.returncode == 0 and lease.sat(mint)[0] == before + 19, f"{name}: one that nobody took comes back",
          done.stdout + done.stderr)
    wanted = other("wallet", "request", "--mint", mint, "15").stdout.strip()
    token = lease("wallet", "pay", wanted).stdout.strip()
    before = other.sat(mint)[0]
    done = other("wallet", "receive", input=token)
    check(done.returncode == 0 and other.sat(mint)[0] == before + 14, f"{name}: a payment request is answered",
          done.stdout + done.stderr)
    if name == "nutshell":
        token = lease("wallet", "send", "--mint", mint, "10").stdout.strip()
        done = w.cashu(mint, "receive", token)
        check(re.search(r"Received\s+\d+ sat", done.stdout), f"{name}: its own wallet takes our token", done.stdout + done.stderr)


def test(w: World):
    shop = w.devnet(port=7010).mint
    found = [("nutshell", w.nutshell(), w.dir / "nutshell-3338/mint/mint.sqlite3")]
    try:
        found.append(("cdk-mintd", w.cdk(), w.dir / "cdk-3339/cdk-mintd.sqlite"))
    except Skip as e:
        skip("cdk-mintd", e)
    mints = [row[1] for row in found]
    lease, other = (Buyer(w, [], mints, name=name) for name in ("buyer", "other"))
    for _, mint, _ in found:
        lease("wallet", "fund", "--mint", mint, FUNDED)
    for name, mint, path in found:
        pay(lease, mint, name, shop)
        killed(lease, mint, name, shop)
        hand_over(w, lease, other, mint, name)
        by_post(lease, other, mint, name)
        check(lease("recover").returncode == 0 and lease.sat(mint)[1] == 0, f"{name}: recover closes what was taken", lease.sat(mint))
        locked_post(lease, mint, name)
    if len(found) == 2:
        move(lease, mints[0], mints[1], "nutshell to cdk-mintd")
        move(lease, mints[1], mints[0], "cdk-mintd to nutshell")
    for name, mint, path in found:
        ours = sum(lease.sat(mint)) + sum(other.sat(mint))
        theirs = 9 if name == "nutshell" else 0     # in nutshell's own wallet
        check(owes(name, path) == ours + theirs, f"{name}: what it owes is what the wallets have",
              f"{owes(name, path)}, {ours} + {theirs}")


main(test)
