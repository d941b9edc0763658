"""Volumes: what an image has where one is mounted, and where the mount is led, must not reach beyond the lease."""
import os
import shutil

from hostile import program, unharmed
from images import Layout, folder, symlink

LEASE = "0000000000000400"
TARGETS = ("proc", "sys", "dev", "run")


def layouts(world, place):
    """For the world's folder of images, before its helper starts."""
    secret = str(place.secret)
    Layout(world.images / "filled", [program() + [folder("vol"), symlink("vol/got", secret), symlink("vol/up", "../" * 12 + secret[1:])]])
    Layout(world.images / "led", [program() + [folder(name) for name in TARGETS] + [
        symlink(f"to-{name}", f"/{name}") for name in TARGETS] + [
        symlink("to-host", os.path.dirname(secret)), symlink("to-root", "/"), folder("honest")]])


def volume(path, **more):
    return {"storage": [{"type": "volume", "name": "v", "path": path} | more]}


def copied_by_the_trusting(world, secret):
    """The control: a copy that follows links brings the host's file along."""
    image, copy = world.dir / "followed", world.dir / "copied"
    image.mkdir()
    (image / "got").symlink_to(secret)
    shutil.copytree(image, copy)
    return (copy / "got").read_text() == "untouched\n"


def try_filling(count, world, place):
    world.must_start(LEASE, "filled", ["/attacker", "wait"], **volume("/vol"))
    _, _, output = world.exec(LEASE, "/attacker", "text:/vol/got,untouched", "text:/vol/up,untouched")
    got = ["the copy"] if " got" in output else []
    world.destroy(LEASE)
    count.add("a volume filled through links to the host", got, copied_by_the_trusting(world, place.secret))


def try_targets(count, world, place):
    before = place.state()["host"]
    world.must_start(LEASE, "led", ["/attacker", "wait"], **volume("/honest"))  # else they were refused for another reason
    world.destroy(LEASE)
    for name in [f"to-{t}" for t in TARGETS] + ["to-host", "to-host/below", "to-root", "to-proc/self"]:
        answer = world.start(LEASE, "led", ["/attacker", "wait"], **volume(f"/{name}"))
        got = [answer] if answer == "running" else []
        if not unharmed(place, before):
            got.append("the host is changed")
        world.destroy(LEASE)
        count.add(f"a volume mounted at a link of the image: /{name}", got, why=answer)


def try_words(count, world, place):
    tricks = [volume("/x", name=n) for n in ("../../../etc", "a/b", ".", "/etc")]
    tricks += [volume(p) for p in ("/x/../../etc", "/proc/1/root", "/dev/mem", "/sys/fs/cgroup", "/", "x")]
    tricks += [{"storage": [{"type": "bind", "source": str(place.secret.parent), "path": "/x"}]},
               {"storage": [{"type": "assets", "name": "etc", "path": "/x"}]},
               {"storage": [{"type": "lease", "lease": "00000000000000ff", "name": "v", "path": "/x"}]}]
    for t in tricks:
        answer = world.start(LEASE, "led", ["/attacker", "wait"], **t)
        world.destroy(LEASE)
        what = " ".join(f"{k}={v}" for k, v in t["storage"][0].items() if k != "source")
        count.add(f"storage: {what}", [answer] if answer == "running" else [], why=answer)


def attack(count, world, place):
    try_filling(count, world, place)
    try_targets(count, world, place)
    try_words(count, world, place)
