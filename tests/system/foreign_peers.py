#!/usr/bin/env python3
"""leased and lease over relays and mints that others wrote, and requests that others' programs made."""

import json
import pathlib
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, check, checks, main, need, skip, wait_for
from provider import Buyer, Provider

STRANGER = "33" * 32  # a Nostr key of nostr-tools
STRANGER_PUBLIC = "3c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1"
REFUND_PRIVATE = "00" * 31 + "01"
REFUND = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"  # its public key


class Outside:
    """A buyer made of other people's programs."""

    def __init__(self, w, relay):
        self.w, self.relay = w, relay
        found = checks(w.node("nostr.mjs", "fetch", relay, json.dumps({"kinds": [38402]}))) or []
        need(found, "nostr-tools finds and verifies the offer")
        self.event = found[0]
        self.offer = json.loads(self.event["content"])

    def key(self, mint):
        return next(m["payment_key"] for m in self.offer["mints"] if m["url"].rstrip("/") == mint)

    def spawn(self, token, command=("sleep", "100"), refund=REFUND, image="busybox"):
        """The replies to a request for a lease."""
        content = {"v": 1, "type": "spawn", "request_id": secrets.token_hex(16), "expires_at": int(time.time()) + 120,
                   "offer": self.event["id"], "price": self.offer["price"], "token": token, "refund_key": refund,
                   "spec": {"image": image, "args": list(command)}}
        rumor = {"kind": 24402, "content": json.dumps(content)}
        return checks(self.w.node("nostr.mjs", "ask", self.relay, STRANGER, self.event["pubkey"], json.dumps(rumor))) or []


def expect_running(replies, name):
    last = replies[-1] if replies else {}
    check(last.get("stage") == "running" and last.get("token") in (None, "spent"), name, json.dumps(replies))


def locktime():
    return int(time.time()) + 120 + 3 * 3600


def buy(w, relays, mint, name):
    """One lease of our own over the given relays, paid at `mint`."""
    lease = Buyer(w, relays, [mint], name=f"buyer-{name}")
    lease.fund(200)
    done = lease("run", "--for", "20s", "--mint", mint, "busybox", "--", "echo", "hello")
    check(done.returncode == 0 and "hello" in done.stdout, f"lease run pays at {name}", done.stdout + done.stderr)


def redeem(w, mint, token, reply, name):
    """A refused token of 25 sat is worth as much as before, less the fee of one swap."""
    back = checks(w.node("cashu.mjs", "release", mint, token, json.dumps(reply.get("release", []))), "the refused token: ")
    check(back and back["amount"] == 24, name, back)


def outside_tokens(w, relay, nutshell):
    outside = Outside(w, relay)
    key = outside.key(nutshell)
    made = checks(w.node("cashu.mjs", "lock", nutshell, 25, key, REFUND, locktime()))
    expect_running(outside.spawn(made["token"]), "a locked token of cashu-ts buys a lease")

    w.cashu_fund(nutshell, 300)
    seconds = 120 + 3 * 3600
    expect_running(outside.spawn(w.cashu_lock(nutshell, 25, key, REFUND, seconds)),
                   "a locked token of nutshell's wallet buys a lease")
    token = w.cashu_lock(nutshell, 25, key, REFUND, seconds, dleq=False)
    last = (outside.spawn(token) or [{}])[-1]
    check(last.get("code") == "dleq_missing" and last.get("token") == "unspent" and last.get("release"),
          "without DLEQ proofs it is refused as dleq_missing, unspent, released", json.dumps(last))
    redeem(w, nutshell, token, last, "cashu-ts swaps it back at once")
    made = checks(w.node("cashu.mjs", "lock", nutshell, 25, key, REFUND, locktime()))
    last = (outside.spawn(made["token"], image="not-offered") or [{}])[-1]
    check(last.get("code") == "image_not_found" and last.get("token") == "unspent", "an image that is not offered is refused",
          json.dumps(last))
    redeem(w, nutshell, made["token"], last, "and its token swapped back at once")
    made = checks(w.node("cashu.mjs", "lock", nutshell, 122, key, REFUND, locktime()))
    last = (outside.spawn(made["token"]) or [{}])[-1]
    check(last.get("code") == "too_much" and last.get("token") == "unspent" and last.get("release"),
          "a token that buys more than the longest lease is refused", json.dumps(last))
    plain = checks(w.node("cashu.mjs", "plain", nutshell, 25))
    last = (outside.spawn(plain["token"]) or [{}])[-1]
    check(last.get("code") == "lock_required" and last.get("token") == "unspent", "a plain token is refused", json.dumps(last))
    return outside


def rust_nostr(w, relay, pubkey):
    for kind, what in ((38402, "offer"), (10402, "heartbeat")):
        found = checks(w.node("rust-nostr.mjs", "fetch", relay, json.dumps({"kinds": [kind], "authors": [pubkey]})))
        check(found, f"rust-nostr fetches the {what}")
    wraps = checks(w.node("nostr.mjs", "fetch", relay, json.dumps({"kinds": [1059], "#p": [STRANGER_PUBLIC]}))) or []
    rumors = [checks(w.node("rust-nostr.mjs", "unwrap", STRANGER, input=json.dumps(wrap))) or {} for wrap in wraps]
    check(rumors and all(r.get("kind") == 24403 and r["sender"] == r["pubkey"] == pubkey for r in rumors),
          f"rust-nostr opens {len(rumors)} replies", json.dumps(rumors))


def test(w: World):
    relays, nutshell = [w.relay_auth(), w.relay_open()], w.nutshell()
    mints = [nutshell]
    try:
        mints.append(w.cdk())
    except Skip as e:
        skip("cdk-mintd", e)
    provider = Provider(w, relays, mints, settings=["offer.max_lease=120s"])
    provider.start()
    for relay, name in zip(relays, ("nostr-relay", "nostrmini")):
        look = Buyer(w, [relay], mints, name=f"look-{name}")
        check(wait_for(lambda look=look: "live" in look("offers").stdout, 15, 0.5), f"the offer is live on {name}", provider.log())
    for mint, name in zip(mints, ("nutshell", "cdk-mintd")):
        buy(w, relays, mint, name)
    outside = outside_tokens(w, relays[1], nutshell)
    rust_nostr(w, relays[1], outside.event["pubkey"])
    for line in provider.ctl("leases").stdout.splitlines()[1:]:
        provider.ctl("stop", line.split()[0], "--reason", "the test ends")
    check(wait_for(lambda: len(provider.ctl("leases").stdout.splitlines()) <= 1, 30), "leasectl stop ends what is left",
          provider.ctl("leases").stdout)
    provider.stop()


main(test)
