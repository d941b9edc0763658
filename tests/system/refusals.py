#!/usr/bin/env python3
"""Every refusal has a code and words of its own, says what became of the token, and gives the money back at once."""

import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, end_of, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import Stranger, configure, leases_of, left_of, offer_of


def refused(replies, code, token, what, release=0):
    """One final reply with this code."""
    last = [r for r in replies if r.get("final")]
    one = last[0] if len(last) == 1 else {}
    got = (one.get("code"), one.get("token"), len(one.get("release", [])))
    check(got == (code, token, release) and one.get("message"), f"{what}: {code}, token {token}"
          + (", released" if release else ""), replies)


def unusual_locks(s, mint):
    other = s.w.run(s.program, "key", "11" * 32).stdout.strip()
    for what, code, lock in (
            ("a lock for all inputs and outputs", "lock_unsupported", {"tags": [["sigflag", "SIG_ALL"]]}),
            ("a lock with two keys", "lock_unsupported", {"tags": [["pubkeys", other], ["n_sigs", "2"]]}),
            ("a lock with two refund keys", "lock_unsupported", {"tags": [["refund", s.refund, other]]}),
            ("a lock with a tag of the future", "lock_unsupported", {"tags": [["vote", "yes"]]}),
            ("a lock of another kind", "lock_unsupported", {"kind": "HTLC"}),
            ("a lock with an odd time", "lock_unsupported", {"locktime": "0x7fffffff"}),
            ("a lock to another key", "lock_not_ours", {"data": other})):
        s.as_another()
        refused(s.ask(s.request(s.token(mint, **lock))), code, "unspent", what)
    refused(s.ask(s.request(s.token(mint, locktime=int(time.time()) + 300))), "lock_too_short", "unspent",
            "a lock that ends soon", release=2)
    plain = iter(f"plain{i}of{s.key}" for i in range(9))
    refused(s.ask(s.request(s.token(mint, secret=lambda: next(plain)))), "lock_required", "unspent", "no lock")


def strangers(w, net, provider, s):
    other = w.devnet(name="other", port=7100, fee_ppk=0)
    good = lambda **more: s.request(s.token(net.mint), **more)
    unknown = good(spec={"image": "nothing", "args": ["true"]})
    refused(s.ask(unknown), "image_not_found", "unspent", "an image that is not offered", release=2)
    replies = s.ask({**unknown, "spec": {"image": "busybox", "args": ["true"]}}, seconds=15, again=1)
    check("request_id_reused" in [r["code"] for r in replies], "its id with another request: request_id_reused", replies)
    refused(s.ask(s.request(s.token(other.mint))), "foreign_mint", "unspent", "a mint that is not taken")
    refused(s.ask(s.request(s.token(net.mint, amounts=(4,)))), "too_little", "unspent", "too little money", release=1)
    refused(s.ask(good(price={"msat": 1, "per": 1})), "stale_offer", "unspent", "a price that does not hold", release=2)
    refused(s.ask(good(offer="00" * 32)), "offer_unknown", "unspent", "an offer that never was", release=2)
    refused(s.ask(good(expires_at=int(time.time()) - 5)), "request_expired", "unspent", "a request too late", release=2)
    refused(s.ask(good(v=9)), "version_unsupported", None, "another protocol version")
    unusual_locks(s, net.mint)
    w.stop("other")
    check(not leases_of(provider), "none of them made a lease", leases_of(provider))


def acting_once(net, provider, s):
    """Returns the request, which is to be repeated later."""
    s.as_another()
    request = s.request(s.token(net.mint, amounts=(512,)))  # it takes room as long as somebody is to be refused for want of it
    replies = s.ask(request, seconds=20, again=1)
    last = [r for r in replies if r.get("final")]
    need(len(last) == 1 and last[0]["stage"] == "running", "a good request, sent twice, is answered once", replies)
    check(len(leases_of(provider)) == 1, "and makes one lease", leases_of(provider))
    replies = s.ask(s.request(request["token"]))
    refused(replies, "already_claimed", "spent", "its token with another request")
    check(len(leases_of(provider)) == 1, "and there is still one lease", leases_of(provider))
    return request


def while_away(net, provider, buyer, what, code, change):
    """The provider is away and comes back changed while `lease run` waits for its answer."""
    before = buyer.balance()
    old = provider.config.read_text()
    provider.stop(sig=signal.SIGKILL)
    name = code.replace("_", "-")
    run = subprocess.Popen([buyer.program, "run", "-d", "--name", name, "--for", "30s", "busybox", "--", "true"],
                           env=buyer.w.env(LEASE_HOME=buyer.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True)
    asked = wait_for(lambda: "asked" in buyer("show", name).stdout, 20)  # of the offer that was chosen
    change()
    provider.start()
    err = end_of(run, 90)
    check(asked and run.returncode == 4 and f"({code})" in err and "unspent" in err,
          f"{what}: lease run ends with 4 and says so", f"{run.returncode} {err}{provider.log()}")
    check("back in the wallet" in err and buyer.balance() == before, "and the money is back in the wallet",
          f"{before} {buyer.balance()} {err}")
    shown = json_lines(buyer("show", name).stdout)
    check(shown and shown[0]["state"] == "refused", "and lease show says refused", shown)
    provider.config.write_text(old)
    provider.stop()
    provider.start()
    need(wait_for(lambda: as_before(offer_of(buyer), net), 10), "the old offer is for sale again", buyer("offers").stdout)


def as_before(offer, net):
    return offer and offer["live"] and offer["min_payment"] == 10 and offer["images"][0]["name"] == "busybox" \
        and offer["mints"][0]["url"] == net.mint


def buyers(w, net, provider, buyer):
    image = f"other=oci:{w.dir}/busybox"
    while_away(net, provider, buyer, "an image that is not offered any more", "image_not_found",
               lambda: configure(provider, "offer small", "image", image))
    while_away(net, provider, buyer, "a mint that is not taken any more", "foreign_mint",
               lambda: configure(provider, "wallet", "mint", "http://127.0.0.1:7009"))
    while_away(net, provider, buyer, "a payment that is too small now", "too_little",
               lambda: configure(provider, "offer small", "min_payment", "100sat"))
    while_away(net, provider, buyer, "a host that has no room any more", "full",
               lambda: configure(provider, "limits", "max_leases", "1"))
    poor = Buyer(w, [net.relay], [net.mint], name="poor")
    poor.fund(5)
    done = poor("run", "--for", "30s", "busybox", "--", "true")
    check(done.returncode == 10 and "costs 30 sat" in done.stderr and "lease wallet fund 25 --mint" in done.stderr,
          "a wallet with too little: exit status 10, and what to do", done.stderr)
    done = buyer("run", "--for", "30s", "unheard-of", "--", "true")
    check(done.returncode == 11, "an image that nobody offers: exit status 11", f"{done.returncode} {done.stderr}")
    done = buyer("run", "--budget", "5", "--for", "30s", "busybox", "--", "true")
    check(done.returncode == 10, "more than the budget: exit status 10", f"{done.returncode} {done.stderr}")


def spent_elsewhere(w, net, provider, buyer):
    """Only a token without a lock can be spent behind the provider's back."""
    provider.stop()
    configure(provider, "wallet", "require_lock", "no")
    provider.start()
    offer = wait_for(lambda: offer_of(buyer), 10)
    need(offer, "a provider that takes tokens without a lock")
    s = Stranger(w, net.relay, offer)
    plain = iter(f"elsewhere{i}of{s.key}" for i in range(9))
    token = s.token(net.mint, secret=lambda: next(plain))
    before = buyer.balance()
    done = buyer("wallet", "receive", input=token)
    check(buyer.balance() == before + 20, "a token is swapped into a wallet", done.stderr)
    refused(s.ask(s.request(token)), "token_spent", "spent", "a token that was spent elsewhere")


def draining(provider, buyer, s, net):
    provider.ctl("drain")
    refused(Stranger(s.w, s.relay, s.offer).ask(s.request(s.token(net.mint))), "draining", "unspent", "a provider that drains", release=2)
    done = buyer("run", "--for", "30s", "busybox", "--", "true")
    check(done.returncode == 11 or done.returncode == 4 and "back in the wallet" in done.stderr,
          "lease run finds no offer then, or is refused", f"{done.returncode} {done.stderr}")
    provider.ctl("undrain")


def test(w: World):
    net = w.devnet(fee_ppk=0)
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    buyer = Buyer(w, [net.relay], [net.mint])
    buyer.fund(500)
    offer = wait_for(lambda: offer_of(buyer), 10)
    need(offer, "the offer is there", buyer("offers").stdout)
    s = Stranger(w, net.relay, offer)
    strangers(w, net, provider, s)
    request = acting_once(net, provider, s)
    buyers(w, net, provider, buyer)
    s.offer = offer_of(buyer)
    draining(provider, buyer, s, net)
    leases = set(leases_of(provider))
    s.ask_later(request, 66, 62)  # a stored reply comes again at most once a minute
    spent_elsewhere(w, net, provider, buyer)
    w.started["repeat"].wait(150)
    again = [r for r in json_lines(w.log("repeat")) if r["stage"] == "running"]
    check(len(again) > 1 and all(r == again[0] for r in again), "the good request again, later: the same reply", again)
    check(len(set(leases_of(provider)) - leases) <= 1, "and no second lease", leases_of(provider))
    for row in leases_of(provider).values():
        if row["state"] == "running":
            provider.ctl("stop", row["lease"], "--reason", "the test ends")
    need(wait_for(lambda: all(r["state"] in ("ended", "refused") for r in leases_of(provider).values()), 30, 0.5),
         "every lease has ended", leases_of(provider))
    provider.stop()
    check(not left_of(w), "nothing of ours is left on the host", left_of(w))


main(test)
