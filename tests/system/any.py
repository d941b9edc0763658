#!/usr/bin/env python3
"""lease run --any: three providers refuse, the fourth sells; money for one lease and the mint's fees is enough."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need
from provider import Buyer, Provider
from stranger import buyer_sat, left_of, provider_sat

REFUSING = ("one", "two", "three")
# 31 sat are the price, the token's face value is a sat more for the provider's swap, and making it costs one; each
# refusal costs one to make a token and one to take it back.
MONEY = 31 + 1 + 1 + 2 * len(REFUSING)


def test(w: World):
    net = w.devnet()
    # Nothing that costs 30 sat may lie at the mint: refused when it is asked for, and the offer looks good.
    cap = ("wallet.exposure_cap=20sat", "wallet.at_cap=refuse")
    refusing = [Provider(w, [net.relay], [net.mint], name=name, settings=cap) for name in REFUSING]
    good = Provider(w, [net.relay], [net.mint], name="good", price="1001msat/s")
    for provider in (*refusing, good):
        provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(MONEY)
    done = lease("run", "-d", "--name", "one", "--for", "30s", "busybox", "--", "true")
    check(done.returncode == 4 and "(mint_full)" in done.stderr, "without --any a refusal is the end",
          f"{done.returncode} {done.stdout}{done.stderr}")
    free, swaps, out = buyer_sat(lease)
    check((free, swaps, out) == (MONEY - 2, 0, 0), "and the money is back, less two fees", (free, swaps, out))
    lease.fund(2)

    done = lease("run", "--any", "--name", "one", "--for", "30s", "busybox", "--", "sh", "-c", "echo here; exit 3")
    need(done.returncode == 3 and "here" in done.stdout, "with --any it runs", f"{done.returncode} {done.stdout}{done.stderr}")
    check(done.stderr.count("(mint_full)") == len(REFUSING), "after three have refused", done.stderr)
    check(done.stderr.count("trying the next offer") == len(REFUSING), "which is said", done.stderr)
    free, swaps, out = buyer_sat(lease)
    check((swaps, out) == (0, 0), "and nothing is on its way", (free, swaps, out))
    check([provider_sat(p) for p in refusing] == [0, 0, 0], "who refused has nothing")
    held = free + provider_sat(good)
    check(MONEY + 2 - held <= 2 + 2 * len(REFUSING) + 2 + 2, "and only the mint's fees are gone", f"{free} of {MONEY}, {held}")
    done = lease("ls", "--all")
    check(done.stdout.count("one ") == 1, "the lease has the name that was wanted", done.stdout)

    for provider in (*refusing, good):
        provider.stop()
    check(not left_of(w), "nothing is left on the host", "\n".join(left_of(w)))


main(test)
