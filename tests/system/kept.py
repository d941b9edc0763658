#!/usr/bin/env python3
"""lease volume and lease mounts: what outlives a lease, and what survives another image; on lease-devnet."""

import json
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, main, need, note, wait_for
from provider import MAKE_IMAGE, Buyer, Provider

SLEEP = ("busybox", "--", "sleep", "1000")


def run(lease, name, *options):
    done = lease("run", "-d", "--name", name, "--for", "300s", *options, *SLEEP)
    if done.returncode:
        note(f"{name}: {done.stderr.strip()}")
    return done


def end(lease, name):
    """Its processor and its volume are free for the next one."""
    done = lease("rm", name)
    need(done.returncode == 0, f"{name} ends", done.stderr) if done.returncode else None


def sh(lease, name, script):
    done = lease("exec", name, "--", "sh", "-c", script)
    return done.stdout + done.stderr


def rows(lease, *more):
    return {r["name"]: r for r in map(json.loads, lease("--json", "volume", "ls", *more).stdout.splitlines())}


def outlives(lease):
    """Bought, written by one lease, found by the next."""
    before = lease.balance()
    done = lease("volume", "create", "data", "--size", "64Mi", "--for", "600s", "--max-risk", "1h")
    need(done.returncode == 0, "lease volume create buys a volume", done.stderr)
    check(before - lease.balance() in range(38, 42), "at the price of its size", before - lease.balance())
    row = rows(lease).get("data", {})
    check(row.get("volume_bytes") == 64 << 20, "lease volume ls has it", row)
    check(lease("stats").returncode == 0, "lease stats asks leases alone")
    check("data" not in lease("ls").stdout, "and lease ls has not", lease("ls").stdout)
    need(run(lease, "one", "-v", "kept:data:/data").returncode == 0, "a lease attaches it")
    check(sh(lease, "one", "mkdir /data/part; echo first > /data/part/x; cat /data/part/x") == "first\n", "and writes to it")
    done = run(lease, "no", "-v", "kept:data:/data")
    check(done.returncode == 4 and "writes to that volume" in done.stderr, "a second writer is refused", done.stderr)
    need(lease("rm", "one").returncode == 0, "the lease ends")
    need(run(lease, "two", "-v", "kept:data:/data").returncode == 0, "the next one attaches it")
    check(sh(lease, "two", "cat /data/part/x; echo second >> /data/part/x") == "first\n", "and reads what the first wrote")
    check(lease("rm", "data").returncode == 2, "lease rm removes no volume")
    done = lease("exec", "data", "--", "true")
    check(done.returncode != 0 and "nothing runs" in done.stderr, "and nothing runs in one", done.stderr)


def shared(lease, provider):
    row = [r for r in provider.leases()["leases"] if r.get("kept") == "data"]
    check(len(row) == 1 and row[0]["state"] == "kept" and row[0]["volume_bytes"] == 64 << 20, "leasectl leases tells it from a lease", row)
    need(run(lease, "three", "-v", "kept:data:/data:ro").returncode == 0, "a reader beside the writer")
    need(run(lease, "four", "-v", "kept:data:/part:ro,subpath=part").returncode == 0, "and one of a folder of it")
    said = sh(lease, "three", "cat /data/part/x; touch /data/y 2>/dev/null || echo fixed")
    check(said == "first\nsecond\nfixed\n", "the first reads all", said)
    said = sh(lease, "four", "ls /part; touch /part/y 2>/dev/null || echo fixed")
    check(said == "x\nfixed\n", "the second reads its part", said)
    done = lease("run", "-v", "kept:data:/part:ro,subpath=../part", *SLEEP)
    check(done.returncode == 2 and "subpath" in done.stderr, "no path leads out of it", done.stderr)
    done = lease("status", "data")
    check("kept" in done.stdout and "3 leases have it attached" in done.stderr, "lease status says who uses it", done.stdout + done.stderr)


def strangers(w, net, lease):
    """Somebody else who knows the volume's id."""
    other = Buyer(w, [net.relay], [net.mint], name="other")
    other.fund(500)
    spec = w.dir / "theirs.json"
    volume = rows(lease)["data"]["lease"]
    spec.write_text(json.dumps({"image": "busybox", "storage": [{"type": "kept", "path": "/x", "lease": volume, "read_only": True}]}))
    done = other("run", "--for", "60s", "--spec", str(spec))
    check(done.returncode == 4 and "you have no volume" in done.stderr, "another buyer is refused, and gets the money back", done.stderr)
    check(other.balance() >= 498, "all of it", other.balance())


def expires(lease):
    """Its end stops who uses it; extending moves that end."""
    need(lease("volume", "create", "brief", "--size", "16Mi", "--for", "400s").returncode == 0, "a second volume")
    before = rows(lease)["brief"]["expires_at"]
    check(lease("volume", "extend", "--for", "400s", "brief").returncode == 0, "is extended")
    check(rows(lease)["brief"]["expires_at"] > before + 300, "and lasts longer")
    need(run(lease, "user", "-v", "kept:brief:/b").returncode == 0, "a lease uses it")
    done = lease("volume", "rm", "brief")
    check(done.returncode == 0 and " sat back" in done.stderr, "it is removed, and the rest of its time comes back", done.stderr)
    done = lease("verify", "brief")
    check(done.returncode == 0 and "tried then, and failed" in done.stdout, "lease verify says what its receipt proves", done.stdout + done.stderr)
    done = lease("status", "user")
    check("stopped" in done.stdout and "kept volume brief" in done.stderr, "whoever used it is stopped, and told why", done.stdout + done.stderr)
    check(lease("start", "user").returncode != 0, "and cannot start without it")
    check(lease("rm", "user").returncode == 0, "but ends with its refund")


def runs_out(w, lease, provider):
    """Paid time that is over."""
    left = max(0, rows(lease, "-a")["last"]["expires_at"] - time.time())
    check(wait_for(lambda: "ended" in lease("status", "last").stdout, left + 30, 1), "a volume whose time is over ends by itself",
          lease("status", "last").stdout)
    check(rows(lease, "-a")["last"]["why"] == "expired", "because that expired", rows(lease, "-a")["last"])
    check(lease("verify", "last").returncode == 0, "and its erasure is proven")
    left = [p.name for p in (provider.dir / "state" / "volumes").glob("*")]
    check(rows(lease, "-a")["last"]["lease"] not in left, "nothing of it is on the disk", left)


LOOK = """cd /d; find . ! -type s | sort | while read -r f; do
    s=$(stat -c '%n %F %a %u %g %h %Y' "$f"); [ -f "$f" ] && s="$s $(md5sum < "$f")"; [ -L "$f" ] && s="$s $(readlink "$f")"; echo "$s"; done"""


def backup(w, net, lease):
    """Saved, removed, and back in another volume; what is not whole or not ours changes nothing."""
    file, done = w.dir / "saved", None
    need(lease("volume", "create", "old", "--size", "64Mi", "--for", "900s", "--max-risk", "1h").returncode == 0, "a volume to save")
    need(run(lease, "writer", "-v", "kept:old:/d").returncode == 0, "somebody writes to it")
    sh(lease, "writer", """cd /d; mkdir -p a/b; echo one > a/b/x; ln a/b/x a/y; ln -s ../../etc/passwd a/up; chown 7:8 a/y; chmod 640 a/y
        chown 3:4 a/b; chmod 1777 a; dd if=/dev/urandom of=large bs=1000 count=2600 2>/dev/null
        truncate -s 30M holes; echo end >> holes; mkfifo pipe; touch -d @1000000000 a/b; : > 'odd "name'""")
    was = sh(lease, "writer", LOOK.replace("! -type s", "! -type p"))
    done = lease("volume", "backup", "old", str(file))
    check(done.returncode == 4 and "may write to the volume" in done.stderr and not file.exists(), "none is taken while a lease may write to it", done.stderr)
    need(lease("rm", "writer").returncode == 0, "it ends")
    done = lease("volume", "backup", "old", str(file))
    need(done.returncode == 0, "the backup is brought", done.stderr)
    check("1 sockets, pipes and devices left out" in done.stderr, "and says what is not in it", done.stderr)
    bytes_ = file.read_bytes()
    check(file.stat().st_mode & 0o777 == 0o600 and 2600000 < len(bytes_) < 3000000 and b"passwd" not in bytes_, "in a private file, encrypted, without the holes", len(bytes_))
    check(lease("volume", "backup", "old", str(file)).returncode == 2, "no file is replaced")
    done = lease("volume", "restore", "old", str(file))
    check(done.returncode == 4 and "not empty" in done.stderr, "it is put into no volume that has something", done.stderr)
    need(lease("volume", "rm", "old").returncode == 0, "the volume is removed")
    need(lease("volume", "create", "new", "--size", "64Mi", "--for", "900s", "--max-risk", "1h").returncode == 0, "and another one bought")
    refuses(w, net, lease, bytes_)
    done = lease("volume", "restore", "new", str(file))
    need(done.returncode == 0, "the backup is put into it", done.stderr)
    need(run(lease, "reader", "-v", "kept:new:/d").returncode == 0, "a lease attaches it")
    now = sh(lease, "reader", LOOK)
    check(was and now == was, "content, owners, modes, times and links are as they were", was + now)
    holes = sh(lease, "reader", "stat -c '%b %s' /d/holes")
    check(0 < int(holes.split()[0]) < 100 and int(holes.split()[1]) > 30 << 20, "holes, too", holes)
    end(lease, "reader")
    check(lease("volume", "rm", "new").returncode == 0, "and it is removed")


def snapshots(w, lease):
    """Copied where it lies, put back over what came after, and brought while somebody writes."""
    file = w.dir / "of-a-copy"
    need(lease("volume", "create", "vol", "--size", "64Mi", "--for", "900s", "--max-risk", "1h").returncode == 0, "a volume to copy")
    need(run(lease, "maker", "-v", "kept:vol:/d").returncode == 0, "somebody writes to it")
    sh(lease, "maker", "cd /d; mkdir a; echo one > a/x; ln a/x y; ln -s /etc/passwd p; chown 7:8 y; chmod 640 y; truncate -s 100M holes")
    was = sh(lease, "maker", LOOK)
    done = lease("volume", "snapshot", "vol", "before")
    check(done.returncode == 4 and "may write to the volume" in done.stderr, "no snapshot while a lease may write", done.stderr)
    end(lease, "maker")
    check(lease("volume", "snapshots", "vol").stdout == "", "there is none")
    check(lease("volume", "snapshot", "vol", "../x").returncode == 2, "a path is no name")
    done = lease("volume", "snapshot", "vol", "before")
    need(done.returncode == 0 and done.stdout == "before\n", "a snapshot is made", done.stderr)
    done = lease("volume", "snapshot", "vol", "before")
    check(done.returncode != 0 and "already" in done.stderr, "and not made anew", done.stderr)
    said = lease("volume", "snapshots", "vol").stdout.split()
    check(said[:1] == ["before"] and said[1].endswith("Z") and len(said) == 2, "it is listed, with its time", said)
    need(run(lease, "changer", "-v", "kept:vol:/d").returncode == 0, "a lease writes again")
    sh(lease, "changer", "cd /d; rm -r a holes; echo two > y; head -c 20000000 /dev/urandom > more")
    done = lease("volume", "restore", "vol", "--snapshot", "before")
    check(done.returncode == 4 and "attached" in done.stderr, "nothing is replaced under its feet", done.stderr)
    done = lease("volume", "backup", "vol", str(file), "--snapshot", "before")
    check(done.returncode == 0 and file.exists(), "the snapshot is brought meanwhile", done.stderr)
    end(lease, "changer")
    check(lease("volume", "restore", "vol", "--snapshot", "other").returncode != 0, "what is not there is not put back")
    done = lease("volume", "restore", "vol", "--snapshot", "before")
    need(done.returncode == 0, "it is put back", done.stderr)
    need(run(lease, "seer", "-v", "kept:vol:/d").returncode == 0, "a lease looks")
    now = sh(lease, "seer", LOOK)
    check(was and now == was, "and sees what was there then, and nothing else", was + now)
    sh(lease, "seer", "head -c 40000000 /dev/urandom > /d/more")
    end(lease, "seer")
    done = lease("volume", "snapshot", "vol", "too-much")
    check(done.returncode != 0 and "no room" in done.stderr, "a copy that does not fit is refused", done.stderr)
    check(lease("volume", "snapshot", "--rm", "vol", "before").returncode == 0, "a snapshot is removed")
    check(lease("volume", "snapshots", "vol").stdout == "", "and then there is none")
    check(lease("volume", "rm", "vol").returncode == 0, "the volume ends")
    need(lease("volume", "create", "vol2", "--size", "64Mi", "--for", "900s", "--max-risk", "1h").returncode == 0, "another volume")
    done = lease("volume", "restore", "vol2", str(file))
    need(done.returncode == 0, "gets what was brought", done.stderr)
    need(run(lease, "getter", "-v", "kept:vol2:/d").returncode == 0, "a lease looks")
    now = sh(lease, "getter", LOOK)
    check(now == was, "and sees the same", now)
    end(lease, "getter")
    lease("volume", "rm", "vol2")


def refuses(w, net, lease, good):
    bad = w.dir / "bad"
    middle = bytearray(good)
    middle[len(good) // 2] ^= 1
    for why, text, word in (("cut short", good[:-1000], "cut short"), ("cut at a piece's end", good[:cut(good)], "cut short"),
                            ("with one bit changed", bytes(middle), "damaged"), ("with something behind it", good + b"x", "behind the end"),
                            ("of another kind", b"x" * 5000, "no backup"), ("empty", b"", "no backup")):
        bad.write_bytes(text)
        done = lease("volume", "restore", "new", str(bad))
        check(done.returncode == 1 and word in done.stderr and "nothing was changed" in done.stderr, f"a file {why} is refused", done.stderr)
    other = Buyer(w, [net.relay], [net.mint], name="third")
    other.fund(300)
    need(other("volume", "create", "theirs", "--size", "16Mi", "--for", "300s", "--max-risk", "1h").returncode == 0, "another buyer's volume")
    bad.write_bytes(good)
    done = other("volume", "restore", "theirs", str(bad))
    check(done.returncode == 1 and "another wallet" in done.stderr, "does not get what is not that buyer's", done.stderr)
    check(other("volume", "rm", "theirs").returncode == 0, "and is removed")
    need(run(lease, "looker", "-v", "kept:new:/d:ro").returncode == 0, "a lease looks at the volume")
    check(sh(lease, "looker", "ls -A /d") == "", "it is as empty as before")
    bad.write_bytes(good)
    done = lease("volume", "restore", "new", str(bad))
    check(done.returncode == 4 and "attached" in done.stderr, "and is not filled under a lease's feet", done.stderr)
    end(lease, "looker")


def cut(good):
    """Where the first piece ends: magic, salt, then the piece with its length."""
    return 15 + 32 + 5 + int.from_bytes(good[15 + 32 + 1:15 + 32 + 5], "big")


def mounts(lease):
    need(run(lease, "box").returncode == 0, "a lease without volumes")
    check("/root is kept" in lease("mounts", "ls", "box").stderr, "keeps its /root")
    sh(lease, "box", "mkdir /srv; echo a > /root/a; echo b > /srv/b; echo c > /c")
    done = lease("mounts", "set", "box", "/root,/srv")
    check(done.returncode == 0 and done.stdout == "/root\n/srv\n" and "next start" in done.stderr, "two paths are set", done.stdout + done.stderr)
    check(lease("mounts", "set", "box", "/proc/x").returncode == 2, "not where the kernel is")
    done = lease("start", "--image", "second", "box")
    check(done.returncode != 0 and "stop it first" in done.stderr, "no other image while it runs", done.stderr)
    need(lease("stop", "-t", "1s", "box").returncode == 0, "it is stopped")
    done = lease("start", "--image", "nothing", "box")
    check(done.returncode == 4, "an image that is not sold is refused", done.stderr)
    need(lease("start", "--image", "second", "box").returncode == 0, "and started with another image")
    said = sh(lease, "box", "cat /root/a /srv/b; ls /c 2>/dev/null | wc -l")
    check(said == "a\nb\n0\n", "what was set is there, what was not is gone", said)
    check(lease("mounts", "ls", "box").stdout == "/root\n/srv\n", "lease mounts ls says so")
    check(json.loads(lease("show", "box").stdout.splitlines()[0])["image"] == "second", "and lease show has the image")
    check(lease("rm", "box").returncode == 0, "it ends")


def test(w: World):
    net = w.devnet()
    image, second = w.dir / "busybox", w.dir / "second"
    need(w.run(MAKE_IMAGE, image).returncode == 0, "an image")
    shutil.copytree(image, second)
    provider = Provider(w, [net.relay], [net.mint], settings=[
        "offer.volume_price=1sat/s", f"offer.image=second=oci:{second}"])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(4000)
    need(lease("volume", "create", "last", "--size", "64Mi", "--for", "160s", "--max-risk", "1h").returncode == 0, "a volume for a short time")
    outlives(lease)
    shared(lease, provider)
    strangers(w, net, lease)
    expires(lease)
    backup(w, net, lease)
    snapshots(w, lease)
    mounts(lease)
    for name in ("two", "three", "four"):
        lease("rm", name)  # on a slow machine their time is over
    check(lease("volume", "rm", "data").returncode == 0, "a volume that nobody uses is removed")
    runs_out(w, lease, provider)
    check(lease("recover").returncode == 0, "nothing is unclear")
    provider.stop()


main(test)
