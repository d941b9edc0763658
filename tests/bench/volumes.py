#!/usr/bin/env python3
"""Starts on encrypted volumes beside the same steps by hand, and how fast volumes are written.

Part of `make bench`; alone (as contrib/vm-check runs it, where there is dm-crypt) it prints its rows as a test's lines.
"""

import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system" / "lib"))
import harness                                                           # noqa: E402
from harness import Failed, Skip, wait_for                               # noqa: E402
from rows import goal, met, note, row                                    # noqa: E402
from starts import Helper, bare_bundle, unpacked                         # noqa: E402

SIZE = 1 << 30          # DISK of tests/bench/starts.c
HEADER = 2 << 20
WRITTEN = 256           # MiB
LEASE = "0000000000000001"
MKFS = ("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal", "-E", "nodiscard,lazy_itable_init=1")
SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
LUKS = harness.BUILD / "tests" / "bench" / "luks"
BY_HAND = "format, open, mkfs, mount, runc create + start of the same rootfs, by hand"


class Hand:
    """A volume and a container made by the programs that there are for it, one after another."""

    def __init__(self, helper, bundle):
        self.driver, self.bundle = helper.driver, bundle
        self.dir, self.memory = helper.state / "hand", helper.run_dir / "hand"
        self.dir.mkdir()
        self.memory.mkdir()
        self.data, self.mount = self.dir / "data", self.memory / "mnt"
        self.mount.mkdir()
        self.device, self.took = None, {}

    def do(self, name, *argv):
        self.took[name] = self.took.get(name, 0) + self.driver.ask("run", *argv)

    def attach(self, path):
        self.do("open", "losetup", "--direct-io=on", "-f", path)
        return subprocess.run(["losetup", "-j", path, "-nO", "NAME"], capture_output=True, text=True, check=True).stdout.strip()

    def start(self):
        """Milliseconds of all steps together."""
        self.took = {}
        self.do("format", "truncate", "-s", SIZE, self.data)
        self.open()
        self.do("mkfs", *MKFS, self.device)
        self.do("mount", "mount", "-o", "noinit_itable", self.device, self.mount)
        self.do("runc", "runc", "create", "--bundle", self.bundle, "bench-hand")
        self.do("runc", "runc", "start", "bench-hand")
        return sum(self.took.values())

    def end(self):
        subprocess.run(["runc", "delete", "--force", "bench-hand"], check=False, capture_output=True)
        subprocess.run(["umount", self.mount], check=True)
        self.close()
        self.data.unlink()


class FuseByHand(Hand):
    def open(self):
        header, joined, disk, key = (self.memory / n for n in ("header", "joined", "disk", "key"))
        self.do("format", LUKS, "format1", header)
        key.write_text("a" * 64)
        disk.touch()
        joined.write_text("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
                          'createType="twoGbMaxExtentFlat"\n\n# Extent description\n'
                          f'RW {HEADER // 512} FLAT "{header}" 0\nRW {SIZE // 512} FLAT "{self.data}" 0\n')
        self.do("open", "qemu-storage-daemon", "--daemonize", "--pidfile", self.memory / "pid",
                "--object", f"secret,id=key,file={key}", "--blockdev", f"driver=file,filename={joined},node-name=file",
                "--blockdev", "driver=vmdk,file=file,node-name=joined",
                "--blockdev", "driver=luks,file=joined,key-secret=key,node-name=luks", "--export",
                f"type=fuse,id=disk,node-name=luks,mountpoint={disk},writable=on,allow-other=off")
        self.device = self.attach(disk)

    def close(self):
        subprocess.run(["losetup", "-d", self.device], check=True)
        pid = int((self.memory / "pid").read_text())
        os.kill(pid, 15)
        if not wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 10, 0.01):
            raise Failed("the disk server by hand does not end")


class DmCryptByHand(Hand):
    def open(self):
        header = self.memory / "header"
        self.do("format", LUKS, "format2", header, self.data)
        self.loop = self.attach(self.data)
        self.do("open", LUKS, "open", "bench-hand", header, self.loop)
        self.device = "/dev/mapper/bench-hand"

    def close(self):
        subprocess.run([LUKS, "close", "bench-hand"], check=True)
        subprocess.run(["losetup", "-d", self.loop], check=True)


HANDS = {"fuse": FuseByHand, "dm-crypt": DmCryptByHand}


def start_rows(helper, activation, bundle, runs):
    """On demand: nothing is prepared."""
    hand = HANDS[activation](helper, bundle)
    ours, theirs = [], []
    for i in range(-1, runs):
        time.sleep(0.3)
        took = helper.start(1)
        helper.end()
        time.sleep(0.3)
        least = hand.start()
        hand.end()
        if i < 0:
            helper.stages.clear()
            continue
        ours.append(took)
        theirs.append(least)
    helper.tell_stages(1)
    note("by hand, the last: " + ", ".join(f"{k} {v:.1f}" for k, v in hand.took.items()) + " ms")
    return [row(f"encrypted-start-{activation}", "ms", ours, (BY_HAND, theirs), goal("ratio", "<=", 1.3))]


def speed(path):
    """MB/s of one long write, with all of it on the disk at its end."""
    since = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={WRITTEN}", "conv=fsync", "status=none"], check=True)
    took = time.monotonic() - since
    path.unlink()
    return WRITTEN * 1.048576 / took


def write_rows(helper, activation, runs):
    ours, bare = [], []
    helper.start(1)
    inside = helper.run_dir / "volumes" / LEASE / "mnt" / "bench"
    if not os.path.ismount(inside.parent):
        raise Failed(f"{inside.parent} is no mount")
    for i in range(-1, runs):
        fast, least = speed(inside), speed(helper.state / "bench")
        if i >= 0:
            ours.append(fast)
            bare.append(least)
    helper.end()
    return [row(f"volume-write-{activation}", "MB/s", ours, ("the same disk without a volume", bare), None)]


def prepared_rows(w, image, activation, runs):
    sides = [Helper(w, image, 1, name) for name in (activation, "none")]
    took = [[], []]
    for i in range(-1, runs):
        for helper, values in zip(sides, took):
            helper.settle()
            ms = helper.start(1)
            helper.end()
            if i >= 0:
                values.append(ms)
    for helper in sides:
        helper.tell_stages(1)
        helper.driver.end()
    return [row("encrypted-start-prepared", "ms", took[0], ("the same start, not encrypted", took[1]), goal("ratio", "<=", 1.15))]


def volume_rows(w, image, runs):
    rows = []
    best = None
    for activation in HANDS:
        try:
            helper = Helper(w, image, 0, f"{activation}")
        except Failed as e:
            note(f"encrypted-start-{activation}, volume-write-{activation} (left out: {str(e).strip().splitlines()[-1]})")
            continue
        best = activation
        bundle = w.dir / f"bundle-{activation}"
        bundle.mkdir()
        bare_bundle(bundle, unpacked(helper.state))
        rows += start_rows(helper, activation, bundle, runs)
        rows += write_rows(helper, activation, max(3, runs // 3))
        helper.driver.end()
    if not best:
        raise Skip("no encrypted volumes here")
    return rows + prepared_rows(w, image, best, runs)


def main():
    """As a test: alone, with what there is here."""
    if os.geteuid() != 0:
        print("1..0 # SKIP not root")
        return 0
    if not os.environ.get("HARNESS_INSIDE"):
        harness.enter_namespaces()
    harness.be_init()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    w = harness.World()
    try:
        subprocess.run([SOURCE / "contrib" / "make-image", w.dir / "busybox"], check=True, stdout=subprocess.DEVNULL)
        rows = volume_rows(w, w.dir / "busybox", int(os.environ.get("BENCH_RUNS", "5")))
    except Skip as e:
        print(f"1..0 # SKIP {e}")
        return 0
    finally:
        w.close()
    print(f"1..{len(rows)}")
    for i, r in enumerate(rows, 1):
        ok = "not ok" if met(r) is False else "ok"
        print(f"{ok} {i} - {r['name']}: {r['median']:.1f} {r['unit']}, beside {r['beside']['median']:.1f}, ratio {r['ratio']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
