"""The helper with keepers and the real runtime in namespaces of the test's own: leases are started, entered and ended."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ.get("BUILD_DIR", "."))
NAME = os.environ.get("LEASED_TEST_RUNTIME") or "runc"
RUNC = shutil.which(NAME) or NAME
BACKEND = os.environ.get("BACKEND") or "oci"
LIMITS = {"cpu": 1000, "memory": 64 << 20, "pids": 64, "disk": 64 << 20}


def into_namespaces():
    """Run this script again where nothing of it can stay: processes, mounts, links and tables die with the namespaces."""
    if os.environ.get("ESCAPE_INSIDE"):
        return
    if BACKEND not in ("oci", "docker"):
        sys.exit("BACKEND: oci or docker")
    if BACKEND == "docker" and not (shutil.which("dockerd") and shutil.which("docker")):
        print("1..0 # SKIP dockerd is not installed")
        sys.exit(0)
    os.environ["ESCAPE_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
                          sys.executable, *sys.argv])


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True, timeout=60, **options).stdout


class World:
    def __init__(self, prefix, net=False, image_bytes=0):
        self.dir = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
        self.dir.chmod(0o711)
        self.state, self.run_dir, self.images = self.dir / "state", self.dir / "run", self.dir / "images"
        self.cgroup = "/" + self.dir.name
        for folder in (self.state, self.run_dir, self.images):
            folder.mkdir(mode=0o711)
        run("mount", "-t", "tmpfs", "-o", "mode=0711,nosuid,nodev,noexec", "tmpfs", self.run_dir)
        run("ip", "link", "set", "lo", "up")
        self.net, self.image_bytes, self.helper = net, image_bytes, None
        self.env, self.daemon = {**os.environ, "BACKEND": BACKEND}, None
        if BACKEND == "docker":
            self.start_docker()

    def start_docker(self):
        """A daemon that touches nothing of this machine."""
        home, host = self.dir / "docker", f"unix://{self.dir}/docker/sock"
        home.mkdir(mode=0o711)
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        with open(self.dir / "docker.log", "ab") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--host", host, "--data-root", home / "data", "--exec-root", home / "exec", "--pidfile", home / "pid",
                 "--bridge", "none", "--iptables=false", "--ip-masq=false", "--userland-proxy=false"], stdout=log, stderr=log)
        self.env["DOCKER_HOST"] = host
        end = time.monotonic() + 60
        while subprocess.run(["docker", "version"], env=self.env, capture_output=True).returncode:
            if self.daemon.poll() is not None or time.monotonic() > end:
                print("1..0 # SKIP dockerd does not run here: " + (self.dir / "docker.log").read_text()[-300:].replace("\n", " "))
                sys.exit(0)
            time.sleep(0.2)

    def docker(self, *argv):
        return run("docker", *argv, env=self.env)

    def stop_docker(self):
        """What it keeps of leases is nothing but the image that holds nothing."""
        left = self.docker("ps", "--all", "--quiet") + self.docker("volume", "ls", "--quiet")
        images = self.docker("images", "--all", "--quiet", "--no-trunc").split()
        self.daemon.terminate()
        self.daemon.wait(60)
        if left or len(images) > 1:
            raise RuntimeError(f"Docker still has {left} {images}")

    def start_helper(self):
        images = [f"{d.name}=oci:{d}:latest" for d in sorted(self.images.iterdir())]
        self.helper = subprocess.Popen(
            [BUILD / "tests/escape/world", self.state, self.run_dir, self.cgroup, str(self.image_bytes),
             "net" if self.net else "alone", *images],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.dir / "helper.log", "ab"), env=self.env)

    def stop_helper(self):
        self.helper.stdin.close()
        self.helper.wait(60)
        self.helper = None

    def ask(self, *words):
        """The answer's lines, and what came after an exec's first."""
        self.helper.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        self.helper.stdin.flush()
        line = self.helper.stdout.readline().decode().strip()
        rest = b""
        if line.startswith("exec "):
            rest = self.helper.stdout.read(sum(int(n) for n in line.split()[3:5]))
        end = self.helper.stdout.readline()
        while end and end != b".\n":
            end = self.helper.stdout.readline()
        if not end:
            raise RuntimeError("the helper is gone: " + (self.dir / "helper.log").read_text()[-2000:])
        return line, rest.decode(errors="replace")

    def spec(self, image, args, **more):
        path = self.dir / "spec.json"
        path.write_text(json.dumps({"image": image, "args": list(args), "limits": LIMITS | more.pop("limits", {})} | more))
        return path

    def start(self, lease, image, args, backend=None, **more):
        return self.ask("start", lease, self.spec(image, args, **more), *([backend] if backend else []))[0]

    def must_start(self, lease, image, args, **more):
        answer = self.start(lease, image, args, **more)
        if answer != "running":
            raise RuntimeError(f"{image}: {answer}")

    def exec(self, lease, *argv, user="-"):
        line, output = self.ask("exec", lease, user, *argv)
        _, outcome, status, *_ = line.split()
        return outcome, int(status), output

    def beside(self, lease, image, *argv):
        """As exec, in another image beside the lease's own."""
        line, output = self.ask("beside", lease, image, *argv)
        _, outcome, status, *_ = line.split()
        return outcome, int(status), output

    def destroy(self, lease):
        return self.ask("destroy", lease)[0]

    def config_of(self, lease):
        return json.loads((self.run_dir / "leases" / lease / "config.json").read_text())

    def pid_of(self, lease):
        if BACKEND == "docker":
            return int(self.docker("inspect", "--format", "{{.State.Pid}}", f"leased-{lease}"))
        return int((self.run_dir / "leases" / lease / "pid").read_text())

    def close(self):
        if self.helper:
            self.stop_helper()
        if self.daemon:
            self.stop_docker()
        run("umount", self.run_dir)
        for parent, folders, _ in os.walk("/sys/fs/cgroup"):
            for folder in [f for f in folders if f == self.dir.name]:
                for below, _, _ in os.walk(os.path.join(parent, folder), topdown=False):
                    os.rmdir(below)
                folders.remove(folder)
            if parent.count("/") > 4:
                folders.clear()
        shutil.rmtree(self.dir)


class Tap:
    """Results as TAP; those that failed are counted."""

    def __init__(self):
        self.n = self.failed = 0

    def result(self, fine, name, why=""):
        self.n += 1
        self.failed += not fine
        print(f"{'ok' if fine else 'not ok'} {self.n} - {name}" + (f"\n# {why}" if why and not fine else ""), flush=True)

    def end(self, summary):
        print(f"1..{self.n}")
        print(summary, flush=True)
        sys.exit(1 if self.failed else 0)
