#!/usr/bin/env python3
"""Two hundred requests at once, a fifth of them with spent tokens, a fifth with one token for two, a tenth broken: each gets
its right answer, and the ledger balances with the mint's own count."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, check, main, need, note, skip, wait_for
from provider import Buyer, Provider
from stranger import Stranger, leases_of, left_of, offer_of

GOOD, SPENT, TWINS, BROKEN = 100, 40, 20, 20  # each of the twins' tokens comes in two requests
AMOUNTS = (4, 8)  # of a token: 12 sat
WAIT_S = 400  # at most, on a slow machine: each ends with its answer
NUTSHELL_SPENT = "SELECT sum(amount) FROM proofs_used"
NUTSHELL_SIGNED = "SELECT sum(amount) FROM promises WHERE c_ IS NOT NULL"


class Sender(Stranger):
    """A stranger with a key of its own, so that twenty can be busy at once."""

    def tell(self, path, request):
        """Send it in the background; its replies are read later from `path`."""
        source = path.with_suffix(".request")
        source.write_text(json.dumps(request))
        with open(source, encoding="utf-8") as given, open(path, "w", encoding="utf-8") as said:
            return subprocess.Popen([self.program, "ask", self.relay, self.offer["provider"], self.key, str(WAIT_S), "0"],
                                    stdin=given, stdout=said, stderr=subprocess.DEVNULL, env=self.w.env())


def breaks(pick):
    """Ways to spoil a token, with no luck needed: none of them can be read as money any more."""
    def cut(t):
        return t[:len(t) // 2]
    def noise(t):
        return "cashuB" + "".join(pick.choice("abcdefghijklmnopqrstuvwxyz0123456789-_") for _ in t[6:])
    def version(t):
        return "cashuZ" + t[6:]
    def empty(_):
        return "cashuB"
    def tail(t):
        return t[:-12] + "!" * 12
    return [cut, noise, version, empty, tail]


def make_tokens(s, mint, n, **more):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return list(pool.map(lambda _: s.token(mint, amounts=AMOUNTS, **more), range(n)))


def spent_tokens(s, mint, buyer, n):
    """Plain tokens that another wallet has taken already."""
    tokens = make_tokens(s, mint, n, secret=lambda: os.urandom(32).hex())
    for i, token in enumerate(tokens):
        path = s.w.dir / f"spent-{i}"
        path.write_text(token)
        path.chmod(0o600)
        done = buyer("wallet", "receive", path)
        need(done.returncode == 0, "another wallet takes a token", done.stderr) if done.returncode else None
    return tokens


def plan(w, s, mint, buyer, pick):
    """Every request of the storm as (kind, sender, request), in random order."""
    def sender():
        one = Sender(w, s.relay, s.offer)
        one.refund = s.refund
        return one
    rows = [("good", t) for t in make_tokens(s, mint, GOOD)]
    rows += [("spent", t) for t in spent_tokens(s, mint, buyer, SPENT)]
    rows += [("twin", t) for t in make_tokens(s, mint, TWINS) for _ in range(2)]
    ways = breaks(pick)
    rows += [("broken", ways[i % len(ways)](t)) for i, t in enumerate(make_tokens(s, mint, BROKEN))]
    pick.shuffle(rows)
    senders = [sender() for _ in rows]
    return [(kind, one, one.request(t, spec={"image": "busybox", "args": ["sleep", "100"]}))
            for (kind, t), one in zip(rows, senders)]


def storm(w, rows):
    """Send all at once; the final reply to each, in the order of rows."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=w.dir))
    now = int(time.time())
    for _, _, request in rows:
        request["expires_at"] = now + 600  # the storm may take its time
    running = [one.tell(folder / str(i), request) for i, (_, one, request) in enumerate(rows)]
    end = time.monotonic() + WAIT_S + 20
    for p in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(max(1, end - time.monotonic()))
        if p.poll() is None:
            p.kill()
    found = []
    for i in range(len(rows)):
        lines = [json.loads(line) for line in (folder / str(i)).read_text().splitlines()]
        found.append(next((r for r in lines if r.get("final")), {}))
    return found


def tell_kind(name, answers, kind, right):
    wrong = [a for k, a in answers if k == kind and not right(a)]
    number = sum(k == kind for k, _ in answers)
    check(number and not wrong, f"{name}: each of the {number} {kind} ones is answered rightly",
          "\n".join(json.dumps({k: a.get(k) for k in ("stage", "code", "token", "message")}) for a in wrong[:8]))


def runs(a):
    return a.get("stage") == "running" and a.get("token") == "spent"


def released(a):
    return a.get("stage") == "refused" and a.get("token") == "unspent" and len(a.get("release", [])) == len(AMOUNTS)


def right_answers(name, rows, replies):
    answers = [(kind, reply) for (kind, _, _), reply in zip(rows, replies)]
    tell_kind(name, answers, "good", lambda a: runs(a) or released(a) and a["code"] == "full")
    tell_kind(name, answers, "spent", lambda a: a.get("stage") == "refused" and a.get("token") == "spent")
    tell_kind(name, answers, "broken", lambda a: a.get("stage") == "refused" and a.get("token") == "unspent")
    twins = {}
    for (kind, _, request), reply in zip(rows, replies):
        if kind == "twin":
            twins.setdefault(request["token"], []).append(reply)
    wrong = [pair for pair in twins.values() if sum(map(runs, pair)) != 1
             or any(a.get("stage") not in ("running", "refused") for a in pair)]
    check(not wrong, f"{name}: each of the {len(twins)} tokens in two requests buys one lease, and both are answered", wrong[:4])
    return answers


def ledger(provider, counts, kinds, name):
    """`counts`: what the mint signed and what of it was spent, before and after the storm."""
    books = provider.ctl("--json", "wallet", "audit")
    audit = json.loads(books.stdout or "{}")
    given = [r for r in leases_of(provider).values() if r["state"] != "refused"]
    paid = sum(AMOUNTS) * len(given)
    check(books.returncode == 0 and audit.get("broken") == 0, f"{name}: the provider's audit finds nothing", books.stdout)
    check(len(given) == kinds, f"{name}: as many leases as answers that say so", f"{len(given)} of {kinds}")
    check(audit.get("paid_msat") == paid * 1000, f"{name}: paid is what their tokens were worth", f"{audit} {paid}")
    signed, spent = (after - before for before, after in zip(*counts))
    kept = audit.get("fees_msat", 0) // 1000
    check(spent >= paid and signed == spent - kept, f"{name}: the mint's count agrees: it signed what it took, less fees",
          f"signed {signed}, spent {spent}, fees {kept}, paid {paid}")


def play(w, relay, mint, name, count):
    pick = random.Random(os.environ.get("CHECK_SEED") or "storm")
    provider = Provider(w, [relay], [mint], name=f"provider-{name}",
                        settings=["wallet.require_lock=no", "limits.max_leases=200", "limits.cpu_budget=200", "limits.memory_budget=100Gi"])
    provider.start()
    buyer = Buyer(w, [relay], [mint], name=f"buyer-{name}")
    offer = wait_for(lambda: offer_of(buyer), 15)
    need(offer, f"{name}: the offer is there", buyer("offers").stdout)
    rows = plan(w, Stranger(w, relay, offer), mint, buyer, pick)
    before = count()
    began = time.monotonic()
    replies = storm(w, rows)
    check(all(replies), f"{name}: {len(rows)} requests at once, {sum(map(bool, replies))} final answers", provider.log())
    answers = right_answers(name, rows, replies)
    note(f"{name}: {time.monotonic() - began:.1f} s, {sum(runs(a) for _, a in answers)} leases")
    wait_for(lambda: not [r for r in leases_of(provider).values() if r["state"] not in ("ended", "refused")], 60, 1)
    ledger(provider, (before, count()), sum(runs(a) for _, a in answers), name)
    provider.stop()


def test(w: World):
    net = w.devnet()
    def devnet_count():
        mint = net.tell(do="stats")["mints"][0]
        return mint["signed_sat"], mint["spent_sat"]
    play(w, net.relay, net.mint, "devnet", devnet_count)
    try:
        mint = w.nutshell()
    except Skip as e:
        skip("the same with nutshell", e)
    else:
        def nutshell_count():
            path = w.dir / "nutshell-3338/mint/mint.sqlite3"
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                return tuple(db.execute(q).fetchone()[0] or 0 for q in (NUTSHELL_SIGNED, NUTSHELL_SPENT))
        play(w, net.relay, mint, "nutshell", nutshell_count)
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))


main(test)
