#!/usr/bin/env python3
"""The main line over two relays not written by us: PyPI nostr-relay with NIP-42, and nostrmini, which takes anything."""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, checks, main, need, wait_for
from provider import Buyer, Provider


def buy(w, relays, mint, name):
    """Every verb of a buyer over the given relays."""
    lease = Buyer(w, relays, [mint], name=f"buyer-{name}")
    lease.fund(300)
    need(wait_for(lambda: "live" in lease("offers").stdout, 15, 0.5), f"{name}: lease offers shows a live offer")
    done = lease("run", "--for", "30s", "busybox", "--", "echo", "hello from a lease")
    need((done.returncode, done.stdout) == (0, "hello from a lease\n"), f"{name}: lease run prints what the command printed",
         done.stdout + done.stderr)
    done = lease("run", "-d", "--name", "kept", "--for", "60s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, f"{name}: lease run -d", done.stdout + done.stderr)
    done = lease("exec", "kept", "--", "sh", "-c", "echo out; exit 7")
    check((done.returncode, done.stdout) == (7, "out\n"), f"{name}: lease exec brings output and status",
          done.stdout + done.stderr)
    before = expiry(lease)
    done = lease("topup", "--for", "30s", "kept")
    check(done.returncode == 0 and expiry(lease) >= before + 30, f"{name}: lease topup buys time", done.stdout + done.stderr)
    done = lease("rm", "kept")
    check(done.returncode == 0 and "erased" in done.stderr, f"{name}: lease rm erases", done.stdout + done.stderr)


def expiry(lease):
    return json.loads(lease("show", "kept").stdout.splitlines()[0])["expires_at"]


def authenticated(w, provider):
    """Whom nostr-relay's log says it authenticated: the provider, and a buyer under another key."""
    log = (w.dir / "nostr-relay-7001.log").read_text()
    keys = set(re.findall(r"Authenticated ([0-9a-f]{64})", log))
    check(provider.status()["pubkey"] in keys and len(keys) > 1, "provider and buyers authenticate (NIP-42)", keys)


def look(w, relay, provider):
    """What lies on the open relay, to the eyes of clients that others wrote."""
    authors = [provider.status()["pubkey"]]
    events = checks(w.node("nostr.mjs", "fetch", relay, json.dumps({"kinds": [38402, 10402], "authors": authors}))) or []
    kinds = {e["kind"]: e for e in events}
    need(set(kinds) == {38402, 10402}, "nostr-tools finds offer and heartbeat", events)
    checks(w.node("rust-nostr.mjs", "verify", input=json.dumps(events)))
    offer, beat = (json.loads(kinds[k]["content"]) for k in (38402, 10402))
    check(offer["v"] == 1 and offer["price"] == {"msat": 1000, "per": 1} and offer["images"][0]["name"] == "busybox",
          "the offer says price and image", offer)
    check(beat["v"] == 1 and beat["seq"] >= 1 and beat["agent"] == offer["agent"], "the heartbeat counts", beat)


def test(w: World):
    auth, anything = w.relay_auth(), w.relay_open()
    mint = w.devnet(port=7010).mint
    provider = Provider(w, [auth, anything], [mint])
    provider.start()
    need(wait_for(lambda: all(r["open"] for r in provider.status()["relays"]), 10), "leased is on both relays",
         provider.ctl("status").stdout)
    buy(w, [auth, anything], mint, "both")
    look(w, anything, provider)
    buy(w, [auth], mint, "nostr-relay")
    authenticated(w, provider)
    buy(w, [anything], mint, "nostrmini")
    provider.stop()


main(test)
