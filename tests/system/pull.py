#!/usr/bin/env python3
"""Images of registries: Debian's docker-registry with TLS and passwords, pulled through the operator's holes and nothing else."""

import base64
import collections
import contextlib
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from disk import files
from harness import World, Skip, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from search import holds

ADDRESS = "10.77.0.1"
OPEN, SHUT, DARK, TWISTED = "open.lan:5000", "shut.lan:5001", "dark.lan:5002", "twisted.lan:5003"
# bcrypt of "sesame", as htpasswd -B writes it
USERS = "ali:$2b$05$fQ8KScK9fwA3lG3GJL9E6uI3F.rztUhptC/BbO75iM.gF3B/JaXb2\n"


def make_certificates(w):
    """An authority of the test's own, and a certificate for the registries' names."""
    ca, key = w.dir / "ca.crt", w.dir / "ca.key"
    tls = w.dir / "tls.crt", w.dir / "tls.key"
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    need(w.run(*new, "-subj", "/CN=test", "-keyout", key, "-out", ca).returncode == 0, "an authority")
    done = w.run(*new, "-subj", "/CN=registry", "-addext", "subjectAltName=DNS:open.lan,DNS:shut.lan,IP:10.77.0.1",
                 "-addext", "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", key, "-keyout", tls[1], "-out", tls[0])
    need(done.returncode == 0, "a certificate", done.stderr)
    return ca, tls


def registry(w, name, tls=None, users=None):
    host, port = name.split(":")
    conf = {"version": 0.1, "log": {"level": "warn"}, "storage": {"filesystem": {"rootdirectory": str(w.dir / host)}},
            "http": {"addr": f"{ADDRESS}:{port}"}}
    if tls:
        conf["http"]["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
    if users:
        (w.dir / "users").write_text(users)
        conf["auth"] = {"htpasswd": {"realm": "test", "path": str(w.dir / "users")}}
    path = w.dir / f"{host}.yml"
    path.write_text(json.dumps(conf))
    w.start(host, "docker-registry", "serve", path)
    need(wait_for(lambda: w.run("bash", "-c", f"exec 3<>/dev/tcp/{ADDRESS}/{port}").returncode == 0, 20), f"{host} listens", w.log(host))


def push(w, layout, name, *options):
    port = name.split(":")[1].split("/")[0]
    to = name.replace(name.split("/")[0], f"{ADDRESS}:{port}")
    done = w.run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *options, f"oci:{layout}",
                 f"docker://{to}")
    need(done.returncode == 0, f"push {name}", done.stderr)


def asked(w, host, what):
    """How often the registry was asked for it, by its log."""
    return sum(what in line and "GET /v2/" in line for line in (w.dir / f"{host}.log").read_text().splitlines())


def blob(layout, data, media):
    """Add a blob; its descriptor."""
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": f"application/vnd.oci.image.{media}", "digest": f"sha256:{digest}", "size": len(data)}


def read(layout, descriptor):
    return json.loads((layout / "blobs/sha256" / descriptor["digest"][7:]).read_text())


def variant(w, name, change=None, layers=(), index=False):
    """A copy of the busybox layout with another configuration, further layers, or behind a list of platforms."""
    layout = w.dir / name
    shutil.copytree(w.dir / "busybox", layout)
    top = json.loads((layout / "index.json").read_text())
    manifest = read(layout, top["manifests"][0])
    config = {**read(layout, manifest["config"]), **(change or {})}
    for data in layers:
        config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(data).hexdigest())
        manifest["layers"].append(blob(layout, data, "layer.v1.tar"))
    manifest["config"] = blob(layout, json.dumps(config).encode(), "config.v1+json")
    made = blob(layout, json.dumps(manifest).encode(), "manifest.v1+json")
    if index:
        other = {**made, "platform": {"os": "linux", "architecture": "s390x"}}
        mine = {**made, "platform": {"os": "linux", "architecture": config["architecture"]}}
        made = blob(layout, json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                                        "manifests": [other, mine]}).encode(), "index.v1+json")
    made["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [made]}))
    return layout


def layer(name, size):
    """An uncompressed layer with one file that nothing can make smaller."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = size
        t.addfile(info, io.BytesIO(os.urandom(size)))
    return out.getvalue()


class Twisted(http.server.BaseHTTPRequestHandler):
    """In front of a registry: /slow/ trickles its largest blob, /more/ never ends it, /hang/ never begins it."""

    protocol_version = "HTTP/1.0"
    behind = f"http://{ADDRESS}:5002"
    blobs = collections.Counter()

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        request = urllib.request.Request(self.behind + self.path, method=self.command,
                                         headers={"Accept": ", ".join(self.headers.get_all("Accept", []))})
        try:
            answer = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as e:
            answer = e
        body = answer.read()
        large = "/blobs/" in self.path and len(body) > 500000
        way = self.path.split("/")[2] if large else ""
        self.blobs[self.path if large else ""] += 1
        if way == "hang":
            time.sleep(120)
        self.send_response(answer.status)
        for key in ("Content-Type", "Docker-Content-Digest"):
            if answer.headers.get(key):
                self.send_header(key, answer.headers[key])
        if way != "more":
            self.send_header("Content-Length", answer.headers.get("Content-Length", str(len(body))))
        self.end_headers()
        step = max(len(body) // 16, 1) if way == "slow" else max(len(body), 1)
        with contextlib.suppress(OSError):
            for at in range(0, len(body), step):
                self.wfile.write(body[at:at + step])
                time.sleep(0.25 if way == "slow" else 0)
            while way == "more":
                self.wfile.write(body)


def twist():
    server = http.server.ThreadingHTTPServer((ADDRESS, 5003), Twisted)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def refuses(lease, image, code, words, *options, **more):
    """A request for the image is refused before anything is paid."""
    done = lease("run", "--for", "20s", *options, image, "--", "true", **more)
    check(done.returncode != 0 and code in done.stderr and words in done.stderr and "unspent" in done.stderr
          and "back in the wallet" in done.stderr, f"{image} is refused: {words}", done.stderr)


def fails(lease, image, words):
    """The money was taken, and comes back by itself."""
    done = lease("run", "--for", "20s", image, "--", "true", timeout=180)
    check(done.returncode != 0 and words in done.stderr and "back in the wallet" in done.stderr,
          f"{image} is paid back: {words}", done.stderr)


def digest_of(lease, name):
    return json_lines(lease("--json", "show", name).stdout)[0].get("image_digest", "")


def find_secrets(w, provider):
    """Files of the provider that have the password, plain or as it is sent."""
    words = {"plain": b"sesame", "encoded": base64.b64encode(b"ali:sesame")}
    paths = [*files(provider.dir), *files(provider.run_dir), w.dir / "provider.log"]
    return [f"{path}: {word}" for path in paths for word in holds(path, words)]


def again(w, lease):
    """A start asks for the image only when it was set to."""
    image = f"{OPEN}/team/moving:1"
    digests = []
    push(w, variant(w, "first", {"author": "first"}), image)
    done = lease("run", "-d", "--name", "moving", "--for", "300s", image, "--", "sh", "-c", "echo x >>/tmp/kept; sleep 100")
    need(done.returncode == 0, "a lease of a tag that moves", done.stderr)
    push(w, variant(w, "second", {"author": "second"}, layers=[layer("fresh", 1000)]), image)
    for policy in (None, "always"):
        digests.append(digest_of(lease, "moving"))
        if policy:
            need(lease("set", "moving", f"pull={policy}").returncode == 0, "lease set")
        done = [lease("stop", "-t", "1s", "moving"), lease("start", "moving")]
        check(not any(d.returncode for d in done), "it stops and starts", "".join(d.stderr for d in done))
    check(digests[0] == digests[1] != digest_of(lease, "moving"), "with the new image once it is set to pull", digests)
    done = lease("exec", "moving", "--", "sh", "-c", "until [ $(wc -l </tmp/kept) = 3 ]; do sleep 0.1; done; ls /fresh")
    check("/fresh" in done.stdout, "on the data that it had", done.stdout + done.stderr)
    lease("rm", "moving")


def survive(w, lease, provider):
    """kill -9 in the middle of a pull: the start is made again after it; a stop leaves nothing of one."""
    for name in ("killed", "stopped"):
        push(w, variant(w, name, {"author": name}, layers=[layer(name, 4 << 20)]), f"{DARK}/slow/{name}:1")
    done = []
    job = threading.Thread(target=lambda: done.append(lease("run", "--for", "20s", f"{TWISTED}/slow/killed:1", "--", "echo", "up",
                                                            timeout=180)))
    volumes = provider.dir / "state/volumes"
    job.start()
    need(wait_for(lambda: list(volumes.glob("pull-*")), 30), "a pull is under way", provider.log())
    provider.stop(sig=9)
    provider.start()
    job.join()
    check("up" in done[0].stdout, "after kill -9 of leased the image is pulled again", done[0].stderr + provider.log())
    job = threading.Thread(target=lambda: lease("run", "--for", "20s", f"{TWISTED}/slow/stopped:1", "--", "true", timeout=180))
    job.start()
    need(wait_for(lambda: list(volumes.glob("pull-*")), 30), "another one", provider.log())
    provider.stop()
    def left():
        return w.run("sh", "-c", "nft list tables; ip -o link; ps -e").stdout

    check(wait_for(lambda: not re.search("skopeo|: lp", left()) and not list(volumes.glob("pull-*")), 10),
          "a stop leaves nothing of a pull", left())
    provider.start()
    job.join()


def trials(w, lease, provider):
    """What takes a while, side by side."""
    buyers = [Buyer(w, lease.relays, lease.mints, f"buyer-{name}") for name in ("slow", "twin", "more", "hang", "dark")]
    for b in buyers:
        b.fund(300)
    slow, twin, more, hang, dark = buyers
    said = {}

    def watch(b, name):
        said[name] = b("run", "-d", "--name", name, "--for", "60s", f"{TWISTED}/slow/busybox:1", "--", "sleep", "50", timeout=180)

    jobs = [threading.Thread(target=watch, args=(slow, "slow")), threading.Thread(target=watch, args=(twin, "twin")),
            threading.Thread(target=fails, args=(more, f"{TWISTED}/more/busybox:1", "more than its manifest says")),
            threading.Thread(target=fails, args=(hang, f"{TWISTED}/hang/busybox:1", "took too long")),
            threading.Thread(target=refuses, args=(dark, f"{ADDRESS}:5004/team/busybox:1", "(registry)", ""))]
    ears = socket.create_server((ADDRESS, 5004))
    ears.setblocking(False)
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    reached = []
    with contextlib.suppress(BlockingIOError):
        reached = [ears.accept()]
    check(not reached, "a private address that the operator does not name is not reached")
    check(all(d.returncode == 0 for d in said.values()), "an image that comes slowly runs for both who asked",
          "".join(d.stderr for d in said.values()) + provider.log())
    brought = [n for path, n in Twisted.blobs.items() if path.startswith("/v2/slow/")]
    check(brought and max(brought) == 1, "and is brought once", Twisted.blobs)
    check("pulling the image: " in said["slow"].stderr + said["twin"].stderr, "the buyer hears how far it is",
          said["slow"].stderr)


def test(w: World):
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        raise Skip("docker-registry or skopeo is not installed")
    w.run("ip", "link", "add", "reg0", "type", "veth", "peer", "name", "reg1")
    w.run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "reg0")
    for end in ("reg0", "reg1"):
        w.run("ip", "link", "set", end, "up")
    ca, tls = make_certificates(w)
    registry(w, OPEN, tls)
    registry(w, SHUT, tls, USERS)
    registry(w, DARK)
    twist()
    net = w.devnet()
    reach = [f"images.reach={name}={ADDRESS}" for name in (OPEN, SHUT, TWISTED, "plain.lan:5002")]
    provider = Provider(w, [net.relay], [net.mint],
                        settings=(*reach, f"images.ca_file={ca}", "images.max_size=8Mi", "images.timeout=60", "images.pulls=6",
                                  f"images.plain_http={TWISTED}", f"images.default_registry={OPEN}"))
    busybox = w.dir / "busybox"
    archive = w.dir / "busybox.tar"
    need(w.run("skopeo", "--insecure-policy", "copy", f"oci:{busybox}", f"oci-archive:{archive}:latest").returncode == 0, "an archive")
    with open(provider.config, "a", encoding="utf-8") as f:
        f.write("".join(f"image = {line}\n" for line in (f"{OPEN}/*", f"{SHUT}/*", f"{TWISTED}/*", f"{ADDRESS}:5004/*",
                                                         "plain.lan:5002/*", f"packed=oci-archive:{archive}")))
    push(w, busybox, f"{OPEN}/team/busybox:1.36")
    push(w, busybox, f"{SHUT}/team/secret:1", "--dest-creds", "ali:sesame")
    push(w, variant(w, "foreign", {"architecture": "s390x"}), f"{OPEN}/team/foreign")
    push(w, variant(w, "large", layers=[layer("large", 9 << 20)]), f"{OPEN}/team/large")
    push(w, variant(w, "many", {"author": "many"}, index=True), f"{OPEN}/team/many:1", "--all")
    for way in ("slow", "more", "hang"):
        push(w, variant(w, way, {"author": way}, layers=[layer(way, 4 << 20)]), f"{DARK}/{way}/busybox:1")
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.relays, lease.mints = [net.relay], [net.mint]
    lease.fund(4000)

    done = lease("run", "--name", "one", "--for", "60s", f"{OPEN}/team/busybox:1.36", "--", "echo", "from a registry")
    need("from a registry" in done.stdout, "an image of a registry runs", done.stderr + provider.log())
    manifest = json.loads((busybox / "index.json").read_text())["manifests"][0]["digest"]
    check(digest_of(lease, "one") == manifest, "the buyer knows its digest", lease("--json", "show", "one").stdout)
    for image, what in ((f"{OPEN}/team/busybox@{manifest}", "by its digest"), ("team/busybox:1.36", "in the default registry"),
                        (f"{OPEN}/team/many:1", "of a list of platforms"), ("packed", "of an archive")):
        done = lease("run", "--for", "20s", image, "--", "echo", "here")
        check("here" in done.stdout, f"one {what} runs", done.stderr + provider.log())

    refuses(lease, f"{OPEN}/team/busybox:9", "(image_not_found)", "no such tag")
    refuses(lease, f"{OPEN}/team/nothing", "(image_not_found)", "the registry has no such")
    refuses(lease, f"{OPEN}/team/foreign", "(image_not_found)", "s390x")
    refuses(lease, f"{OPEN}/team/large", "(image_not_found)", "this provider takes at most 8")
    refuses(lease, "plain.lan:5002/team/busybox", "(registry)", "speaks no TLS")

    secret = f"{SHUT}/team/secret:1"
    good, bad = w.dir / "good", w.dir / "bad"
    good.write_text(json.dumps({"auths": {SHUT: {"auth": base64.b64encode(b"ali:sesame").decode()}, "x.lan": {"auth": "eDp5"}}}))
    bad.write_text("ali:wrong\n")
    refuses(lease, secret, "(image_not_found)", "the registry refuses")
    refuses(lease, secret, "(image_not_found)", "the registry refuses", "--registry-auth", bad)
    done = lease("run", "--for", "20s", "--registry-auth", good, secret, "--", "echo", "let in")
    check("let in" in done.stdout, "with the buyer's credentials it runs", done.stderr + provider.log())
    refuses(lease, secret, "(image_not_found)", "the registry refuses")
    found = find_secrets(w, provider)
    check(not found, "nothing of the provider's has the credentials", "\n".join(found))
    proof = provider.dir / "proof"
    proof.write_text("ali:sesame")
    check(find_secrets(w, provider) == [f"{proof}: plain"], "(the search would find them)")
    proof.unlink()

    push(w, variant(w, "newer", {"author": "newer"}), f"{OPEN}/team/busybox:1.36")
    for pull, same in (("missing", True), ("never", True), ("always", False), ("missing", False)):
        name = f"{pull}-{same}".lower()
        lease("run", "--name", name, "--for", "20s", "--pull", pull, f"{OPEN}/team/busybox:1.36", "--", "true")
        check((digest_of(lease, name) == manifest) == same and digest_of(lease, name), f"--pull {pull}: the {'old' if same else 'new'} one")
    refuses(lease, f"{OPEN}/team/many:2", "(image_not_found)", "not to be pulled", "--pull", "never")

    again(w, lease)
    trials(w, lease, provider)
    survive(w, lease, provider)
    w.stop("open.lan")
    done = lease("run", "--for", "20s", f"{OPEN}/team/busybox:1.36", "--", "echo", "warm")
    check("warm" in done.stdout, "without its registry a warm image runs", done.stderr)
    refuses(lease, f"{OPEN}/team/busybox:1.36", "(registry)", "the registry does not answer", "--pull", "always")
    provider.stop()
    left = w.run("nft", "list", "tables").stdout + w.run("ip", "-o", "link").stdout
    check(": lp" not in left, "no link of a pull is left", left)
    check(not list((provider.dir / "state/volumes").glob("pull-*")), "and no volume")


main(test)
