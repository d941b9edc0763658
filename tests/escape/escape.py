#!/usr/bin/env python3
"""Ways out of a lease, tried from inside a real one; each must fail, and succeed where its protection is taken away.

An attempt is made in a lease that helper, keeper and runtime started (refused is right), then in containers from the same
bundle: with all protections against it but one, for each of them (refused is right), and with none (it must succeed, or
it was refused by accident). What even this machine's root cannot do, in namespaces of its own, has no control and is
counted as such. Ends with "attempts N, refused N, uncontrolled N".

With BACKEND=docker the leases are Docker's. What they have no more is taken away from the containers that things are compared
with, too: these are the same runtime's, from the bundle of a lease beside them, without a user namespace.
"""
import ctypes
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict

import attempts
import hostile
import network
import storage
from images import Layout, entry, folder
from world import BACKEND, BUILD, RUNC, Tap, World, into_namespaces, run

LEASE, OTHER, FRAGILE, TWIN = "00000000000000e1", "00000000000000e2", "00000000000000e3", "00000000000000e4"
ABSENT = frozenset({"userns"} if BACKEND == "docker" else ())  # protections that no lease of this backend has
ATTACKER = BUILD / "tests/escape/attacker"
PROBE = "/run/lease.probe"
ARGS_AT_ONCE = 40
KEY = 0x1EA5ED
SAMPLE = int(os.environ.get("LEASED_SAMPLE") or 0) if not os.environ.get("LEASED_FULL") else 0
PROFILE_NAME = "leased-tenant (enforce)"


class Place:
    """What the host has and no tenant may find."""

    def __init__(self, world):
        self.world, self.key, self.process, self.socket = world, KEY, "lsentinel", "leased-escape"
        self.hostname, self.cgroup = socket.gethostname(), world.dir.name
        outside = world.dir / "host"
        outside.mkdir(mode=0o755)
        self.secret = outside / "secret"
        self.secret.write_text("untouched\n")
        self.passwd = outside / "passwd"
        self.passwd.write_text("evil:x:4242:4242::/:\n")
        shutil.copy(shutil.which("sleep"), outside / self.process)
        self.sleeper = subprocess.Popen([outside / self.process, "1000"])
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("\0" + self.socket)
        self.listener.listen(8)
        if ctypes.CDLL(None, use_errno=True).shmget(KEY, 4096, 0o1666) < 0:
            raise OSError(ctypes.get_errno(), "shmget")

    def state(self):
        """What must be the same afterwards."""
        def text(path):
            try:
                with open(path, "rb") as f:
                    return f.read()
            except OSError as e:
                return e.errno

        settings = ("kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "vm/overcommit_memory", "fs/file-max",
                    "net/ipv6/conf/all/disable_ipv6")
        return {
            **{name: text("/proc/sys/" + name) for name in settings},
            "host": sorted((str(p), p.stat().st_mode, p.stat().st_mtime_ns) for p in self.secret.parent.rglob("*")),
            "folder": self.secret.parent.stat().st_mtime_ns, "secret": self.secret.read_text(), "runtime": text(RUNC),
            "swaps": text("/proc/swaps"), "clock": text(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        }

    def close(self):
        self.sleeper.kill()
        self.sleeper.wait()
        self.listener.close()


def capabilities():
    """All that this machine's root has, by the names that a bundle knows."""
    names = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
             "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
             "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
             "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF "
             "CHECKPOINT_RESTORE").split()
    with open("/proc/self/status") as f:
        have = int(next(line for line in f if line.startswith("CapBnd")).split()[1], 16)
    return ["CAP_" + name for i, name in enumerate(names) if have >> i & 1]


class Control:
    """Containers from a lease's own bundle, with some of its protections taken out."""

    def __init__(self, world, lease):
        self.world, self.config, self.n = world, world.config_of(lease), 0
        self.dir = world.run_dir / "control"
        self.dir.mkdir()
        self.plain = {}
        self.caps = capabilities()

    def plain_root(self, owner):
        """The same files in a folder of the disk: no overlay, no volume, no mount options."""
        if owner not in self.plain:
            path = self.world.dir / f"plain-{owner}"
            # not cp -a of the set-id bit after chown: chown clears it
            run("cp", "-a", "--no-preserve=timestamps", self.config["root"]["path"], path)
            for parent, folders, files in os.walk(path):
                for name in (".", *files):
                    at = os.path.join(parent, name)
                    mode = os.lstat(at).st_mode
                    os.lchown(at, owner, owner)
                    if not os.path.islink(at):
                        os.chmod(at, mode & 0o7777)
            self.plain[owner] = path
        return str(self.plain[owner])

    def bundle(self, off, args):
        off = {*off, *ABSENT}
        c = json.loads(json.dumps(self.config))
        linux, process = c["linux"], c["process"]
        process["args"] = [str(a) for a in args]
        linux["cgroupsPath"] = f"{self.world.cgroup}/control-{self.n}"
        types = {layer[3:] for layer in off if layer.startswith("ns:")}
        if "userns" in off:
            types.add("user")
            del linux["uidMappings"], linux["gidMappings"]
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] not in types]
        if "network" in types or "pid" in types:
            linux.pop("sysctl", None)
        if "uts" in types:
            del c["hostname"]
        if "seccomp" in off:
            del linux["seccomp"]
        if "caps" in off:
            process["capabilities"] = {k: self.caps for k in ("bounding", "effective", "permitted")}
        if "inheritable" in off:
            process["capabilities"]["inheritable"] = process["capabilities"]["bounding"]
        if "nnp" in off:
            process["noNewPrivileges"] = False
        if "masks" in off:
            del linux["maskedPaths"]
        if "readonly" in off:
            del linux["readonlyPaths"]
        if "devices" in off:
            linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
        if "apparmor" in off:
            process.pop("apparmorProfile", None)
        if "limits" in off:
            for key in ("memory", "pids", "cpu", "unified"):
                linux["resources"].pop(key, None)
        if "pivot" in off:
            del linux["rootfsPropagation"]
        if "rlimits" in off:
            del process["rlimits"]
        for mount in c["mounts"]:
            if "mounts" in off and mount["type"] in ("sysfs", "cgroup"):
                mount["options"] = [o for o in mount["options"] if o != "ro"]
            if "tmpfs" in off and mount["type"] == "tmpfs":
                mount["options"] = [o for o in mount["options"] if not o.startswith("size=")]
        if "no-binds" in off:
            shown = str(self.world.dir / "host")
            c["mounts"].append({"destination": shown, "type": "bind", "source": shown, "options": ["bind", "ro"]})
        if "root" in off:
            c["root"]["path"] = self.plain_root(0 if "userns" in off else linux["uidMappings"][0]["hostID"])
        return c

    def run(self, off, args, config=None):
        """What it printed. It is made and removed in here."""
        self.n += 1
        name = f"control-{self.n}"
        bundle = self.dir / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(config or self.bundle(off, args)))
        argv = [RUNC, "--root", str(self.dir / "runtime"), "run", "--bundle", str(bundle)]
        argv += ["--no-pivot"] if "pivot" in off else []
        argv += ["--preserve-fds", "1"] if "descriptors" in off else []
        if "descriptors" in off:
            argv = ["bash", "-c", 'exec 3<"$0"; exec "$@"', str(self.world.dir), *argv]
        done = subprocess.run([*argv, name], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        return done.stdout, done.stderr


def outcomes(output):
    """Lines of the attacker: action -> None where it got through, else why not."""
    said = {}
    for line in output.splitlines():
        action, outcome, *why = line.split(" ", 2)
        said[action] = None if outcome == "got" else " ".join(why)
    return said


def inside(world, lease, actions, *flags):
    said = {}
    for i in range(0, len(actions), ARGS_AT_ONCE):
        _, _, output = world.exec(lease, "/attacker", *flags, *actions[i:i + ARGS_AT_ONCE])
        said |= outcomes(output)
    return said


def in_another_image(world, lease, actions):
    """Beside the lease's main process: the same guards stand in the way."""
    said = {}
    for i in range(0, len(actions), ARGS_AT_ONCE):
        _, _, output = world.beside(lease, "attack", "/attacker", *actions[i:i + ARGS_AT_ONCE])
        said |= outcomes(output)
    return said


def beside(world, lease, actions, *flags):
    """In the lease's network only, and not by way of the helper."""
    done = subprocess.run(["nsenter", f"--net=/proc/{world.pid_of(lease)}/ns/net", ATTACKER, *flags, *actions],
                          capture_output=True, text=True, timeout=60)
    return outcomes(done.stdout)


def natively(action):
    """By this machine's root, in namespaces of its own."""
    done = subprocess.run(["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", ATTACKER, action],
                          capture_output=True, text=True, timeout=60)
    return outcomes(done.stdout).get(action, "nothing said")


class Count:
    def __init__(self, tap):
        self.tap, self.attempts, self.refused, self.uncontrolled = tap, 0, 0, 0

    def add(self, name, got_by=(), control=None, why=""):
        """got_by: where it succeeded though it must not. control: True where it succeeded without the protection, False
        where it should have, None where nobody can."""
        self.attempts += 1
        self.refused += not got_by
        self.uncontrolled += control is None
        fine = not got_by and control is not False
        self.tap.result(fine, name + (" # no control" if control is None and fine else ""),
                        f"got through {', '.join(got_by)}" if got_by else f"without its protection it is refused, too: {why}")


def too_weak(a):
    """Of an attempt's protections, those that stop it only beside one that no lease of this backend has."""
    # the kernel asks whose these files are, not for a power: with the host's own users that is root without any
    return frozenset({"caps"} if ABSENT and a.action.startswith("write:/proc/sys/net/") else ())


def try_table(world, control, count, table, lease):
    actions = [a.action for a in table]
    protected = inside(world, lease, actions)
    other = in_another_image(world, lease, actions) if lease != FRAGILE and BACKEND == "oci" else protected
    for a in (a for a in table if a.layers and a.layers <= ABSENT):  # else it would be promised by mistake, or kept unsaid
        count.tap.result(protected.get(a.action, "killed") is None, f"{a.action}: only {', '.join(a.layers)} would stop it, as offers say",
                         protected.get(a.action))
    table = [a for a in table if not a.layers or not a.layers <= ABSENT]
    table = [a._replace(layers=a.layers - ABSENT - too_weak(a), also=a.also | a.layers & (ABSENT | too_weak(a))) for a in table]
    runs = defaultdict(list)
    for a in table:
        for off in {a.layers | a.also, *(a.layers - {layer} | a.also for layer in a.layers if len(a.layers) > 1)}:
            runs[frozenset(off)].append(a.action)
    said = {}
    for off, some in runs.items():
        output, errors = control.run(off, ["/attacker", *some])
        said[off] = outcomes(output)
        if len(said[off]) < len(some) and errors:
            print(f"# without {', '.join(sorted(off))}: {errors.strip()[-300:]}")
    for a in table:
        got_by = [] if protected.get(a.action, "killed") else ["everything"]
        got_by += [] if other.get(a.action, "killed") else ["another image"]
        for layer in a.layers if len(a.layers) > 1 else ():
            if said[frozenset(a.layers - {layer} | a.also)].get(a.action, "killed") is None:
                got_by.append(f"{layer} alone")
        bare = said[frozenset(a.layers | a.also)].get(a.action, "killed")
        # ENODATA: there is nothing behind it that could be seen.
        controlled = bare is None or (False if a.layers and bare != "ENODATA" and natively(a.action) is None else None)
        count.add(f"{a.action}{' (' + a.about + ')' if a.about else ''}", got_by, controlled, str(bare))


# What the probe must miss where a protection is taken out.
MISSED = {"userns": "user-namespace", "seccomp": "seccomp", "nnp": "no-new-privileges", "caps": "few-capabilities",
          "masks": "masked-paths", "readonly": "masked-paths", "rlimits": "no-core-dumps", "limits": "limits", "root": "own-disk",
          "ns:cgroup": "namespaces", "descriptors": "closed-descriptors"}


def sightings(output):
    return {word: answer for word, answer, *_ in (line.split(" ", 2) for line in output.splitlines())}


def try_probe(world, control, tap):
    """What `lease verify-isolation` runs sees what is there, and what is not."""
    _, status, output = world.exec(LEASE, PROBE)
    seen = sightings(output)
    missing = [word for word in (*MISSED.values(), "real-folders")
               if (seen.get(word) == "yes") == (word in {MISSED[layer] for layer in ABSENT})]
    status = 0 if ABSENT else status
    tap.result(status == 0 and not missing, "the probe finds every guard of a lease", f"{missing}: {output}")
    for layer, word in {**MISSED, **({"apparmor": "apparmor"} if attempts.APPARMOR else {})}.items() if not SAMPLE else ():
        said, errors = control.run({layer}, [PROBE])
        tap.result(sightings(said).get(word) == "no", f"the probe misses {word} without {layer}", said + errors)


def samples(tables):
    """All of them, or so many of each that LEASED_SAMPLE are tried: other ones each time, the same ones by LEASED_SEED."""
    if not SAMPLE:
        return tables
    seed = os.environ.get("LEASED_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"# a sample, LEASED_SEED={seed}")
    chosen, total = random.Random(seed), sum(len(table) for _, table, _ in tables)
    return [(name, chosen.sample(table, max(2, SAMPLE * len(table) // total)), lease) for name, table, lease in tables]


def try_profile(world, tap):
    """The one that contrib/leased-tenant.apparmor is, on the main process and on a command."""
    words = f"text:/proc/1/attr/current,{PROFILE_NAME}", f"text:/proc/self/attr/current,{PROFILE_NAME}"
    said = inside(world, LEASE, list(words))
    tap.result(all(said.get(word) is None for word in words), "what runs inside has the AppArmor profile", str(said))


def main():
    into_namespaces()
    tap = Tap()
    count = Count(tap)
    world = World("leased-escape-", net=True, image_bytes=544 << 20)
    place = Place(world)
    Layout(world.images / "attack", [[
        folder("tmp"), folder("etc"), entry("etc/passwd", data=b"root:x:0:0::/:\nguest:x:1000:1000::/:\n"),
        entry("attacker", data=ATTACKER.read_bytes()), entry("set-id", data=ATTACKER.read_bytes(), mode=0o4755),
        entry("self", data=b"#!/proc/self/exe\n")]])
    tricks = hostile.tricks(world, place) if not SAMPLE else []
    storage.layouts(world, place)
    net = network.Network(world)
    world.start_helper()
    world.must_start(LEASE, "attack", ["/attacker", "wait"])
    world.must_start(OTHER, "attack", ["/attacker", "serve", "0.0.0.0,83"])
    world.must_start(FRAGILE, "attack", ["/attacker", "wait"], limits={"disk": 16 << 20})
    before = place.state()
    if BACKEND == "docker":
        world.must_start(TWIN, "attack", ["/attacker", "wait"], backend="oci")
    control = Control(world, TWIN if BACKEND == "docker" else LEASE)
    took = time.monotonic()
    if attempts.APPARMOR or os.environ.get("LEASED_IN_VM"):
        try_profile(world, tap)
    for name, table, lease in samples([
            ("calls", attempts.CALLS, LEASE), ("files", attempts.WRITES + attempts.READS, LEASE),
            ("devices", attempts.DEVICES, LEASE), ("host", attempts.host_attempts(place), LEASE),
            ("limits", attempts.LIMITS, FRAGILE)]):
        try_table(world, control, count, table, lease)
        print(f"# {name}: {time.monotonic() - took:.1f} s")
    try_probe(world, control, tap)
    if not SAMPLE:
        net.attack(count, inside, beside, LEASE, OTHER)
        print(f"# network: {time.monotonic() - took:.1f} s")
        hostile.attack(count, world, place, control, tricks, LEASE)
        print(f"# images and runtime: {time.monotonic() - took:.1f} s")
    storage.attack(count, world, place)
    print(f"# storage: {time.monotonic() - took:.1f} s")
    after = place.state()
    changed = [k for k in before if before[k] != after[k]]
    tap.result(not changed, "the host is unchanged", f"changed: {', '.join(changed)}")
    for lease in (LEASE, OTHER, FRAGILE, *([TWIN] if BACKEND == "docker" else [])):
        tap.result(world.destroy(lease) == "erased", f"lease {lease} is erased")
    net.close()
    place.close()
    world.close()
    tap.end(f"attempts {count.attempts}, refused {count.refused}, uncontrolled {count.uncontrolled}")


if __name__ == "__main__":
    main()
