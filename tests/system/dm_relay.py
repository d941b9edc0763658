#!/usr/bin/env python3
"""Requests over relays of their own (NIP-17), and relays that refuse; on lease-devnet."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need
from provider import Buyer, Provider


def test(w: World):
    net = w.devnet(relays=2)
    public, private = net.relays
    provider = Provider(w, [public], [net.mint], settings=[f"nostr.dm_relay={private}"])
    provider.start()
    lease = Buyer(w, [public], [net.mint])
    lease.fund(500)
    done = lease("run", "-d", "--name", "box", "--for", "60s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a request reaches a provider that reads it at another relay", done.stderr + provider.log())
    check("running" in lease.state("box"), "and so does the next command", lease.state("box"))
    text = lease("--json", "offers").stdout
    check("small" in text, "the offer is at the public relay", text)

    for at in ("relay", "relay2"):
        net.tell(fault="refuse", at=at, frame="EVENT", next=0, text="blocked: not today")
    began = time.monotonic()
    done = lease("status", "box")
    check(done.returncode == 9 and "refuses" in done.stderr, "lease says that every relay refuses", f"{done.returncode} {done.stderr}")
    check(time.monotonic() - began < 20, "at once", time.monotonic() - began)
    provider.stop()


main(test)
