#!/usr/bin/env python3
"""A lease asks how long it runs, and anybody's wallet pays for more: ours and cashu-ts, over relays and a mint not ours."""

import json
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, check, checks, main, need, skip, wait_for
from provider import Buyer, Provider

ASK = pathlib.Path(os.environ.get("BUILD_DIR", ".")) / "tests/system/ask_lease"


def page(owner, path, name="one"):
    done = owner("exec", name, "--", "/ask", path)
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"error": done.stdout + done.stderr}


def grows(owner, before, by):
    """The end moves by so many seconds, a few less for the mint's fees."""
    return wait_for(lambda: by - 5 <= page(owner, "/time-left").get("expires_at", 0) - before <= by, 30, 0.5)


def audit(provider, when):
    done = provider.ctl("wallet", "audit")
    check(done.returncode == 0, f"the provider's books agree {when}", done.stdout + done.stderr)


def asks(owner, provider):
    lease, left, row = page(owner, "/lease"), page(owner, "/time-left"), provider.leases()["leases"][0]
    check(lease.get("lease") == row["lease"] and lease.get("provider") == provider.npub and lease.get("image") == "busybox",
          "a lease knows itself", lease)
    check(lease.get("expires_at") == left.get("expires_at") == row["expires_at"], "and its end", f"{lease} {left} {row}")
    check(0 < left.get("seconds", 0) <= 900, "and how far that is", left)
    check("there are" in page(owner, "/etc/passwd").get("error", ""), "nothing else is told")
    return page(owner, "/topup-request").get("request", "")


def pays(owner, friend, provider, request):
    before, money = page(owner, "/time-left")["expires_at"], friend.balance()
    done = friend("wallet", "pay", "--amount", "30", request)
    need(done.returncode == 0 and "is paid until" in done.stderr, "somebody else pays the request", done.stdout + done.stderr)
    check(grows(owner, before, 30), "and the lease lives longer", page(owner, "/time-left"))
    check(30 <= money - friend.balance() <= 32, "for that money", f"{money} {friend.balance()}")
    check(str(page(owner, "/time-left")["expires_at"]) in owner("--json", "status", "one").stdout, "its owner sees it")
    audit(provider, "after it")


def survives(owner, friend, provider):
    """When the agent was killed and started again, and the lease too."""
    request, before = page(owner, "/topup-request")["request"], page(owner, "/time-left")["expires_at"]
    provider.stop(sig=signal.SIGKILL)
    done = friend("wallet", "pay", "--amount", "20", request)
    check(done.returncode == 0, "a payment is sent while the agent is down", done.stdout + done.stderr)
    provider.start()
    check(grows(owner, before, 20), "and taken when it is back", page(owner, "/time-left"))
    need(owner("stop", "one").returncode == 0 and owner("start", "one").returncode == 0, "the lease is started again")
    request, before = page(owner, "/topup-request").get("request", ""), page(owner, "/time-left").get("expires_at", 0)
    done = friend("wallet", "pay", "--amount", "20", request)
    check(done.returncode == 0 and grows(owner, before, 20), "and its request is paid again", f"{done.stderr} {page(owner, '/time-left')}")


def foreign(w, owner, mint):
    request, before = page(owner, "/topup-request")["request"], page(owner, "/time-left")["expires_at"]
    try:
        got = checks(w.node("pay-request.mjs", mint, "25", request))
        bad = checks(w.node("pay-request.mjs", mint, "25", request, "plain"))
    except Skip as e:
        skip("cashu-ts pays the request", e)
        return
    check(got and "is paid until" in got["answer"], "and is thanked", got)
    check(grows(owner, before, 25), "a wallet that is not ours extends it", page(owner, "/time-left"))
    check(bad and "not locked" in bad["answer"] and "still yours" in bad["answer"], "one that does not lock is told so", bad)


def too_late(owner, friend, provider, mint):
    """What is refused is not taken."""
    request = page(owner, "/topup-request")["request"]
    need(owner("rm", "one").returncode == 0, "the lease is ended")
    audit(provider, "at the end")
    had = provider.sat(mint)
    done = friend("wallet", "pay", "--amount", "20", request)
    check(done.returncode == 4 and "not taken" in done.stderr, "a payment for a lease that has ended fails, and says why",
          f"{done.returncode} {done.stdout} {done.stderr}")
    wait_for(lambda: provider.sat(mint) != had, 3)
    check(provider.sat(mint) == had, "and not taken", f"{had} {provider.sat(mint)}")
    audit(provider, "after that")


def test(w: World):
    relays = [w.relay_open(), w.relay_auth()]
    mint = w.nutshell()
    provider = Provider(w, relays, [mint])
    provider.start()
    owner, friend = (Buyer(w, relays, [mint], name=name) for name in ("owner", "friend"))
    for buyer in (owner, friend):
        buyer.fund(1500)
    done = owner("run", "-d", "--name", "one", "--for", "900s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease runs", done.stdout + done.stderr)
    done = owner("cp", str(ASK), "one:/ask")
    need(done.returncode == 0, "with a program to ask", done.stdout + done.stderr)
    request = asks(owner, provider)
    need(request.startswith("creqA"), "it has a payment request", page(owner, "/topup-request"))
    pays(owner, friend, provider, request)
    foreign(w, owner, mint)
    survives(owner, friend, provider)
    too_late(owner, friend, provider, mint)


main(test)
