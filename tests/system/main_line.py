#!/usr/bin/env python3
"""The main line: a paid, running, erased container, and what of it survives a kill; on lease-devnet."""

import json
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import traces
from harness import World, check, main, need, wait_for
from provider import Buyer, Provider


def test(w: World):
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(1000)
    check(lease.balance() == 1000, "lease wallet fund fills the wallet", lease("wallet", "balance").stdout)
    offers = lease("offers")
    check("small" in offers.stdout and "live" in offers.stdout, "lease offers lists the offer as live", offers.stdout)

    done = lease("run", "--for", "60s", "busybox", "--", "sh", "-c", "echo to out; echo to err >&2; exit 7")
    check(done.returncode == 7, "lease run exits as its command does", f"{done.returncode} {done.stderr}{provider.log()}")
    check("to out" in done.stdout, "and shows its output", done.stdout + done.stderr)
    check("to err" in done.stderr, "and its errors as errors", done.stderr)
    check("erased" in done.stderr and "receipt" in done.stderr, "and says that it was erased", done.stderr)
    bill = re.search(r"ran (\d+) s, paid (\d+) sat, (\d+) sat back, erased, receipt [0-9a-f]{4}$", done.stderr.strip())
    check(bill and int(bill[3]) > 20 and "due" not in done.stderr, "and what was not used is back", done.stderr)
    check(adds_up(lease, provider, net.mint, 1000), "buyer, provider and the mint's fees have what was minted",
          f"{lease.balance()} {provider.sat(net.mint)}")

    done = lease("run", "-d", "--name", "long", "--for", "300s", "-e", "WORD=purple", "busybox", "--",
                 "sh", "-c", "echo $WORD; while :; do sleep 0.1; echo tick; done")
    need(done.returncode == 0 and done.stdout.strip() == "long", "lease run -d prints the name", done.stdout + done.stderr)
    done = lease("exec", "long", "--", "sh", "-c", "cat /proc/1/comm; exit 3")
    check(done.returncode == 3 and done.stdout.strip() == "sh", "lease exec runs a command and exits as it does",
          f"{done.returncode} {done.stdout}{done.stderr}")
    check("purple" in lease("logs", "long").stdout, "lease logs shows what the command wrote")
    check(wait_for(lambda: lease("logs", "-n", "3", "long").stdout == "tick\n" * 3, 5), "and only the last lines")
    done = lease("logs", "-t", "-n", "3", "long")
    check(re.fullmatch(r"(20\d\d-\d\d-\d\dT[\d:.]+Z tick\n){3}", done.stdout), "with their times", done.stdout + done.stderr)
    check("purple" in lease("logs", "--since", "10m", "--until", "0s", "long").stdout, "of some time")
    check(lease("logs", "--until", "1000", "long").stdout == "", "and of no other")
    done = provider.ctl("doctor")
    check(re.search(r"^ok +isolation: seccomp: on: ", done.stdout, re.M) and
          re.search(r"isolation: apparmor: (on|off|impossible here): ", done.stdout), "leasectl doctor says what keeps leases in",
          done.stdout + done.stderr)
    done = lease("verify-isolation", "long")
    check(done.returncode == 0 and re.search(r"^seccomp +yes +yes ", done.stdout, re.M),
          "lease verify-isolation finds what the offer promises", done.stdout + done.stderr)
    before = lease.balance()
    done = lease("topup", "--for", "30s", "long")
    check(done.returncode == 0 and before - lease.balance() >= 30, "lease topup buys time", done.stdout + done.stderr)
    check("long" in lease("ls").stdout, "lease ls lists it")

    provider.stop(sig=signal.SIGKILL)
    check(wait_for(lambda: not core_of(provider), 5), "leased-core ends when leased is killed")
    time.sleep(3)  # long enough for the command to write 20 lines that nobody but the keeper reads
    provider.start()
    check("running" in lease.state("long"), "after kill -9 of leased the lease is still there", provider.log())
    done = lease("exec", "long", "--", "true")
    check(done.returncode == 0, "and can be used", done.stderr)
    lines = lease("logs", "long").stdout.split("\n")
    check(lines.count("tick") > 20, "and what it wrote meanwhile is in the log", len(lines))

    done = lease("run", "-d", "--name", "brief", "--for", "10s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0, "a short lease", done.stderr)
    check(wait_for(lambda: "ended" in lease.state("brief"), 25, 0.5), "ends by itself", lease.state("brief"))

    before = lease.balance()
    done = lease("rm", "long")
    check(done.returncode == 0, "lease rm ends a lease", done.stdout + done.stderr)
    check(lease.balance() > before + 20 and " sat back" in done.stderr, "and gives the rest back", done.stderr)
    refunds = json.loads(lease("show", "long").stdout.splitlines()[0])["refunds"]
    check([r["state"] for r in refunds] == ["taken"], "lease show says that it was taken", refunds)
    done = lease("verify", "long")
    check(done.returncode == 0 and "tried then, and failed" in done.stdout and "never on its disk" in done.stdout,
          "lease verify says what its receipt proves", done.stdout + done.stderr)
    record = w.dir / "record"
    record.write_text(lease("show", "long").stdout.splitlines()[1])
    check(lease("verify", record).stdout == done.stdout, "of a file, too")
    done = provider.ctl("status")
    check("erase" not in done.stdout, "leasectl status has nothing that is not erased", done.stdout)
    done = lease("offers")
    check(re.search(r"\d+MB/s", done.stdout), "lease offers says how fast the disk is", done.stdout)
    done = provider.ctl("doctor")
    check(re.search(r"disk speed: \d+ MB/s", done.stdout), "and leasectl doctor", done.stdout)
    done = lease("recover")
    check(done.returncode == 0 and "nothing is unclear" in done.stderr, "lease recover finds nothing open", done.stderr)
    ids = {line.split()[0] for line in provider.ctl("leases", "--all").stdout.splitlines()[1:] if line.strip()}
    check(len(ids) == 3, "leasectl lists three leases", ids)
    for one in sorted(ids):
        check(wait_for(lambda one=one: not traces(w, one), 10), f"nothing is left of {one}", "\n".join(traces(w, one)))
    done = lease("run", "busybox-that-is-not-there", "--", "true")
    check(done.returncode in (4, 11), "an unknown image is refused", f"{done.returncode} {done.stderr}")
    provider.stop()


def adds_up(lease, provider, mint, minted):
    """Each has what it shows, and the mint kept a few sat for swapping."""
    sum_ = lease.balance() + provider.sat(mint)
    return minted - 12 <= sum_ < minted


def core_of(provider):
    """Processes of the provider's leased-core."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == "leased-core" and (process / "stat").read_text().split()[2] != "Z":
                found.append(process)
        except OSError:
            pass
    return found


main(test)
