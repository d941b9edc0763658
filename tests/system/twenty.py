#!/usr/bin/env python3
"""Twenty `lease run` at once on one wallet: all succeed, and the mint's own books agree with both wallets to the satoshi."""

import contextlib
import pathlib
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import PATIENCE, World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import buyer_sat, provider_sat

BUYERS, SECONDS, FUNDED = 20, 60, 2048
BOOKS = ("SELECT (SELECT sum(amount) FROM promises WHERE c_ IS NOT NULL) - (SELECT sum(amount) FROM proofs_used),"
         " (SELECT sum(fees_paid) FROM keysets)")


def run_all(lease):
    """What each of them ended with."""
    runs = [subprocess.Popen([lease.program, "run", "--for", f"{SECONDS}s", "busybox", "--", "sh", "-c", f"echo I am {i}; exit {i}"],
                             env=lease.w.env(LEASE_HOME=lease.home), cwd=lease.w.dir, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i in range(BUYERS)]
    found = []
    for run in runs:
        try:
            found.append((*run.communicate(timeout=PATIENCE * 200), run.returncode))
        except subprocess.TimeoutExpired:
            run.kill()
            found.append((*run.communicate(), "no end"))
    return found


def settled(lease, provider):
    return not any(buyer_sat(lease)[1:]) and not any(m["reserved_sat"] + m["in_flight_sat"] for m in provider.status()["mints"])


def test(w: World):
    relay = w.devnet(port=7010).relay
    mint = w.nutshell(fee_ppk=100)
    provider = Provider(w, [relay], [mint], settings=["limits.cpu_budget=100", "limits.memory_budget=64Gi"])
    provider.start()
    lease = Buyer(w, [relay], [mint])
    lease.fund(FUNDED)  # one proof: each needs the change of the one before
    found = run_all(lease)
    for i, (out, err, status) in enumerate(found):
        need(status == i and f"I am {i}\n" in out, f"lease run {i} ends as its command does", f"{status} {out}{err}")
    done = lease("recover", timeout=120)
    check(done.returncode == 0, "lease recover has nothing to complain of", done.stdout + done.stderr)
    need(wait_for(lambda: settled(lease, provider), 30, 0.5), "nothing is on its way",
         f"{buyer_sat(lease)} {provider.status()['mints']}")
    theirs, ours = provider_sat(provider), buyer_sat(lease)[0]
    with contextlib.closing(sqlite3.connect(f"file:{w.dir}/nutshell-3338/mint/mint.sqlite3?mode=ro", uri=True)) as db:
        owed, fees = db.execute(BOOKS).fetchone()
    check(owed == theirs + ours, "what the mint owes is what both wallets have", f"{owed} {theirs} {ours}")
    check(FUNDED == theirs + ours + fees, "minted = buyer + provider + fees of the mint", f"{theirs} {ours} {fees}")
    names = [row["name"] for row in json_lines(lease("--json", "ls", "--all").stdout)]
    check(len(set(names)) == BUYERS, "twenty leases are in the book", names)
    done = lease("wallet", "pending")
    check(done.stdout == "", "and nothing is open", done.stdout)
    provider.stop()


main(test)
