#!/usr/bin/env python3
"""Leases paid at mints not written by us; in the end the mint's own books agree with both wallets to the satoshi."""

import contextlib
import pathlib
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, check, main, need, skip
from provider import Buyer, Provider

FUNDED = 500
NUTSHELL_BOOKS = {
    "minted": "SELECT sum(amount) FROM mint_quotes WHERE state = 'ISSUED'",
    "signed": "SELECT sum(amount) FROM promises WHERE c_ IS NOT NULL",
    "spent": "SELECT sum(amount) FROM proofs_used",
    "fees": "SELECT sum(fees_paid) FROM keysets",
    "keysets": "SELECT group_concat(DISTINCT id) FROM promises",
}
CDK_BOOKS = {
    "minted": "SELECT sum(amount_issued) FROM mint_quote",
    "signed": "SELECT sum(amount) FROM blind_signature WHERE c IS NOT NULL",
    "spent": "SELECT sum(amount) FROM proof WHERE state = 'SPENT'",
    "fees": "SELECT sum(fee_collected) FROM keyset_amounts",
    "keysets": "SELECT group_concat(DISTINCT keyset_id) FROM blind_signature",
}


def books(path, questions):
    """What the mint itself wrote down."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return {name: db.execute(sql).fetchone()[0] for name, sql in questions.items()}


def buy(lease, provider, mint, name):
    """A lease with a top-up, a top-up that is refused, and the end with its refund."""
    lease.fund(FUNDED)
    done = lease("run", "-d", "--name", "one", "--for", "60s", "--mint", mint, "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, f"{name}: lease run pays", done.stdout + done.stderr)
    done = lease("topup", "--for", "30s", "one")
    need(done.returncode == 0, f"{name}: lease topup pays", done.stdout + done.stderr)
    before = sum(lease.sat(mint))
    done = lease("topup", "--for", "60s", "one")
    check(done.returncode == 4 and "too_much" in done.stderr, f"{name}: too long a top-up is refused", f"{done.returncode} {done.stdout}{done.stderr}")
    free, elsewhere = lease.sat(mint)
    check(elsewhere == 0 and "back in the wallet" in done.stderr, f"{name}: its token is back before the command ends",
          f"{free} free, {elsewhere} elsewhere\n{done.stderr}")
    check(before - 4 < free < before, f"{name}: less the mint's fees only", f"{before} before, {free} now")
    check(provider.sat(mint) == 90, f"{name}: the provider has the exact price", provider.status())
    done = lease("rm", "one")
    check(done.returncode == 0 and "sat back" in done.stderr, f"{name}: lease rm brings back what is left", done.stdout + done.stderr)


def sums(lease, provider, mint, name, book):
    free, elsewhere = lease.sat(mint)
    theirs = provider.sat(mint)
    book["theirs"], book["ours"] = theirs, (free, elsewhere)
    check(elsewhere == 0, f"{name}: nothing is on its way", book)
    check(0 <= theirs < 90, f"{name}: the provider has what was used", book)
    check(book["minted"] == FUNDED, f"{name}: the mint issued what was funded", book)
    check(book["signed"] - book["spent"] == free + theirs, f"{name}: what the mint owes is what both wallets have", book)
    check(FUNDED == free + theirs + book["fees"], f"{name}: minted = buyer + provider + fees of the mint", book)


def test(w: World):
    relay = w.devnet(port=7010).relay
    found = [("nutshell", "01", w.nutshell(), w.dir / "nutshell-3338/mint/mint.sqlite3", NUTSHELL_BOOKS)]
    try:
        found.append(("cdk-mintd", "00", w.cdk(), w.dir / "cdk-3339/cdk-mintd.sqlite", CDK_BOOKS))
    except Skip as e:
        skip("cdk-mintd", e)
    provider = Provider(w, [relay], [row[2] for row in found], settings=["offer.max_lease=120s"])
    provider.start()
    for name, version, mint, path, questions in found:
        lease = Buyer(w, [relay], [mint], name=f"buyer-{name}")
        buy(lease, provider, mint, name)
        book = books(path, questions)
        check(book["keysets"].startswith(version), f"{name}: its keyset id begins with {version}", book)
        sums(lease, provider, mint, name, book)
    provider.stop()


main(test)
