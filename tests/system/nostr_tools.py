#!/usr/bin/env python3
"""nostr-tools and rust-nostr, clients not written by us, against lease-devnet's relay."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, checks, main

ALICE, BOB = "11" * 32, "22" * 32
BOB_PUBLIC = "466d7fcae563e5cb09a0d1870bb580344804617879a14949cf22285f1bae3f27"


def test(w: World):
    relay = w.devnet().relay
    checks(w.node("nostr.mjs", "flow", relay))
    guarded = w.devnet(name="guarded", port=7100, auth=True).relay
    checks(w.node("nostr.mjs", "flow", guarded, "auth"), "with NIP-42: ")

    wrap = checks(w.node("nostr.mjs", "wrap", relay, ALICE, BOB_PUBLIC, json.dumps({"kind": 24402, "content": "hi"})))
    found = checks(w.node("rust-nostr.mjs", "fetch", relay, json.dumps({"kinds": [1059]}))) or []
    check(wrap and wrap["id"] in [e["id"] for e in found], "rust-nostr fetches a wrap that nostr-tools published")
    rumor = checks(w.node("rust-nostr.mjs", "unwrap", BOB, input=json.dumps(wrap)))
    check(rumor and rumor["content"] == "hi", "and opens it", rumor)


main(test)
