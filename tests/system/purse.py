#!/usr/bin/env python3
"""The buyer's wallet as its owner meets it: invoices, given tokens, limits, the risk of a new provider, and what is open."""

import contextlib
import fcntl
import os
import pathlib
import pty
import re
import select
import sqlite3
import struct
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import BUILD, PATIENCE, World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import Stranger, buyer_sat, offer_of, provider_sat

ECHO = ("busybox", "--", "sh", "-c", "echo hi there; exit 3")


def on_terminal(lease, *argv, seconds=30, interrupt_at=None):
    """Exit status and all that a terminal of 50 lines showed; Ctrl-C when that text has come."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(lease.program, [str(a) for a in (lease.program, *argv)], lease.w.env(LEASE_HOME=lease.home))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    shown, end = b"", time.monotonic() + PATIENCE * seconds
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
        if interrupt_at and interrupt_at in shown:
            os.write(fd, b"\x03")
            interrupt_at = None
    else:
        os.kill(pid, 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


def invoices(w, net):
    lease = Buyer(w, [net.relay], [net.mint], name="poor")
    done = lease("run", "-d", "--for", "30s", "busybox", "--", "sleep", "1000")
    command = re.search(r"lease (wallet fund (\d+) --mint \S+)", done.stderr)
    need(done.returncode == 10 and command, "an empty wallet and no terminal: exit status 10, and what to do", done.stderr)
    check(lease(*command.group(1).split()).returncode == 0, "which can be done")
    done = lease("run", "-d", "--for", "30s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0 and buyer_sat(lease)[0] == 0, "and was enough, to the satoshi", f"{done.stderr} {buyer_sat(lease)}")

    lease = Buyer(w, [net.relay], [], name="naked")
    status, shown = on_terminal(lease, "run", "--for", "30s", *ECHO)
    check(status == 3 and "hi there" in shown, "on a terminal lease run goes on when its invoice is paid", f"{status} {shown}")
    amount = re.search(r"pay this invoice over (\d+) sat", shown)
    check(amount and int(amount.group(1)) == int(command.group(2)), "the invoice is over exactly this lease", shown)
    check("lnbc" in shown and "█▄▄▄" in shown, "shown as text and as QR code", shown)


def funding(w, net):
    lease = Buyer(w, [net.relay], [], name="asker")
    done = lease("wallet", "fund", 10)
    check(done.returncode == 0 and f"at {net.mint}: 1 of 1 providers take it" in done.stderr,
          "without --mint the mint is one that providers take, and that is said", done.stderr)
    rows = json_lines(lease("--json", "wallet", "mints", "--offers").stdout)
    check([(r["mint"], r["providers"], r["available_sat"]) for r in rows] == [(net.mint, 1, 10)], "lease wallet mints --offers", rows)

    late = "http://127.0.0.1:7301"
    w.start("late", BUILD / "lease-devnet", "--relay-port", 7300, "--mint-port", 7301, "--pay-after", 25000, port=7301)
    status, shown = on_terminal(lease, "wallet", "fund", "--mint", late, "20", interrupt_at=b"waiting for the payment")
    check(status == 130 and "left" in shown and "lease wallet pending" in shown, "Ctrl-C leaves the invoice, and says so", f"{status} {shown}")
    invoice = re.search(r"lnbc\w+", shown)
    shown = lease("wallet", "pending").stdout
    check(invoice and invoice.group() in shown and "unpaid" in shown, "lease wallet pending shows it", shown)
    said = []
    wait_for(lambda: said.append(lease("wallet", "pending")) or "20 sat are in the wallet" in said[-1].stderr, 30, 0.5)
    done = said[-1]
    check("20 sat are in the wallet" in done.stderr and done.stdout == "" and lease.sat(late) == (20, 0),
          "and takes the money when it is paid", done.stdout + done.stderr)
    w.stop("late")


def plain(s, mint, amounts):
    names = iter(f"plain{time.monotonic_ns()}of{i}" for i in range(99))
    return s.token(mint, amounts=amounts, secret=lambda: next(names))


def tokens(w, net, s):
    lease = Buyer(w, [net.relay], [net.mint], name="giver")
    file = w.dir / "token"
    file.write_text(plain(s, net.mint, (64, 32)) + "\n")
    done = lease("run", "--token-file", file, "--for", "30s", *ECHO)
    check(done.returncode == 3 and "hi there" in done.stdout, "a token of another wallet pays", f"{done.returncode} {done.stdout}{done.stderr}")
    free, swaps, out = buyer_sat(lease)
    check((swaps, out) == (0, 0) and free >= 96 - 1 - 1 - 31, "and the rest stays in the wallet", (free, swaps, out))
    done = lease("run", "--token-file", file, "--for", "30s", *ECHO)
    check(done.returncode == 8 and "the token: it was spent" in done.stderr, "a second time it is spent", f"{done.returncode} {done.stderr}")

    lease = Buyer(w, [net.relay], [net.mint], name="taker")
    little = plain(s, net.mint, (16,))
    done = lease("run", "--token-file", "-", "--for", "30s", *ECHO, input=little)
    check(done.returncode == 10 and "15 sat" in done.stderr and "not touched" in done.stderr, "too little is said, and left alone",
          f"{done.returncode} {done.stderr}")
    done = lease("wallet", "receive", input=little)
    check(done.returncode == 0 and buyer_sat(lease)[0] == 15, "so that it is still money", done.stderr)
    other = w.devnet(name="other", port=7100)
    done = lease("run", "--token-file", "-", "--for", "30s", *ECHO, input=plain(s, other.mint, (64,)))
    check(done.returncode == 11 and "mint" in done.stderr, "a token of a mint that nobody takes is refused", f"{done.returncode} {done.stderr}")

    done = lease("run", "-d", "--name", "long", "--token-file", "-", "--for", "30s", "busybox", "--", "sleep", "1000",
                 input=plain(s, net.mint, (32,)))
    check(done.returncode == 0 and done.stdout == "long\n", "a token on standard input, beside what is there", done.stdout + done.stderr)
    before = json_lines(lease("show", "long").stdout)[0]["expires_at"]
    done = lease("topup", "--token-file", "-", "--for", "20s", "long", input=plain(s, net.mint, (32,)))
    after = json_lines(lease("show", "long").stdout)[0]["expires_at"]
    check(done.returncode == 0 and after - before == 20, "lease topup takes one, too", f"{before} {after} {done.stderr}")
    done = lease("topup", "--token-file", "-", "--for", "20s", "long", input=plain(s, other.mint, (32,)))
    check(done.returncode == 10 and other.mint in done.stderr, "but not of another mint than the lease's", f"{done.returncode} {done.stderr}")
    lease("rm", "long")
    w.stop("other")


def limits(w, net):
    lease = Buyer(w, [net.relay], [net.mint], name="careful")
    lease.fund(500)
    conf = lease.home / "lease.conf"
    text = conf.read_text()
    conf.write_text(text + "[limits]\nper_lease = 50sat\n")
    done = lease("run", "-d", "--for", "60s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 10 and "per_lease = 50" in done.stderr and str(conf) in done.stderr,
          "a limit for each lease is named, with its file", f"{done.returncode} {done.stderr}")
    done = lease("run", "-d", "--name", "small", "--for", "30s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0, "below it all is well", done.stderr)
    done = lease("topup", "--for", "30s", "small")
    check(done.returncode == 10 and "19 sat are left" in done.stderr, "top-ups count", f"{done.returncode} {done.stderr}")
    conf.write_text(text + "[limits]\nper_day = 100sat\n")
    done = lease("run", "-d", "--for", "90s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 10 and "per_day = 100" in done.stderr and "69 sat are left" in done.stderr,
          "the day's limit counts every lease", f"{done.returncode} {done.stderr}")
    done = lease("rm", "small")
    check(done.returncode == 0, "a lease is ended early", done.stderr)
    done = lease("run", "-d", "--for", "70s", "--name", "other", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0, "and its refund may be spent again the same day", f"{done.returncode} {done.stderr}")
    lease("rm", "other")
    rows = json_lines(lease("--json", "ls", "--all").stdout)
    check(buyer_sat(lease)[1:] == (0, 0) and len(rows) == 2, "and a refused order leaves nothing behind", rows)


def risk(w, net, provider):
    lease = Buyer(w, [net.relay], [net.mint], name="wary")
    lease.fund(500)
    before = provider_sat(provider)
    done = lease("run", "-d", "--name", "first", "--for", "90s", "--max-risk", "30s", "busybox", "--", "sleep", "1000")
    row = json_lines(lease("show", "first").stdout)[0]
    check(done.returncode == 0 and "is new here" in done.stderr and "30 of 90 sat" in done.stderr, "a new provider gets a part first",
          f"{done.returncode} {done.stderr}")
    check(row["expires_at"] - row["started_at"] == 90 and provider_sat(provider) - before == 90, "and the rest when the lease runs",
          f"{row} {before} {provider_sat(provider)}")
    done = lease("run", "-d", "--name", "second", "--for", "90s", "--max-risk", "30s", "busybox", "--", "sleep", "1000")
    check(done.returncode == 0 and "is new here" not in done.stderr, "one that gave a lease is known", done.stderr)
    for name in ("first", "second"):
        lease("rm", name)


def pending(w, net):
    lease = Buyer(w, [net.relay], [net.mint], name="forgetful")
    lease.fund(500)
    env = w.env(LEASE_HOME=lease.home, LEASED_TEST_STEP="PLAN_SETTLED")
    done = w.run(lease.program, "run", "-d", "--name", "lost", "--for", "30s", "busybox", "--", "sleep", "1000", env=env)
    check(done.returncode == -9, "a command dies when its token is made and its request is not sent", f"{done.returncode} {done.stderr}")
    rows = json_lines(lease("--json", "wallet", "pending").stdout)
    check([(r["kind"], r["amount_sat"], r.get("lease")) for r in rows] == [("token", 31, "lost")],
          "lease wallet pending shows the token and what it is for", rows)
    shown = lease("wallet", "pending").stdout
    check("lease recover" in shown and "in 2h59m" in shown or "in 3h" in shown, "and when it comes back at the latest", shown)
    done = lease("recover")
    check(done.returncode == 0 and "running" in lease.state("lost"), "lease recover sends the request after all", done.stdout + done.stderr)
    check(lease("wallet", "pending").stdout == "", "and nothing is open")
    lease("rm", "lost")

    before = buyer_sat(lease)[0]
    w.run(lease.program, "run", "-d", "--name", "late", "--for", "30s", "busybox", "--", "true", env=env)
    with contextlib.closing(sqlite3.connect(lease.home / "wallet.db")) as db, db:
        db.execute("UPDATE ask SET expires_at = expires_at - 200 WHERE open = 1")  # as if it had waited
    done = lease("recover")
    check(done.returncode == 0 and "(request_expired)" in done.stderr, "too late for a lease, the provider gives the token free",
          f"{done.returncode} {done.stdout}{done.stderr}")
    check(buyer_sat(lease) == (before - 2, 0, 0), "and its money is back long before its lock ends", f"{before} {buyer_sat(lease)}")


def test(w: World):
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    s = Stranger(w, net.relay, offer_of(lease))
    invoices(w, net)
    funding(w, net)
    tokens(w, net, s)
    limits(w, net)
    risk(w, net, provider)
    pending(w, net)
    provider.stop()


main(test)
