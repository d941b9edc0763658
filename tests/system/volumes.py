#!/usr/bin/env python3
"""lease run -v and --tmpfs: what a lease keeps, what it borrows from another, and what an owner hears when that ends; on lease-devnet."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need
from provider import Buyer, Provider


def volumes(w, lease):
    """Named, anonymous, in memory, the operator's, and another lease's, whose end is told."""
    done = lease("run", "-d", "--name", "db", "--for", "300s", "-v", "data:/srv/data", "-v", "/cache", "--tmpfs", "/fast:size=1Mi,mode=0700",
                 "-v", "assets:models:/models", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease with storage of every kind runs", done.stderr)
    done = lease("exec", "db", "--", "sh", "-c", "cat /models/model; echo x > /models/x || echo fixed; stat -c %a /fast; id -u > /srv/data/mine; echo 1 > /cache/x")
    check(done.stdout == "weights\nfixed\n700\n", "with the operator's files, read-only", done.stdout + done.stderr)
    (w.dir / "copied").write_text("by cp\n")
    check(lease("cp", str(w.dir / "copied"), "db:/srv/data").returncode == 0, "lease cp copies into a volume")
    need(lease("stop", "-t", "1s", "db").returncode == 0, "it is stopped")
    need(lease("start", "db", "--", "sleep", "1001").returncode == 0, "and runs another command")
    check(lease("exec", "db", "--", "cat", "/srv/data/copied", "/cache/x").stdout == "by cp\n1\n", "on the same volumes")
    done = lease("run", "-d", "--name", "reader", "--for", "300s", "-v", "lease:db/data:/theirs:ro", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "another lease has its volume", done.stderr)
    check(lease("exec", "reader", "--", "cat", "/theirs/mine").stdout == "0\n", "and reads what the first wrote")
    check(lease("run", "-v", "lease:none/data:/x", "busybox").returncode == 2, "a lease that is not there is wrong usage")
    done = lease("run", "-v", "lease:db/none:/x", "busybox")
    check(done.returncode != 0 and "has no volume none" in done.stderr, "a volume that it has not is refused", done.stderr)
    done = lease("run", "-v", "assets:other:/x", "busybox")
    check(done.returncode == 11 and "no offer has such storage" in done.stderr, "and so are assets that nobody has", done.stderr)
    check(lease("rm", "db").returncode == 0, "the first lease ends")
    done = lease("status", "reader")
    check("stopped" in done.stdout and "has ended" in done.stderr, "and the owner of the second hears why it is stopped",
          done.stdout + done.stderr)
    check(lease("start", "reader").returncode != 0, "which cannot start without it")
    done = lease("rm", "reader")
    check(done.returncode == 0 and "erased" in done.stderr, "and is ended with its refund", done.stderr)


def test(w: World):
    net = w.devnet()
    models = w.dir / "models"
    models.mkdir(mode=0o755)
    (models / "model").write_text("weights\n")
    provider = Provider(w, [net.relay], [net.mint], settings=[f"volume.assets=models={models}"])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(2000)
    volumes(w, lease)
    provider.stop()


main(test)
