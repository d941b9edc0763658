"""A registry that plays the one that templates name, and somebody outside who asks what they serve."""

import json
import re

from harness import check, need, wait_for

PUBLIC, RESOLVER, HOST, REGISTRY = "8.8.8.8", "9.9.9.9", "8.8.8.1", "mirror.lan:5000"
SETTINGS = ["network.mode=internet", f"network.resolver={RESOLVER}", "network.publish_ports=20000-20009",
            f"network.publish_address={HOST}", f"images.mirror=docker.io={REGISTRY}/hub", f"images.reach={REGISTRY}={HOST}",
            f"images.plain_http={REGISTRY}"]


def ask(w, outside, url, body=None, token=None, seconds=8):
    """What a server answers to somebody outside."""
    script = ("import json, sys, urllib.request as u\nurl, body, token, seconds = json.load(sys.stdin)\n"
              "r = u.Request(url, data=body and body.encode(), headers={'Authorization': 'Bearer ' + token} if token else {})\n"
              "try: print(u.urlopen(r, timeout=seconds).read().decode())\n"
              "except u.HTTPError as e: print('status', e.code)\nexcept OSError as e: print('none', e)")
    return w.run("nsenter", "-t", outside, "-n", "python3", "-c", script, input=json.dumps([url, body, token, seconds])).stdout.strip()


def serve_images(w):
    """The registry; the names of the shipped templates that it has."""
    (w.dir / "registry.yml").write_text(json.dumps({"version": 0.1, "log": {"level": "warn"}, "storage": {
        "filesystem": {"rootdirectory": str(w.dir / "registry")}}, "http": {"addr": f"{HOST}:5000"}}))
    w.start("registry", "docker-registry", "serve", w.dir / "registry.yml")
    need(wait_for(lambda: w.run("bash", "-c", f"exec 3<>/dev/tcp/{HOST}/5000").returncode == 0, 20), "the registry listens",
         w.log("registry"))


def push(w, layout, image):
    done = w.run("skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}",
                 f"docker://{HOST}:5000/hub/{image.removeprefix('docker.io/')}", timeout=300)
    need(done.returncode == 0, f"push {image}", done.stderr) if done.returncode else None


def published(done):
    return re.search(rf"published at {re.escape(HOST)}:(\d+)", done.stderr)


def healthy(lease, name, template):
    """The template's own check, run where the agent runs it."""
    command = template["spec"]["health"]["command"]
    done = wait_for(lambda: (lambda d: d if d.returncode == 0 else None)(lease("exec", name, "--", *command)), 20, 1)
    check(done, f"{name}: its health check holds", lease("exec", name, "--", *command).stderr if not done else "")
