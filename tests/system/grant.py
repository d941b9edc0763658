#!/usr/bin/env python3
"""Offers with cards, powers and a grant: who gets them, and that no request does by itself; on lease-devnet. Nodes of harmless
devices stand for the cards."""

import json
import os
import pathlib
import re
import signal
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import Stranger, leases_of, offer_of

KIND = "nvidia.com/gpu"
STAND_INS = {"card0": (10, 229), "card1": (1, 11), "given": (10, 237)}


def make_host(w):
    """Nodes, a CDI file that names two of them as cards, and a grant with the third."""
    for name, (major, minor) in STAND_INS.items():
        os.mknod(w.dir / name, stat.S_IFCHR | 0o600, os.makedev(major, minor))
    (w.dir / "cdi").mkdir()
    (w.dir / "models").mkdir()
    (w.dir / "models" / "one").write_text("a model\n")
    os.chmod(w.dir / "models" / "one", 0o600)
    devices = [{"name": str(i), "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{i}", "hostPath": str(w.dir / f"card{i}")}]}}
               for i in range(2)]
    (w.dir / "cdi" / "cards.json").write_text(json.dumps(
        {"cdiVersion": "0.5.0", "kind": KIND, "devices": devices, "containerEdits": {"env": ["DRIVER=stand-in"]}}))
    (w.dir / "grant.json").write_text(json.dumps(
        {"devices": [{"path": str(w.dir / "given"), "target": "/dev/given"}], "capabilities": ["NET_ADMIN"],
         "binds": [{"source": str(w.dir / "models"), "target": "/models", "read_only": True}]}))
    os.chmod(w.dir / "grant.json", 0o644)


def add_offers(provider, w):
    """Beside [offer small] one with cards and powers, and one with the grant."""
    text = provider.config.read_text()
    small = text[text.index("[offer small]"):]
    for name, keys in (("cards", ["gpu = nvidia:2", "capability = NET_RAW", "rlimit = nofile:512"]),
                       ("given", [f"grant = {w.dir / 'grant.json'}"])):
        block = re.sub(r"^(gpu) = .*$", "", small, flags=re.M)
        text += "\n" + block.replace("[offer small]", f"[offer {name}]\n" + "\n".join(keys))
    provider.config.write_text(text)


def run(lease, name, *options):
    return lease("run", "-d", "--name", name, "--for", "400s", *options, "busybox", "--", "sleep", "1000")


def inside(lease, name, script):
    done = lease("exec", name, "--", "sh", "-c", script)
    return done.stdout + done.stderr


def says(provider):
    rows = {o["offer"]: o for o in provider}
    check(rows["cards"]["gpus"] == 2 and rows["cards"]["gpus_max"] == 1 and rows["cards"]["gpu_vendor"] == "nvidia",
          "an offer says how many cards it has", rows["cards"])
    check(rows["cards"]["capabilities"] == ["NET_RAW"] and "few-capabilities" not in rows["cards"]["guards"],
          "and which powers buyers may ask for, without the guard that this takes away", rows["cards"])
    check(rows["given"]["granted"] == ["device /dev/given", "folder /models (read-only)", "capability NET_ADMIN"],
          "and what of the host all its leases get", rows["given"])
    check("few-capabilities" in rows["small"]["guards"] and not rows["small"]["granted"], "and another offer has none of it",
          rows["small"])


def cards(lease, provider):
    done = lease("offers", "--gpu")
    check("2 nvidia" in done.stdout and "given" not in done.stdout, "lease offers --gpu lists what has cards", done.stdout)
    look = "cd /dev; echo nvidia*; echo $DRIVER"
    for name, want in (("one", "nvidia0\nstand-in\n"), ("two", "nvidia1\nstand-in\n")):
        done = run(lease, name, "--gpus", "1")
        need(done.returncode == 0, f"lease run --gpus 1 runs, as {name}", done.stdout + done.stderr + provider.log())
        check(inside(lease, name, look) == want, "with a card that nobody else has", inside(lease, name, look))
    done = run(lease, "three", "--gpus", "1")
    check(done.returncode != 0 and "full" in done.stderr.lower(), "a third is refused before it pays", done.stdout + done.stderr)
    provider.stop(sig=signal.SIGKILL)
    provider.start()
    done = run(lease, "three", "--gpus", "all")
    check(done.returncode != 0, "also after kill -9 of leased", done.stdout + done.stderr)
    check(lease("rm", "one").returncode == 0, "lease rm gives a card back")
    done = run(lease, "three", "--gpus", "nvidia:all")
    check(done.returncode == 0 and inside(lease, "three", look) == "nvidia0\nstand-in\n", "and the next has it",
          done.stdout + done.stderr)
    done = run(lease, "four", "--gpus", "amd:1")
    check(done.returncode != 0 and "graphics cards" in done.stderr, "who wants another vendor's finds no offer", done.stderr)
    lease("rm", "two", "three")


def powers(lease):
    done = run(lease, "raw", "--cap-drop", "ALL", "--cap-add", "NET_RAW", "--ulimit", "nofile=256", "--sysctl",
               "net.core.somaxconn=77")
    need(done.returncode == 0, "lease run --cap-add finds the offer that allows it", done.stdout + done.stderr)
    got = inside(lease, "raw", "grep CapBnd /proc/self/status; ulimit -n; cat /proc/sys/net/core/somaxconn")
    check(got.split() == ["CapBnd:", f"{1 << 13:016x}", "256", "77"], "with that alone, its limit and its setting", got)
    lease("rm", "raw")
    for words, why in ((("--cap-add", "SYS_ADMIN"), "no provider gives"), (("--device", "/dev/kvm"), "its provider's to give"),
                       (("--privileged",), "its provider's to give"), (("--cap-add", "FLY"), "no capability"),
                       (("--ulimit", "core=1"), "write NAME="), (("--sysctl", "kernel.panic=1"), "not a setting"),
                       (("--gpus", "device=0"), "VENDOR:"), (("--offer", "small", "--cap-add", "NET_RAW"), "no offer lets"),
                       (("--offer", "cards", "--ulimit", "nofile=1024"), "more than 512")):
        done = run(lease, "never", *words)
        check(done.returncode != 0 and why in done.stderr, f"{' '.join(words)} is refused with why", done.stdout + done.stderr)


def grants(lease, provider):
    done = run(lease, "given", "--offer", "given")
    need(done.returncode == 0, "a lease of the offer with the grant runs", done.stdout + done.stderr + provider.log())
    got = inside(lease, "given", "cat /models/one; : < /dev/given && echo opened; grep CapBnd /proc/self/status")
    check("a model\nopened\n" in got and int(got.split()[-1], 16) >> 12 & 1, "and has what that gives", got)
    done = lease("verify-isolation", "given")
    check(done.returncode == 0 and re.search(r"^few-capabilities +no +no ", done.stdout, re.M),
          "lease verify-isolation finds what its offer promises, and no more", done.stdout + done.stderr)
    done = run(lease, "plain", "--offer", "small")
    got = inside(lease, "plain", "ls /models /dev/given 2>&1; cd /dev; echo nvidia*")
    check("a model" not in got and got.count("No such file") == 2 and "nvidia*" in got, "a lease of another offer has none of it", got)
    lease("rm", "given", "plain")


def strangers(w, lease, net, provider):
    """Whatever a request says: no field of it leads to the host."""
    before = leases_of(provider)
    need(before, "leasectl knows the leases so far")
    stranger = Stranger(w, net.relay, offer_of(lease, "small"))
    for word, spec in (("grant", {"grant": "given"}), ("offer", {"offer": "given"}), ("devices", {"devices": [{"path": "/dev/kvm"}]}),
                       ("binds", {"binds": [{"source": "/", "target": "/host"}]}), ("privileged", {"privileged": True}),
                       ("network", {"network": "host"}), ("storage", {"storage": [{"type": "bind", "path": "/x"}]}),
                       ("new_privileges", {"new_privileges": True}), ("gpu", {"gpu": {"count": 1}}),
                       ("gpu.", {"gpu": {"vendor": "nvidia", "index": 0}}), ("cdi", {"cdi": KIND + "=0"}),
                       ("capabilities.add", {"capabilities": {"add": ["NET_ADMIN"]}}),
                       ("capabilities.add", {"capabilities": {"add": ["SYS_ADMIN"]}})):
        stranger.as_another()
        request = stranger.request(stranger.token(net.mint), spec={"image": "busybox", "args": ["sleep", "9"], **spec})
        replies = stranger.ask(request)
        last = replies[-1] if replies else {}
        check(last.get("stage") == "refused" and last.get("token", "unspent") == "unspent" and word in last.get("message", ""),
              f"a request with {json.dumps(spec)} is refused, unpaid", replies)
    check(leases_of(provider).keys() == before.keys(), "and none of them became a lease", leases_of(provider))


def test(w: World):
    net = w.devnet()
    make_host(w)
    provider = Provider(w, [net.relay], [net.mint], settings=(f"runtime.cdi_dir={w.dir / 'cdi'}",))
    add_offers(provider, w)
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(3000)
    says(json_lines(lease("--json", "offers").stdout))
    cards(lease, provider)
    powers(lease)
    grants(lease, provider)
    strangers(w, lease, net, provider)
    done = provider.ctl("doctor")
    check(re.search(r"^ok +offer cards: gpu: 2 of 2 of nvidia: 0, 1 by .*cards.json", done.stdout, re.M) and
          re.search(r"^ok +offer given: grant: every lease has: device /dev/given", done.stdout, re.M) and
          re.search(r"offer given: isolation: not promised to its buyers: few-capabilities", done.stdout),
          "leasectl doctor says which cards there are, what is given and what is not promised", done.stdout + done.stderr)
    provider.stop()
    os.chmod(w.dir / "grant.json", 0o666)
    w.start("refused", provider.leased, "--config", provider.config)
    check(wait_for(lambda: "others may write" in w.log("refused"), 10), "leased does not start with a grant that others may write",
          w.log("refused"))
    done = provider.ctl("doctor")
    check(re.search(r"^fail +offer given: grant: .*others may write", done.stdout, re.M), "and doctor says so", done.stdout)


if __name__ == "__main__":
    main(test)
