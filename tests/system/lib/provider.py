"""An installed provider and buyer in a World."""

import json
import os
import re

from harness import BIN, SBIN, SYSTEM, Failed, wait_for

CORE_USER = 64207  # exists nowhere
MAKE_IMAGE = SYSTEM.parent.parent / "contrib" / "make-image"


class Provider:
    """leased with a configuration of its own; `price` per second in sat makes sums easy."""

    def __init__(self, world, relays, mints, name="provider", price="1sat/s", settings=(),
                 size=("500m", "64Mi", "64Mi")):
        self.w, self.name = world, name
        self.dir = world.dir / name
        self.config = self.dir / "leased.conf"
        self.run_dir = world.dir / f"run-{name}"
        self.leased = world.ours(SBIN / "leased")
        self.ctl_program = world.ours(SBIN / "leasectl")
        self.dir.mkdir(mode=0o755)
        image = world.dir / "busybox"
        if not image.exists() and world.run(MAKE_IMAGE, image).returncode:
            raise Failed("make-image")
        given = [o for r in relays for o in ("--relay", r)] + [o for m in mints for o in ("--mint", m)]
        sets = ["agent.run_dir=%s" % self.run_dir, "runtime.allow_cgroup_v1=yes",
                "runtime.path=" + os.environ.get("LEASED_TEST_RUNTIME", "runc"),
                f"runtime.cgroup_parent={world.group}-{name}", *settings]
        if os.environ.get("BACKEND") == "docker":
            if not world.docker_host:
                world.dockerd()
            sets[:0] = ["runtime.backend=docker", f"runtime.docker={world.docker_host}"]
        done = self.ctl("--state-dir", self.dir / "state", "init", *given, "--allow-local", "--price", price, "--name", name,
                        "--user", CORE_USER, "--image", f"busybox=oci:{image}", "--offer-cpu", size[0],
                        "--offer-memory", size[1], "--offer-disk", size[2], *[o for s in sets for o in ("--set", s)])
        if done.returncode:
            raise Failed(f"leasectl init: {done.stdout}{done.stderr}")
        self.npub = re.search(r"npub1\w+", done.stdout).group()

    def ctl(self, *argv, **more):
        return self.w.run(self.ctl_program, "--config", self.config, *argv, **more)

    def start(self, **env):
        self.w.start(self.name, self.leased, "--config", self.config, env=self.w.env(**env))
        if not wait_for(lambda: "(published)" in self.ctl("status").stdout, 20):
            raise Failed(f"{self.name} does not sell:\n{self.w.log(self.name)}")

    def stop(self, **more):
        return self.w.stop(self.name, **more)

    def leases(self):
        """Every lease there was, as leasectl's JSON."""
        done = self.ctl("--json", "leases", "--all")
        return json.loads(done.stdout) if done.returncode == 0 else []

    def status(self):
        """leasectl's JSON."""
        done = self.ctl("--json", "status")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def sat(self, mint):
        """What lies at one mint."""
        for row in self.status().get("mints", []):
            if row["url"].rstrip("/") == mint:
                return row["available_sat"]
        raise Failed(f"leasectl status knows no {mint}")

    def log(self):
        return self.w.log(self.name)


class Buyer:
    """lease with a home of its own."""

    def __init__(self, world, relays, mints, name="buyer"):
        self.w, self.home = world, world.dir / name
        self.program = world.ours(BIN / "lease")
        self.home.mkdir(mode=0o700)
        rows = ["[nostr]"] + [f"relay = {r}" for r in relays] + ["allow_local = yes", "[wallet]"]
        (self.home / "lease.conf").write_text("\n".join(rows + [f"mint = {m}" for m in mints]) + "\n")

    def __call__(self, *argv, timeout=60, env=None, **more):
        return self.w.run(self.program, *argv, env=self.w.env(LEASE_HOME=self.home, **(env or {})), timeout=timeout, **more)

    def fund(self, amount):
        done = self("wallet", "fund", amount)
        if done.returncode:
            raise Failed(f"lease wallet fund: {done.stdout}{done.stderr}")

    def balance(self):
        """Sats at all mints together."""
        return sum(row["available_sat"] for row in json.loads(self("--json", "wallet", "balance").stdout))

    def sat(self, mint):
        """What lies at one mint: free, and handed out or in swaps."""
        for row in json.loads(self("--json", "wallet", "balance").stdout):
            if row["mint"].rstrip("/") == mint:
                return row["available_sat"], row["reserved_sat"] + row["in_flight_sat"]
        return 0, 0

    def state(self, name):
        return self("status", name).stdout.strip()
