"""What every system test stands on: a machine of its own, programs started in it, TAP.

A test is a script with one function that takes a World:

    from harness import World, check, main

    def test(w: World):
        check(w.run("true").returncode == 0, "true is true")

    main(test)

main() runs it in new network, mount, pid and ipc namespaces (loopback up, nothing else), so ports are free, nothing
reaches the outside and everything that was started ends with the test. State lives in one temporary folder.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from disk import below, cgroups

HERE = pathlib.Path(__file__).resolve().parent
SYSTEM = HERE.parent
FOREIGN = SYSTEM / "foreign"
CACHE = pathlib.Path(os.environ.get("LEASED_TESTS_CACHE", "/var/cache/leased-tests"))
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", SYSTEM.parent.parent))
BIN = pathlib.Path(os.environ.get("LEASED_BINDIR", "/usr/local/bin"))
SBIN = pathlib.Path(os.environ.get("LEASED_SBINDIR", "/usr/local/sbin"))
FULL = bool(os.environ.get("LEASED_FULL"))


# Node 18, Debian's, shows Web Crypto to libraries only when told to.
NODE = ("node", "--no-warnings", "--experimental-global-webcrypto")


class Skip(Exception):
    """What the test needs is not here; the message says what."""


class Failed(Exception):
    """The test cannot go on."""


# TAP ---------------------------------------------------------------------------------------------

results = []
lock = threading.Lock()  # results come from threads, too


def check(condition, name, detail=""):
    """One result. `detail` is shown if it failed."""
    with lock:
        results.append(bool(condition))
        print(f"{'' if condition else 'not '}ok {len(results)} - {name}")
        if not condition:
            for line in str(detail).splitlines()[-25:]:
                print(f"# {line}")
        sys.stdout.flush()
    return bool(condition)


def skip(name, reason):
    with lock:
        results.append(True)
        print(f"ok {len(results)} - {name} # SKIP {reason}", flush=True)


def checks(done, prefix=""):
    """The results that a script of tests/system/foreign printed (report.mjs), and its `give` value."""
    rows = json_lines(done.stdout)
    for row in rows:
        if "check" in row:
            check(row["ok"], prefix + row["check"], row["detail"])
    if done.returncode != 0 and all(row.get("ok", True) for row in rows):
        check(False, f"{prefix}ends well", done.stdout[-500:] + done.stderr)
    return next((row["value"] for row in rows if "value" in row), None)


def need(condition, name, detail=""):
    """A result without which the rest makes no sense."""
    if not check(condition, name, detail):
        raise Failed(name)


def note(text):
    with lock:
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


# Waiting -----------------------------------------------------------------------------------------

PATIENCE = 4  # a busy machine may take so many times as long as one that has nothing else to do


def wait_for(condition, seconds, step=0.05):
    """The first true value of condition(), or its last value after what `seconds` may become on a busy machine."""
    end = time.monotonic() + PATIENCE * seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


def end_of(process, seconds=60):
    """The output of a Popen until its end, or until it is killed after what `seconds` may become on a busy machine."""
    try:
        return process.communicate(timeout=PATIENCE * seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return (process.communicate()[0] or "") + f"(killed after {PATIENCE * seconds} s)"


def gone(folder):
    """The cgroup is there no longer; an empty one is removed."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder)


def listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


# The world ---------------------------------------------------------------------------------------

class World:
    """A temporary folder and the programs that were started in it."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="leased-test.", dir="/var/tmp"))
        self.dir.chmod(0o755)
        self.group = self.dir.name.replace(".", "-")
        self.started = {}
        self.docker_host = None

    # Programs

    def env(self, **more):
        keep = {k: os.environ[k] for k in ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "TESTS_DIR") if k in os.environ}
        return {**keep, "HOME": str(self.dir), "TMPDIR": str(self.dir), **{k: str(v) for k, v in more.items()}}

    def run(self, *argv, timeout=60, input=None, env=None, **more):
        """Run to the end; never raises for the exit status, which is 124 after the time limit of a busy machine."""
        argv, timeout = [str(a) for a in argv], PATIENCE * timeout
        try:
            return subprocess.run(argv, text=True, capture_output=True, timeout=timeout, input=input,
                                  stdin=None if input is not None else subprocess.DEVNULL,
                                  env=env or self.env(), cwd=more.pop("cwd", self.dir), check=False, **more)
        except subprocess.TimeoutExpired as e:
            out, err = ((b or b"").decode(errors="replace") if isinstance(b, bytes) else b or "" for b in (e.stdout, e.stderr))
            return subprocess.CompletedProcess(argv, 124, out, err + f"\nno end after {timeout} s")

    def start(self, name, *argv, env=None, port=None, seconds=30, **more):
        """Start a program that stays; its output goes to NAME.log. With a port, wait until it listens there."""
        with open(self.dir / f"{name}.log", "ab") as log:
            process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=env or self.env(), cwd=more.pop("cwd", self.dir),
                                       start_new_session=True, **more)
        self.started[name] = process
        if port and not wait_for(lambda: process.poll() is not None or listening(port), seconds) \
                or process.poll() is not None:
            raise Failed(f"{name} did not start:\n{self.log(name)}")
        return process

    def log(self, name):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def stop(self, name, sig=signal.SIGTERM, seconds=40):
        """Stop what start() started; returns its exit status."""
        process = self.started.pop(name)
        if process.poll() is None:
            process.send_signal(sig)
            try:
                process.wait(PATIENCE * seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return process.returncode

    def close(self):
        if os.environ.get("HARNESS_KEEP"):
            note(f"state is kept in {self.dir}")
            return
        for name in reversed(list(self.started)):
            self.stop(name)
        loops = self.loops()
        self.end_groups()
        for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
            path = line.split()[1]
            if path.startswith(str(self.dir)):
                subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        for device in loops:
            subprocess.run(["losetup", "-d", device], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def loops(self):
        """Loop devices on files of this world. Asked while their files can still be seen."""
        rows = self.run("losetup", "-n", "-O", "NAME,BACK-FILE").stdout.splitlines()
        return [row.split()[0] for row in rows if f"{self.dir}/" in row]

    def end_groups(self):
        """Kill what is left of leases, and remove their cgroups: those of this world have its name."""
        found = [top for depth in ("*", "*/*") for top in cgroups(f"{depth}/{self.group}-*")]
        for top in found:
            for procs in below(top, "cgroup.procs"):
                with contextlib.suppress(OSError):  # it or they have gone meanwhile
                    for pid in procs.read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
        for top in found:
            for folder, _, _ in os.walk(top, topdown=False):
                wait_for(lambda folder=folder: gone(folder), 5)

    # Other people's programs (contrib/foreign installs them)

    def foreign(self, path):
        if not (CACHE / path).exists():
            raise Skip(f"{path.split('/')[0]} is not installed (contrib/foreign)")
        return CACHE / path

    def node(self, script, *argv, input=None, timeout=60, where=None):
        """Run tests/system/foreign/SCRIPT with the pinned npm programs; `where`: in the network of that process."""
        modules = self.foreign("npm-1/node_modules")
        # Modules are found from the folder of the script upwards, so it runs beside them.
        link = self.dir / "js"
        if not link.exists():
            link.mkdir()
            (link / "node_modules").symlink_to(modules)
            for name in FOREIGN.glob("*.mjs"):
                shutil.copy(name, link / name.name)
        if not shutil.which("node"):
            raise Skip("node is not installed")
        enter = ("nsenter", "-t", where, "-n") if where else ()
        return self.run(*enter, *NODE, link / script, *argv, input=input, timeout=timeout)

    def relay_auth(self, port=7001):
        """PyPI nostr-relay with NIP-42 on."""
        program = self.foreign("nostr-relay-1.14/bin/nostr-relay")
        home = self.dir / f"nostr-relay-{port}"
        home.mkdir()
        (home / "config.yaml").write_text(f"""
DEBUG: false
relay_name: test
max_event_size: 262144
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{home}/nostr.sqlite3
  validators:
    - nostr_relay.validators.is_not_too_large
    - nostr_relay.validators.is_signed
    - nostr_relay.validators.is_recent
verification:
  nip05_verification: disabled
gunicorn:
  bind: 127.0.0.1:{port}
  workers: 1
  loglevel: info
  reload: false
authentication:
  enabled: true
  relay_urls:
    - ws://127.0.0.1:{port}
    - ws://127.0.0.1:{port}/
message_timeout: 1800
subscription_limit: 32
max_limit: 6000
""")
        env = self.env(PATH=f"{program.parent}:{os.environ['PATH']}")
        self.start(f"nostr-relay-{port}", program, "-c", home / "config.yaml", "serve", env=env, port=port, cwd=home)
        return f"ws://127.0.0.1:{port}"

    def relay_open(self, port=7002):
        """nostrmini: takes anything, checks nothing."""
        self.foreign("npm-1/node_modules/nostrmini")
        self.node("nostrmini.mjs", "--prepare")
        self.start(f"nostrmini-{port}", *NODE, self.dir / "js" / "nostrmini.mjs", port, port=port)
        return f"ws://127.0.0.1:{port}"

    def nutshell(self, port=3338, fee_ppk=100):
        """nutshell's mint with its fake wallet, which pays invoices by itself."""
        program = self.foreign("nutshell-0.20.3/bin/mint")
        home = self.dir / f"nutshell-{port}"
        home.mkdir()
        env = self.env(HOME=home, CASHU_DIR=home, MINT_BACKEND_BOLT11_SAT="FakeWallet", MINT_LISTEN_HOST="127.0.0.1",
                       MINT_LISTEN_PORT=port, MINT_PRIVATE_KEY=f"test {port}", MINT_INPUT_FEE_PPK=fee_ppk,
                       MINT_DATABASE=home / "mint", MINT_RATE_LIMIT="FALSE", TOR="FALSE", DEBUG="FALSE",
                       FAKEWALLET_BRR="TRUE", FAKEWALLET_DELAY_INCOMING_PAYMENT="0")
        self.start(f"nutshell-{port}", program, env=env, port=port, cwd=home)
        return f"http://127.0.0.1:{port}"

    def cashu(self, mint, *argv, input=None, timeout=60, wallet="buyer"):
        """nutshell's own wallet."""
        program = self.foreign("nutshell-0.20.3/bin/cashu")
        home = self.dir / f"cashu-{wallet}"
        home.mkdir(exist_ok=True)
        env = self.env(HOME=home, CASHU_DIR=home, MINT_URL=mint, TOR="FALSE")
        return self.run(program, "-h", mint, "-y", *argv, env=env, input=input, timeout=timeout, cwd=home)

    def cashu_fund(self, mint, amount, wallet="buyer"):
        """Mint into nutshell's wallet. In two steps: its wait for a payment sometimes never ends."""
        asked = self.cashu(mint, "invoice", amount, "--no-check", wallet=wallet)
        quote = re.search(r"--id (\S+)", asked.stdout)
        if not quote or not wait_for(lambda: "paid" in self.cashu(mint, "invoice", amount, "--id", quote.group(1),
                                                                  wallet=wallet).stdout.lower(), 15, 0.3):
            raise Failed(f"cashu invoice: {asked.stdout}{asked.stderr}")

    def cashu_lock(self, mint, amount, pubkey, refund, seconds, dleq=True, wallet="buyer"):
        """A token of nutshell's wallet, locked to `pubkey` (hex) and after `seconds` to `refund`."""
        done = self.cashu(mint, "send", amount, *(["--dleq"] if dleq else []), "--lock", f"P2PK:{pubkey}",
                          "--refund", refund, "--timelock", seconds, wallet=wallet)
        token = re.search(r"cashu[AB]\S+", done.stdout)
        if not token:
            raise Failed(f"cashu send: {done.stdout}{done.stderr}")
        return token.group()

    def cdk(self, port=3339, fee_ppk=100, keyset_v2=False):
        """cdk-mintd with its fake wallet; v1 keyset unless asked."""
        program = self.foreign("cdk-mintd-0.18.3/bin/cdk-mintd")
        home = self.dir / f"cdk-{port}"
        home.mkdir()
        (home / "c.toml").write_text(f"""
[info]
url = "http://127.0.0.1:{port}/"
listen_host = "127.0.0.1"
listen_port = {port}
mnemonic = "env:CDK_MINTD_MNEMONIC"
input_fee_ppk = {fee_ppk}
use_keyset_v2 = {'true' if keyset_v2 else 'false'}
[database]
engine = "sqlite"
[payment_backend]
backend = "fakewallet"
unit = "sat"
[fake_wallet]
supported_units = ["sat"]
fee_percent = 0.0
reserve_fee_min = 0
min_delay_time = 0
max_delay_time = 0
""")
        words = " ".join(["abandon"] * 11 + ["about"])
        env = self.env(HOME=home, CDK_MINTD_MNEMONIC=words)
        made = self.run(program, "-w", home, "config", "init", "--file", home / "c.toml", "--new-mint", env=env)
        if made.returncode:
            raise Failed(f"cdk-mintd config init: {made.stderr}{made.stdout}")
        self.start(f"cdk-{port}", program, "-w", home, env=env, port=port)
        return f"http://127.0.0.1:{port}"

    # Ours

    def dockerd(self):
        """A daemon of Docker that touches nothing of this machine; the client to ask it with. Called again: started again."""
        if not shutil.which("dockerd") or not shutil.which("docker"):
            raise Skip("dockerd is not installed")
        home = self.dir / "docker"
        self.docker_host = f"unix://{home}/sock"
        if not home.exists():
            home.mkdir(mode=0o711)
            # in the test's own namespace: what the daemon and its helpers leave there
            need(self.run("mount", "-t", "tmpfs", "tmpfs", "/run").returncode == 0, "a /run of its own")
        options = ["--data-root", home / "data", "--exec-root", home / "exec", "--pidfile", home / "pid"]
        (home / "pid").unlink(missing_ok=True)
        self.start("dockerd", "dockerd", "--host", self.docker_host, *options, "--live-restore", "--bridge", "none",
                   "--iptables=false", "--ip-masq=false", "--userland-proxy=false")

        def docker(*argv):
            return self.run("docker", "--host", self.docker_host, *argv)

        if not wait_for(lambda: self.started["dockerd"].poll() is not None or docker("version").returncode == 0, 30, 0.3) \
                or self.started["dockerd"].poll() is not None:
            raise Skip(f"dockerd does not run here: {self.log('dockerd')[-300:]}")
        return docker

    def devnet(self, name="devnet", port=7000, relays=1, fee_ppk=100, keysets="v2", auth=False):
        """lease-devnet: relays on `port` and the next ones, then one mint."""
        program = BUILD / "lease-devnet"
        if not program.exists():
            raise Skip("lease-devnet is not built")
        ports = range(port, port + relays + 1)
        control = self.dir / f"{name}.sock"
        options = [o for p in ports[:-1] for o in ("--relay-port", p)] + ["--mint-port", ports[-1]]
        self.start(name, program, *options, "--fee-ppk", fee_ppk, "--keyset-version", keysets, "--control", control,
                   *(["--auth"] if auth else []), port=ports[-1])
        return Devnet(self, program, control, [f"ws://127.0.0.1:{p}" for p in ports[:-1]], f"http://127.0.0.1:{ports[-1]}")

    def ip(self, *argv, where=None):
        """ip(8), here or in the namespace of the process `where`."""
        done = self.run(*(("nsenter", "-t", where, "-n") if where else ()), "ip", *argv)
        need(done.returncode == 0, f"ip {' '.join(map(str, argv))}", done.stderr) if done.returncode else None

    def internet(self, host, gateway, *addresses):
        """A second network namespace behind a link out of this one, to play the Internet; a process in it."""
        outside = self.start("internet", "unshare", "-n", "sh", "-c", "echo up; exec sleep 900").pid
        need(wait_for(lambda: "up" in self.log("internet"), 5), "a second namespace")
        self.ip("link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", outside)
        self.ip("addr", "add", f"{host}/24", "dev", "up0")
        self.ip("link", "set", "up0", "up")
        self.ip("route", "add", "default", "via", gateway)
        for address in (f"{gateway}/24", *addresses):
            self.ip("addr", "add", address, "dev", "up0", where=outside)
        for link in ("up0", "lo"):
            self.ip("link", "set", link, "up", where=outside)
        self.ip("route", "add", "default", "via", host, where=outside)
        return outside

    def ours(self, path):
        if not path.exists():
            raise Skip(f"{path.name} is not installed (make install)")
        return path


class Devnet:
    """A running lease-devnet."""

    def __init__(self, world, program, control, relays, mint):
        self.world, self.program, self.control = world, program, control
        self.relays, self.relay, self.mint = relays, relays[0], mint

    def tell(self, **request):
        """One request to its control socket (src/devnet/main.c), such as fault="drop", at="relay"."""
        done = self.world.run(self.program, "--tell", self.control, json.dumps(request))
        if done.returncode:
            raise Failed(f"lease-devnet refuses {request}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


def json_lines(text):
    """The JSON objects among the lines of a program's output."""
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            pass
    return found


# Running a test ----------------------------------------------------------------------------------

def enter_namespaces():
    """Start this script again in namespaces of its own."""
    os.environ["HARNESS_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc",
                          "--propagation", "private", sys.executable, *sys.argv])


def be_init():
    """Process 1 of the namespace: reap every orphan, end with the test. Returns in the child that is the test."""
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def terminated(*_):
    raise Failed("stopped by a signal")


def fell(world, why, error):
    """The test cannot go on: which step it was at, and what the programs that it started said last."""
    check(False, why, "".join(traceback.format_exception(error)))
    for path in sorted(world.dir.glob("*.log"), key=lambda path: path.stat().st_mtime):
        note(f"--- {path.name}")
        note("\n".join(line[:300] for line in world.log(path.stem).splitlines()[-20:]))


def main(test):
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        sys.exit(0)
    if not os.environ.get("HARNESS_INSIDE"):
        enter_namespaces()
    be_init()
    signal.signal(signal.SIGTERM, terminated)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    world = World()
    threading.excepthook = lambda a: fell(world, f"a thread came to its end: {a.thread.name}", a.exc_value)
    skipped = None
    try:
        test(world)
    except Skip as e:
        skipped = e
    except Exception as e:  # whatever it is, it is a result
        fell(world, "the test came to its end", e)
    try:
        world.close()
    except Exception as e:
        fell(world, "what the test left is removed", e)
    if skipped and results:
        skip("the rest", skipped)
    print(f"1..0 # SKIP {skipped}" if skipped and not results else f"1..{len(results)}", flush=True)
    os._exit(0 if all(results) else 1)  # a thread that still waits for something has nothing to add
