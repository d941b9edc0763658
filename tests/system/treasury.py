#!/usr/bin/env python3
"""The provider's money through the real control socket: books, earnings, audit, withdrawal, backup; on nutshell."""

import json
import pathlib
import http.server
import sqlite3
import sys
import threading
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider

PHRASE = "four words and a number 7\n"


def asked(provider, *verb):
    """leasectl's JSON."""
    done = provider.ctl("--json", *verb, timeout=120)
    return json.loads(done.stdout) if done.stdout.startswith("{") else {"failed": done.stderr}


def invoice(mint, amount):
    body = json.dumps({"amount": amount, "unit": "sat"}).encode()
    request = urllib.request.Request(f"{mint}/v1/mint/quote/bolt11", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["request"]


def lightning_address(payee, port=8099):
    """Serve LUD-16 for me@127.0.0.1:PORT, with invoices of a mint; returns the address and what was asked for."""
    amounts = []

    class Host(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            if url.path == "/.well-known/lnurlp/me":
                reply = {"tag": "payRequest", "callback": f"http://127.0.0.1:{port}/pay", "metadata": "[]",
                         "minSendable": 1000, "maxSendable": 10**9}
            else:
                amounts.append(int(urllib.parse.parse_qs(url.query)["amount"][0]) // 1000)
                reply = {"pr": invoice(payee, amounts[-1]), "routes": []}
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"me@127.0.0.1:{port}", amounts


def sell(provider, lease, mint):
    """Two leases: one to its end, one whose owner ends it early."""
    done = lease("run", "--for", "60s", "--mint", mint, "busybox", "--", "sh", "-c", "sleep 9; echo sold")
    check(done.returncode == 0 and "sold" in done.stdout, "a lease is sold", done.stderr + provider.log())
    done = lease("run", "-d", "--name", "long", "--for", "100s", "--mint", mint, "busybox", "--", "sleep", "1000")
    check(done.returncode == 0, "and one that goes on", done.stderr + provider.log())


def books(provider, mint):
    funds = asked(provider, "wallet", "balance")
    row = next((m for m in funds.get("mints", []) if m["mint"].rstrip("/") == mint), {})
    check(row.get("open_msat", 0) > 200_000, "wallet balance shows what is open", funds)
    check(row["held_sat"] * 1000 >= row["open_msat"] + row["owed_msat"], "and that it is held", row)
    text = provider.ctl("wallet", "balance")
    check("FREE" in text.stdout and mint in text.stdout, "for people too", text.stdout + text.stderr)
    history = asked(provider, "wallet", "history")
    kinds = {event["what"] for event in history.get("events", [])}
    check({"paid", "fee", "earned"} <= kinds, "wallet history tells what came and what was earned", kinds)
    mints = asked(provider, "wallet", "mints")
    check(mints["mints"][0]["answered_at"] > 0 and mints["mints"][0]["keysets"], "wallet mints knows its answers and keysets", mints)
    by = {key: asked(provider, "earnings", "--by", key)["earnings"] for key in ("day", "offer", "mint")}
    sums = {key: sum(row["earned_msat"] for row in rows) for key, rows in by.items()}
    check(len(set(sums.values())) == 1 and sums["day"] > 0, "earnings by day, offer and mint are the same", by)
    csv = provider.ctl("earnings", "--csv").stdout.splitlines()
    check(csv[0].startswith("day,leases,") and len(csv) == 2, "and as CSV", csv)
    audit = asked(provider, "wallet", "audit")
    check(audit.get("broken") == 0 and audit.get("unproven") == 0 and audit["asked"] == audit["proofs"],
          "wallet audit proves the books and asks the mint about every proof", audit)
    parts = sum(audit[k] for k in ("earned_msat", "refunded_msat", "fees_msat", "open_msat", "owed_msat"))
    check(audit["paid_msat"] == parts, "paid = earned + refunded + fees + open + owed", audit)
    check(provider.ctl("wallet", "audit").returncode == 0, "and exits 0")


def leave(provider, lease, payee, address, amounts):
    """Only what is free leaves."""
    free = asked(provider, "wallet", "balance")["spare_sat"]
    done = provider.ctl("wallet", "withdraw", invoice(payee, free + 50), timeout=60)
    check(done.returncode == 1 and "free" in done.stderr, "what is open or owed does not leave", done.stdout + done.stderr)
    done = provider.ctl("wallet", "send", free + 50)
    check(done.returncode == 1, "nor as a token", done.stdout + done.stderr)
    lease("rm", "long")
    wait_for(lambda: asked(provider, "wallet", "balance").get("open_msat") == 0, 30, 0.5)
    wait_for(lambda: asked(provider, "wallet", "balance").get("owed_msat") == 0, 30, 0.5)
    lease("recover")
    free = asked(provider, "wallet", "balance")["spare_sat"]
    need(free > 30, "earnings are free when the leases are over", asked(provider, "wallet", "balance"))
    bill = invoice(payee, 11)
    done = provider.ctl("--json", "wallet", "withdraw", bill, timeout=120)
    paid = json.loads(done.stdout) if done.returncode == 0 else {}
    check(11 <= paid.get("cost_sat", 0) <= 14, "withdraw pays an invoice", done.stdout + done.stderr + provider.log())
    again = provider.ctl("--json", "wallet", "withdraw", bill, timeout=120)
    check(again.returncode == 0 and asked(provider, "wallet", "balance")["spare_sat"] == free - paid["cost_sat"],
          "and the same one only once", again.stdout + again.stderr)
    done = provider.ctl("wallet", "withdraw", "--max-fee", 3, address, 7, timeout=120)
    check(done.returncode == 0 and amounts == [7], "or to a Lightning address", f"{amounts} {done.stdout}{done.stderr}")
    token = provider.ctl("wallet", "send", 5).stdout.strip()
    check(token.startswith("cashuB"), "send prints a token", token)
    done = lease("wallet", "receive", input=token)
    check(done.returncode == 0, "that a buyer takes", done.stderr)
    keep_in_sight(provider)
    audit = asked(provider, "wallet", "audit")
    check(audit.get("broken") == 0, "and the books still balance", audit)


def keep_in_sight(provider):
    """A token that nobody took is found again and comes back."""
    sent = asked(provider, "wallet", "send", 6)
    pending = asked(provider, "wallet", "pending")["tokens"]
    check([t["amount_sat"] for t in pending if t["id"] == sent["id"]] == [6], "pending shows a token that was sent", pending)
    check(provider.ctl("wallet", "token", sent["id"]).stdout.strip() == sent["token"], "token prints it once more")
    done = provider.ctl("wallet", "reclaim", sent["id"], timeout=60)
    left = [t["id"] for t in asked(provider, "wallet", "pending")["tokens"]]
    check(done.returncode == 0 and sent["id"] not in left, "reclaim takes it back", f"{left} {done.stdout}{done.stderr}")
    done = provider.ctl("wallet", "reclaim", sent["id"])
    check(done.returncode == 3, "once", done.stdout + done.stderr)


def tamper(provider, sql):
    db = sqlite3.connect(provider.dir / "state" / "core" / "agent.db", timeout=10)
    with db:
        changed = db.execute(sql).rowcount
    db.close()
    return changed


def broken(provider):
    """Somebody writes into the database while the agent runs."""
    check(tamper(provider, "UPDATE posting SET msat = msat + 1000 WHERE id = (SELECT id FROM posting WHERE target = 5 LIMIT 1)") == 1,
          "a posting is changed")
    lease = sqlite3.connect(provider.dir / "state" / "core" / "agent.db").execute(
        "SELECT ref FROM posting WHERE target = 5 LIMIT 1").fetchone()[0]
    done = provider.ctl("wallet", "audit", timeout=60)
    check(done.returncode == 1 and lease in done.stdout, "wallet audit exits 1 and names the lease", done.stdout + done.stderr)
    tamper(provider, "UPDATE posting SET msat = msat - 1000 WHERE id = (SELECT id FROM posting WHERE target = 5 LIMIT 1)")
    check(provider.ctl("wallet", "audit").returncode == 0, "and 0 when it is right again")


def moved(w, provider):
    """Backup of the running agent, brought into a new folder; then the seed alone into another."""
    phrase = w.dir / "phrase"
    phrase.write_text(PHRASE)
    phrase.chmod(0o600)
    done = provider.ctl("backup", "--passphrase-file", phrase, w.dir / "backup", timeout=60)
    need(done.returncode == 0, "backup of a running agent", done.stdout + done.stderr)
    held = asked(provider, "wallet", "balance")["held_sat"]
    id_before = (provider.dir / "state" / "core" / "instance").read_text()
    provider.stop()
    old = provider.dir / "state"
    old.rename(provider.dir / "state.old")
    done = provider.ctl("restore", "--passphrase-file", phrase, w.dir / "backup", timeout=60)
    need(done.returncode == 0, "restore into an empty folder", done.stdout + done.stderr)
    provider.start()
    check((provider.dir / "state" / "core" / "instance").read_text() != id_before, "the agent has a new id")
    check(asked(provider, "wallet", "balance").get("held_sat") == held, "and the same money")
    done = provider.ctl("wallet", "audit", timeout=60)
    check(done.returncode == 0, "which the audit proves", done.stdout + done.stderr)
    provider.stop()
    core = provider.dir / "state" / "core"
    for name in ("agent.db", "agent.db-wal", "agent.db-shm", "instance"):
        (core / name).unlink(missing_ok=True)
    provider.start()
    check(asked(provider, "wallet", "balance").get("held_sat") == 0, "without the database nothing is there")
    done = provider.ctl("--json", "wallet", "restore", timeout=120)
    back = json.loads(done.stdout) if done.returncode == 0 else {}
    check(back.get("amount_sat") == held, "wallet restore brings it back from the seed alone", done.stdout + done.stderr + provider.log())
    check(provider.ctl("wallet", "audit", timeout=60).returncode == 0, "with books that balance")


def swept(provider, address, amounts):
    held = asked(provider, "wallet", "balance")["held_sat"]
    provider.stop()
    text = provider.config.read_text().replace("sweep_to = off", f"sweep_to = {address}").replace("sweep_above = 10000sat", "sweep_above = 100sat")
    provider.config.write_text(text)
    amounts.clear()
    provider.start()
    left = wait_for(lambda: asked(provider, "wallet", "balance").get("held_sat", held) < 20, 20, 0.5)
    check(left and amounts and amounts[0] >= held * 9 // 10 - 10, "what is free is swept to the address by itself",
          f"{held} {amounts} {provider.log()}")
    check(provider.ctl("wallet", "audit", timeout=60).returncode == 0, "and booked")


def test(w: World):
    mint = w.nutshell(fee_ppk=100)
    payee = w.nutshell(port=3340)  # whose invoices are paid
    net = w.devnet()
    provider = Provider(w, [net.relay], [mint], price="20sat/s")
    provider.start()
    lease = Buyer(w, [net.relay], [mint])
    lease.fund(6000)
    sell(provider, lease, mint)
    books(provider, mint)
    address, amounts = lightning_address(payee)
    leave(provider, lease, payee, address, amounts)
    broken(provider)
    moved(w, provider)
    swept(provider, address, amounts)
    provider.stop()


main(test)
