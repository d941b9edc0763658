#!/usr/bin/env python3
"""cashu-ts, a wallet not written by us, against lease-devnet's mint; on other people's mints it says what it can tell."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import Skip, World, checks, main, skip


def test(w: World):
    for name, start in (("lease-devnet", lambda: w.devnet().mint),
                        ("lease-devnet with v1 keysets", lambda: w.devnet("old", port=7100, keysets="v1").mint),
                        ("nutshell", w.nutshell), ("cdk-mintd", w.cdk)):
        try:
            mint = start()
        except Skip as e:
            skip(f"cashu-ts and {name}", e)
            continue
        checks(w.node("cashu.mjs", "flow", mint), f"{name}: ")


main(test)
