#!/usr/bin/env python3
"""Templates: an operator's own one and the two shipped ones whose images are small, listed, shown and bought (the others:
shipped.py); a second network namespace plays the Internet, and Debian's docker-registry the registry that they name."""

import json
import os
import pathlib
import re
import shutil
import stat
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import files
from harness import CACHE, SYSTEM, Skip, World, check, json_lines, main, need, skip, wait_for
from hub import HOST, PUBLIC, RESOLVER, SETTINGS, ask, healthy, published, push, serve_images
from provider import MAKE_IMAGE, Buyer, Provider
from search import holds

SHIPPED = SYSTEM.parent.parent / "contrib" / "templates"
SECRET = "a-word-that-is-nowhere-4711"
PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")

BOX = {
    "description": "Counts its starts",
    "spec": {
        "network": "internet",
        "args": ["sh", "-c", "echo $LEVEL $COUNT >>/data/log; exec httpd -f -p 8080 -h /data"],
        "storage": [{"type": "volume", "name": "data", "path": "/data"}],
        "ports": [{"inside": 8080}],
    },
    "variables": {
        "LEVEL": {"type": "choice", "choices": ["low", "high"], "default": "low", "description": "How much"},
        "COUNT": {"type": "integer", "min": 1, "max": 9, "default": "3"},
        "TOKEN": {"min": 8, "max": 64, "secret": True, "required": True, "description": "Who knows it may come in"},
    },
    "ports": {"8080/tcp": "web"},
    "minimum": {"memory": "32Mi"},
    "grant": {"devices": [{"target": "/dev/given", "access": "rw"}]},
    "reasons": {"devices": "it looks at it"},
}


def python_layout(w):
    """Busybox, and what Debian's packages of Python have, with the libraries that it loads."""
    root, layout = w.dir / "pyroot", w.dir / "python"
    if w.run("dpkg", "-s", *PACKAGES).returncode:
        return None
    done = w.run(MAKE_IMAGE, layout)
    need(done.returncode == 0, "make-image", done.stderr) if done.returncode else None
    listed = w.run("dpkg", "-L", *PACKAGES).stdout.split("\n")
    loads = ["/usr/bin/python3.11", *(p for p in listed if "/lib-dynload/" in p)]
    for path in (*listed, *{m for p in loads for m in re.findall(r"(/\S+) \(0x", os.popen(f"ldd {p}").read())}):
        if not os.path.isfile(path) or "/doc/" in path or "/man/" in path:
            continue
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(path), root / path[1:])
    (root / "usr/bin/python3").symlink_to("python3.11")
    done = w.run("umoci", "insert", "--image", f"{layout}:latest", root, "/", timeout=180)
    need(done.returncode == 0, "umoci insert", done.stderr) if done.returncode else None
    return layout


def make_operator(w):
    """The operator's folder with a template of an image that no offer names."""
    need(w.run(MAKE_IMAGE, w.dir / "own").returncode == 0, "an image of its own")
    os.mknod(w.dir / "given", stat.S_IFCHR | 0o600, os.makedev(10, 237))
    (w.dir / "templates").mkdir()
    box = json.loads(json.dumps(BOX))
    box["spec"]["image"] = f"oci:{w.dir / 'own'}"
    box["grant"]["devices"][0]["path"] = str(w.dir / "given")
    path = w.dir / "templates" / "box.json"
    path.write_text(json.dumps(box))
    path.chmod(0o644)
    return path


def configuration(w, provider, path):
    """What an operator is told of a file that is wrong."""
    text = path.read_text()
    for change, says in (({"flags": "--privileged"}, "flags: unknown field"),
                         ({"minimum": {"memory": "900Gi"}}, "memory: template box needs 966367641600, the offer has"),
                         ({"reasons": {}}, "reasons.devices: missing")):
        path.write_text(json.dumps({**json.loads(text), **change}))
        done = provider.ctl("check-config")
        check(done.returncode and says in done.stderr and "template box" in done.stderr and "[offer small]" in done.stderr,
              f"check-config names offer, template and field: {says}", done.stderr)
    path.write_text(text)
    path.chmod(0o666)
    check("chmod go-w" in provider.ctl("check-config").stderr, "and a file that others may write is not read")
    path.chmod(0o644)
    done = provider.ctl("doctor")
    check(re.search(r"offer small: template box\b.*image oci:", done.stdout), "doctor says which templates load", done.stdout)
    (w.dir / "own").rename(w.dir / "away")
    check(f"{w.dir / 'own'} is no OCI layout" in provider.ctl("doctor").stdout, "and which image is not there")
    (w.dir / "away").rename(w.dir / "own")


def listed(w, lease):
    done = lease("template", "ls")
    check(re.search(r"^box +\w+ +small +live .*Counts its starts$", done.stdout, re.M), "lease template ls lists it",
          done.stdout + done.stderr)
    rows = {r["name"]: r for r in json_lines(lease("--json", "template", "ls").stdout)}
    check(rows["box"]["image"] == f"oci:{w.dir / 'own'}", "as JSON, too", rows)
    offer = json_lines(lease("--json", "offers").stdout)[0]
    check("box" in [t["name"] for t in offer["templates"]], "and lease offers --json", offer)
    done = lease("template", "show", "box")
    for line in ("LEVEL  choice low,high, default \"low\": How much", "COUNT  integer 1-9, default \"3\"",
                 "TOKEN  text 8-64 bytes, required, secret: Who knows it may come in", "8080/tcp  web", "volume  data  /data",
                 "devices  it looks at it"):
        check(f"  {line}\n" in done.stdout, f"lease template show: {line}", done.stdout + done.stderr)
    shown = lease("--json", "template", "show", "box").stdout
    check(json.loads(shown)["variables"]["COUNT"]["max"] == 9 and "given" not in shown, "--json has all but the host's paths", shown)
    done = lease("template", "show", "nothing")
    check(done.returncode and "no offer has that template" in done.stderr, "an unknown one is said to be that", done.stderr)


def refused(w, lease):
    before = lease.balance()
    for options, says in ((("-e", "LEVEL=mid"), "env.LEVEL: want one of low, high"),
                          (("-e", "COUNT=10"), "env.COUNT: want a whole number from 1 to 9"),
                          (("-e", "PATH=/x"), "env.PATH: template box lets you set LEVEL, COUNT, TOKEN"),
                          ((), "env.TOKEN: template box needs it"),
                          (("--user", "1000"), "user: is the template's"),
                          (("-p", "9090"), "ports[0].inside: template box has no port 9090")):
        more = () if not options else ("-e", f"TOKEN={SECRET}")
        done = lease("template", "run", "--for", "20s", *options, *more, "box")
        check(done.returncode == 2 and says in done.stderr, f"refused by its type: {says}", (done.returncode, done.stderr))
    check(lease.balance() == before, "before anything is paid")


def in_clear(w, word):
    """Where it can be read, in files and in processes' arguments; apart, where containers run."""
    found, running = [], []
    for path in [*files(w.dir), *pathlib.Path("/proc").glob("[0-9]*/cmdline")]:
        try:
            inside = word.encode() in path.read_bytes() if path.is_relative_to("/proc") else holds(path, {"word": word.encode()})
            if inside:
                (running if path.is_relative_to(w.dir / "run-provider") else found).append(str(path))
        except OSError:  # a process that has ended
            pass
    return found, running


def own(w, lease, provider, outside):
    done = lease("template", "run", "-d", "--name", "box", "--for", "600s", "-e", "LEVEL=high", "-e", "TOKEN", "box", timeout=120,
                 env={"TOKEN": SECRET})
    need(done.returncode == 0 and done.stdout == "box\n", "lease template run", done.stdout + done.stderr + provider.log())
    check(re.search(rf"published at {re.escape(HOST)}:\d+: 8080/tcp, web", done.stderr), "says its ports with their labels", done.stderr)
    port = published(done).group(1)
    check(wait_for(lambda: ask(w, outside, f"http://{HOST}:{port}/log") == "high 3", 15, 0.5), "what a buyer set and what not counts",
          ask(w, outside, f"http://{HOST}:{port}/log"))
    done = lease("exec", "box", "--", "sh", "-c", "echo $TOKEN; ls /dev/given")
    check(done.stdout == f"{SECRET}\n/dev/given\n", "the secret is inside, and what the template grants", done.stdout + done.stderr)
    found, running = in_clear(w, SECRET)
    check(not found, "the secret is in no file of provider, buyer and relay, and in no list of processes", found)
    check(any(path.endswith("/config.json") for path in running), "but in the running container's own", running)
    need(lease("stop", "-t", "1s", "box").returncode == 0 and lease("start", "box").returncode == 0, "lease stop and start")
    check(wait_for(lambda: ask(w, outside, f"http://{HOST}:{port}/log") == "high 3\nhigh 3", 15, 0.5),
          "its volume keeps what it wrote, and its variables are as they were", ask(w, outside, f"http://{HOST}:{port}/log"))
    done = lease("exec", "box", "--", "sh", "-c", "echo $TOKEN; ls /dev/given")
    check(done.stdout == f"{SECRET}\n/dev/given\n", "and so is what is secret, and what is granted", done.stdout + done.stderr)
    done = lease("run", "--for", "20s", "busybox", "--", "ls", "/dev/given")
    check(done.returncode and "/dev/given" not in done.stdout, "another lease of the offer has nothing of it", done.stdout)
    done = lease("rm", "box")
    check(done.returncode == 0, "lease rm", done.stdout + done.stderr)
    file = w.dir / "spec.json"
    file.write_text(json.dumps({"template": "box", "env": {"TOKEN": "password"}, "ports": [{"inside": 8080, "outside": 20007}]}))
    done = lease("run", "-d", "--name", "file", "--for", "20s", "--spec", file)
    check(done.returncode == 0 and f"published at {HOST}:20007: 8080/tcp, web\n" in done.stderr,
          "lease run --spec names a template, too, and where its port is published", done.stdout + done.stderr)
    lease("rm", "file")


def debian(w, lease, provider):
    done = lease("template", "run", "-d", "--name", "deb", "--for", "300s", "debian", timeout=240)
    need(done.returncode == 0, "the shipped debian runs, with debootstrap's tree", done.stdout + done.stderr + provider.log())
    done = lease("exec", "deb", "--", "sh", "-c", ". /etc/os-release; echo $ID; dpkg -l | wc -l >/root/n; test -s /root/n && echo kept")
    check(done.stdout == "debian\nkept\n", "it is Debian", done.stdout + done.stderr)
    start = time.monotonic()
    need(lease("stop", "deb").returncode == 0 and lease("start", "deb").returncode == 0, "it is stopped and started")
    check(time.monotonic() - start < 25, "without a wait for a signal that nothing in it hears", time.monotonic() - start)
    done = lease("exec", "deb", "--", "cat", "/root/n")
    check(done.stdout.strip().isdigit(), "and its /root is kept", done.stdout + done.stderr)
    lease("rm", "deb")


def sandbox(w, lease, provider, outside):
    done = lease("template", "run", "-d", "--name", "agent", "--for", "600s", "-e", "TOKEN", "agent-sandbox", timeout=240,
                 env={"TOKEN": SECRET})
    need(done.returncode == 0, "the shipped agent-sandbox runs", done.stdout + done.stderr + provider.log())
    url = f"http://{HOST}:{published(done).group(1)}"
    need(wait_for(lambda: ask(w, outside, f"{url}/health") == '{"ok": true}', 30, 0.5), "it answers", ask(w, outside, f"{url}/health") +
         lease("logs", "agent").stdout)
    healthy(lease, "agent", json.loads((SHIPPED / "agent-sandbox.json").read_text()))
    body = json.dumps({"argv": ["sh", "-c", "cat; pwd; echo no >&2; exit 3"], "input": "in\n"})
    check(ask(w, outside, f"{url}/exec", body) == "status 401", "its exec endpoint wants the token")
    answer = json.loads(ask(w, outside, f"{url}/exec", body, SECRET))
    check(answer == {"status": 3, "stdout": "in\n/workspace\n", "stderr": "no\n"}, "and runs a command, with input, output and status", answer)
    answer = json.loads(ask(w, outside, f"{url}/exec", json.dumps({"argv": ["env"]}), SECRET))
    check(SECRET not in answer["stdout"], "which does not see the token", answer)
    answer = json.loads(ask(w, outside, f"{url}/exec", json.dumps({"argv": ["sleep", "60"], "timeout": 0.5}), SECRET))
    check(answer == {"error": "timeout", "status": 124}, "and not longer than it may", answer)
    lease("rm", "agent")


def test(w: World):
    for program in ("docker-registry", "skopeo", "umoci", "busybox"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    outside = w.internet(HOST, PUBLIC, f"{RESOLVER}/32")
    serve_images(w)
    path, started = make_operator(w), []
    for name, layout in (("debian", CACHE / "debian-image/layout"), ("agent-sandbox", python_layout(w))):
        if not layout or not layout.exists():
            skip(f"start the shipped {name}", "its image cannot be made here (contrib/foreign, python3.11)")
            continue
        push(w, layout if name != "debian" else f"{layout}:latest", json.loads((SHIPPED / f"{name}.json").read_text())["spec"]["image"])
        started.append(name)
    net = w.devnet()
    settings = [*SETTINGS, f"agent.templates={w.dir / 'templates'}", "offer.template=box",
                *(f"offer.template={name}" for name in started)]
    provider = Provider(w, [net.relay], [net.mint], settings=settings, size=("1", "512Mi", "1Gi"))
    configuration(w, provider, path)
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(4000)
    listed(w, lease)
    refused(w, lease)
    own(w, lease, provider, outside)
    debian(w, lease, provider) if "debian" in started else None
    sandbox(w, lease, provider, outside) if "agent-sandbox" in started else None
    provider.stop()


main(test)
