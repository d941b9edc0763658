#!/usr/bin/env python3
"""lease run -v and --tmpfs: what a lease keeps, what it borrows from another, and what an owner hears when that ends; on lease-devnet."""

import json
import pathlib
import re
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


def larger(lease):
    """A disk that grows, at once or while the lease is stopped, and what that costs."""
    done = lease("run", "-d", "--name", "big", "--for", "600s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease runs whose disk may grow", done.stderr)
    done = lease("grow", "big")
    check("64Mi" in done.stdout and "up to 256Mi" in done.stdout, "lease grow says what that costs", done.stdout)
    need(lease("exec", "big", "--", "sh", "-c", "echo kept > /root/kept").returncode == 0, "it has a file")
    check(lease("grow", "big", "1Gi").returncode != 0, "more than the offer lets it grow to is refused")
    before = json.loads(lease("show", "big").stdout.splitlines()[0])
    done = lease("grow", "big", "192Mi")
    if done.returncode != 0 and "not while it runs" in done.stderr:
        need(lease("stop", "-t", "1s", "big").returncode == 0, "on this host it is stopped for that")
        done = lease("grow", "big", "192Mi")
        need(lease("start", "big").returncode == 0, "and started again")
    need(done.returncode == 0 and "its disk has 192Mi" in done.stderr, "its disk grows", done.stderr)
    after = json.loads(lease("show", "big").stdout.splitlines()[0])
    check(after["expires_at"] < before["expires_at"], "it costs more and ends earlier", f"{before} {after}")
    check("192Mi at 10800 sat/h" in lease("grow", "big").stdout, "three times as much, as the offer says", lease("grow", "big").stdout)
    done = lease("exec", "big", "--", "sh", "-c", "cat /root/kept; dd if=/dev/zero of=/root/fill bs=1M count=120 2>&1 | tail -1; df -m / | tail -1")
    check(done.stdout.startswith("kept\n") and "No space" not in done.stdout, "and it has the room, and its file", done.stdout)
    done = lease("verify-isolation", "big")
    check(re.search(r"own-disk +yes +yes", done.stdout), "it is its own disk still", done.stdout + done.stderr)
    done = lease("topup", "--for", "60s", "big")
    later = json.loads(lease("show", "big").stdout.splitlines()[0])
    check(done.returncode == 0 and 60 <= later["expires_at"] - after["expires_at"] < 65, "time is bought at the new price", done.stderr)
    done = lease("rm", "big")
    check(done.returncode == 0 and "erased" in done.stderr, "its end pays back what is left", done.stderr)


def test(w: World):
    net = w.devnet()
    models = w.dir / "models"
    models.mkdir(mode=0o755)
    (models / "model").write_text("weights\n")
    provider = Provider(w, [net.relay], [net.mint], settings=[f"volume.assets=models={models}"])
    text = re.sub(r"^#? ?(disk_max|volume_price) ?=.*\n", "", provider.config.read_text(), flags=re.M)
    provider.config.write_text(text.replace("[offer small]", "[offer small]\ndisk_max = 256Mi\nvolume_price = 16sat/s", 1))
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(3000)
    volumes(w, lease)
    larger(lease)
    provider.stop()


main(test)
