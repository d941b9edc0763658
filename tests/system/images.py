#!/usr/bin/env python3
"""Real images: made by Debian's tools (umoci, debootstrap, setcap), in Debian's docker-registry, pulled by skopeo and run."""

import json
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import CACHE, World, Skip, check, main, need, skip, wait_for
from provider import Buyer, Provider

ADDRESS, REGISTRY = "10.78.0.1", "images.lan:5000"
LAYERS = 30


class Image:
    """An image layout that grows by umoci, a layer with each put() and hide()."""

    def __init__(self, w, name):
        self.w, self.name, self.at = w, name, f"{w.dir / 'layouts' / name}:latest"
        (w.dir / "layouts").mkdir(exist_ok=True)
        self.umoci("init", "--layout", w.dir / "layouts" / name)
        self.umoci("new", "--image", self.at)

    def umoci(self, *argv):
        done = self.w.run("umoci", *argv)
        need(done.returncode == 0, f"umoci {argv[0]} {self.name}", done.stderr) if done.returncode else None

    def put(self, path, target, *options):
        self.umoci("insert", "--image", self.at, *options, path, target)

    def hide(self, target):
        self.umoci("insert", "--image", self.at, "--whiteout", target)

    def config(self, **options):
        self.umoci("config", "--image", self.at, *(f"--config.{k}={v}" for k, v in options.items()))

    def push(self, *options, source=None):
        done = self.w.run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *options,
                          source or f"oci:{self.at}", f"docker://{ADDRESS}:5000/test/{self.name}:1")
        need(done.returncode == 0, f"push {self.name}", done.stderr)


def busybox_root(w):
    """A root folder of this machine's busybox with the names that the tests use."""
    root = w.dir / "root"
    for folder in ("bin", "etc", "tmp", "home/app"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(shutil.which("busybox"), root / "bin/busybox")
    for name in ("sh", "ls", "cat", "id", "touch", "echo", "stat", "test", "find", "sort", "tr", "chown"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1234:777::/home/app:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nstaff:x:777:\nmore:x:778:app\n")
    os.chown(root / "home/app", 1234, 777)
    return root


def with_libraries(root, program):
    """The program and what it loads."""
    done = re.findall(r"(/\S+) \(0x", os.popen(f"ldd {program}").read())
    for path in (program, *done):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), root / path[1:])


def thirty_layers(w, root):
    """Each layer brings a file; some take one away, one a folder, and one hides all that a folder had."""
    image = Image(w, "thirty")
    image.put(root, "/")
    for i in range(1, LAYERS):
        one = w.dir / "one"
        if i == 10:
            image.hide("/data/n3")
        elif i == 20:
            image.hide("/gone")
        elif i == 25:
            shutil.rmtree(one, ignore_errors=True)
            one.mkdir()
            (one / "alone").write_text("new\n")
            image.put(one, "/veiled", "--opaque")
        else:
            one.mkdir(exist_ok=True)
            for path in one.iterdir():
                path.unlink()
            (one / f"n{i}").write_text(f"{i}\n")
            (one / "last").write_text(f"{i}\n")
            image.put(one, "/data")
            if i in (1, 2):
                image.put(one, "/gone" if i == 1 else "/veiled")
    return image


def capable(w, root):
    """A program with a file capability and one without, and getcap to look at them."""
    for name in ("ping", "plain"):
        shutil.copy2(root / "bin/busybox", root / "bin" / name)
    done = w.run("/usr/sbin/setcap", "cap_net_raw=ep", root / "bin/ping")
    need(done.returncode == 0, "setcap", done.stderr)
    with_libraries(root, "/usr/sbin/getcap")
    image = Image(w, "capable")
    image.put(root, "/")
    return image


def small_images(w):
    root = busybox_root(w)
    plain, named, scratch = Image(w, "busybox"), Image(w, "named"), Image(w, "scratch")
    plain.put(root, "/")
    plain.config(cmd="sh")
    plain.push()
    # zstd from what is not compressed, and not in the registry already: skopeo leaves everything else as it is.
    (root / "etc/squeezed").touch()
    squeezed = Image(w, "zstd")
    squeezed.put(root, "/")
    (root / "etc/squeezed").unlink()
    done = w.run("skopeo", "--insecure-policy", "copy", "--dest-decompress", f"oci:{squeezed.at}", f"dir:{w.dir / 'plain'}")
    need(done.returncode == 0, "a layer without compression", done.stderr)
    squeezed.push("--dest-compress-format", "zstd", "--format", "oci", source=f"dir:{w.dir / 'plain'}")
    done = w.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{ADDRESS}:5000/test/zstd:1")
    need("tar+zstd" in done.stdout and "gzip" not in done.stdout, "its layers are zstd", done.stdout + done.stderr)
    named.put(root, "/")
    named.config(user="app", workingdir="/home/app")
    named.push()
    scratch.put(shutil.which("busybox"), "/busybox")
    scratch.config(entrypoint="/busybox")
    scratch.push()
    thirty_layers(w, root).push()
    capable(w, root).push()


def try_small(lease, provider):
    def run(name, *argv, options=()):
        return lease("run", "--for", "20s", *options, f"{REGISTRY}/test/{name}:1", *(["--", *argv] if argv else []), timeout=120)

    for name in ("busybox", "zstd"):
        done = run(name, "sh", "-c", "cat /etc/group; stat -c %a /tmp; stat -c %u:%g /home/app")
        check(done.returncode == 0 and done.stdout.endswith("more:x:778:app\n1777\n1234:777\n"), f"{name}: its files are as they were",
              done.stdout + done.stderr + provider.log())
    done = run("named", "sh", "-c", "id; cd; pwd; touch mine && stat -c %U:%G mine; touch /etc/not || echo refused")
    check(re.match(r"uid=1234\(app\) gid=777\(staff\) groups=(777\(staff\),)?778\(more\)$", done.stdout, re.M),
          "a named user has the numbers and groups of the image", done.stdout + done.stderr)
    check(done.stdout.endswith("/home/app\napp:staff\nrefused\n"), "and its home, and no more", done.stdout + done.stderr)
    done = run("named", "sh", "-c", "id -u", options=("--user", "0"))
    check(done.stdout == "0\n", "unless the buyer says another", done.stdout + done.stderr)
    done = run("scratch", "find", "/", "-xdev", "-type", "f")
    check(set(done.stdout.split()) - {"/run/lease.probe", "/run/lease.sock"} ==
          {"/busybox", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"},
          "an image of one static program has that and what every lease has", done.stdout + done.stderr)
    done = run("thirty", "sh", "-c", "ls /data | sort | tr '\\n' ' '; cat /data/last; ls /veiled; test -e /gone || echo nothing")
    there = sorted([f"n{i}" for i in range(1, LAYERS) if i not in (3, 10, 20, 25)] + ["last"])
    check(done.stdout == f"{' '.join(there)} {LAYERS - 1}\nalone\nnothing\n", "thirty layers: the upper ones win, and take away",
          done.stdout + done.stderr)
    done = run("capable", "/usr/sbin/getcap", "/bin/ping", "/bin/plain")
    check(done.stdout == "/bin/ping cap_net_raw=ep\n", "a file keeps its capability", done.stdout + done.stderr)


DEBIAN = r"""set -e
dpkg --audit; dpkg-query -W | wc -l
mkdir -p /tmp/p/DEBIAN /tmp/p/usr/share/made; echo word >/tmp/p/usr/share/made/file
printf 'Package: made\nVersion: 1\nArchitecture: all\nMaintainer: test <t@example.org>\nDescription: test\n' >/tmp/p/DEBIAN/control
printf '#!/bin/sh\nuseradd --create-home made\n' >/tmp/p/DEBIAN/postinst; chmod 755 /tmp/p/DEBIAN/postinst
dpkg-deb -b /tmp/p /tmp/made.deb >/dev/null; chmod 644 /tmp/made.deb
apt-get install -y /tmp/made.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 9; }
dpkg -s made | grep Status; dpkg -L made | grep file; stat -c %U /home/made
apt-get remove -y made >/dev/null 2>&1; test ! -e /usr/share/made/file && echo removed
su made -c 'id -un'; perl -e 'print "perl\n"'"""


def try_debian(w, lease, provider):
    layout = CACHE / "debian-image/layout"
    if not layout.exists():
        skip("Debian's minimal tree", "debian-image is not there (contrib/foreign)")
        return
    (w.dir / "debian").symlink_to(layout)
    image = Image.__new__(Image)
    image.w, image.name, image.at = w, "debian", f"{layout}:latest"
    image.push()
    done = lease("run", "--for", "120s", f"{REGISTRY}/test/debian:1", "--", "sh", "-c", DEBIAN, timeout=240)
    lines = done.stdout.splitlines()
    need(done.returncode == 0 and len(lines) >= 7, "debootstrap's minimal tree runs", done.stdout + done.stderr + provider.log())
    check(int(lines[0]) > 70, "dpkg knows its packages, and nothing is wrong with them", lines)
    check(lines[1:] == ["Status: install ok installed", "/usr/share/made/file", "made", "removed", "made", "perl"],
          "apt installs and removes, scripts run, users are made", lines)


def test(w: World):
    for program in ("docker-registry", "skopeo", "umoci", "busybox"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    w.run("ip", "link", "add", "reg0", "type", "veth", "peer", "name", "reg1")
    w.run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "reg0")
    for end in ("reg0", "reg1"):
        w.run("ip", "link", "set", end, "up")
    (w.dir / "registry.yml").write_text(json.dumps({"version": 0.1, "log": {"level": "warn"}, "storage": {
        "filesystem": {"rootdirectory": str(w.dir / "registry")}}, "http": {"addr": f"{ADDRESS}:5000"}}))
    w.start("registry", "docker-registry", "serve", w.dir / "registry.yml")
    need(wait_for(lambda: w.run("bash", "-c", f"exec 3<>/dev/tcp/{ADDRESS}/5000").returncode == 0, 20), "the registry listens",
         w.log("registry"))
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint], settings=(
        f"images.reach={REGISTRY}={ADDRESS}", f"images.plain_http={REGISTRY}", f"offer.image={REGISTRY}/*"),
                        size=("2", "512Mi", "256Mi"))
    small_images(w)
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(4000)
    try_small(lease, provider)
    try_debian(w, lease, provider)
    provider.stop()


main(test)
