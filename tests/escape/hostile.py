"""Images and commands that try to make the runtime, the unpacker or us write where a tenant has no business."""
import os
import shutil
import tarfile
import time

from images import Layout, crowd, digest_of, entry, folder, gzip, hardlink, inflated, symlink, tar_of, trusting_unpack, zeros
from world import BACKEND, BUILD, NAME

ID = "00000000000000f{:x}"
ATTACKER = BUILD / "tests/escape/attacker"


class Trick:
    """One hostile image. `control` says whether it works on those that trust; None: nothing here would be fooled."""

    def __init__(self, name, layers, control, config=None, lie=None, about="", user=""):
        self.name, self.layers, self.control, self.config, self.lie = name, layers, control, config, lie
        self.about, self.user = about, user


def program():
    return [folder("tmp"), entry("attacker", data=ATTACKER.read_bytes())]


def unpacked(place, layer, worked):
    """The control: a trusting unpacker beside the same secret, in a folder of its own."""
    def control():
        root = place.world.dir / "trusting/root"
        secret = place.world.dir / "trusting/secret"
        shutil.rmtree(root.parent, ignore_errors=True)
        root.mkdir(parents=True)
        secret.write_text("untouched\n")
        try:
            trusting_unpack(layer(str(secret)), str(root))
        except OSError as e:
            return f"{e}"
        return worked(root, secret)
    return control


def tricks(world, place):
    """All of them, and their layouts in the world's folder of images."""
    secret = str(place.secret)
    changed = lambda root, secret: not secret.exists() or secret.read_text() != "untouched\n"  # noqa: E731
    linked = lambda root, secret: (root / "got").exists() and os.path.samefile(root / "got", secret)  # noqa: E731
    evil = b"evil\n"

    def through_link(target):
        return [symlink("out", os.path.dirname(target)), entry("out/" + os.path.basename(target), data=evil)]

    def dots(target):
        return [entry("../" * (12 if target == secret else 1) + (target[1:] if target == secret else "secret"), data=evil)]

    def link_out(target):
        return [hardlink("got", ("../" * 12 + target[1:]) if target == secret else "../secret")]

    def link_through_link(target):
        return [symlink("out", os.path.dirname(target)), hardlink("got", "out/" + os.path.basename(target))]

    def file_link(target):
        return [symlink("got", target), entry("got", data=evil)]

    def link_absolute(target):
        return [hardlink("got", target)]

    layered = [
        ("a file through a link to a folder", through_link, changed, ""),
        ("a file through a link to a file", file_link, changed, ""),
        ("a path with ..", dots, changed, ""),
        ("a hard link out by ..", link_out, linked, ""),
        ("a hard link through a link", link_through_link, linked, ""),
    ]
    found = [Trick(name, [program() + make(secret)], unpacked(place, make, worked), about=about)
             for name, make, worked, about in layered]
    found.append(Trick("a hard link out by its absolute path", [program() + link_absolute(secret)], None))
    for name, whiteout in (("..", ".wh..."), (".", ".wh.."), ("nothing", ".wh.")):
        layer = lambda target, w=whiteout: [entry("name"), entry(w)]  # noqa: E731
        found.append(Trick(f"a whiteout of {name}", [program() + [entry(whiteout)]], unpacked(
            place, layer, lambda root, secret: not (root / "name").exists())))
    for kind, name, device in ((tarfile.CHRTYPE, "memory", (1, 1)), (tarfile.BLKTYPE, "a disk", (8, 0)),
                               (tarfile.CHRTYPE, "a whiteout", (0, 0))):
        layer = lambda target, k=kind, d=device: [entry("node", k, device=d)]  # noqa: E731
        found.append(Trick(f"the device node of {name}", [program() + layer("")],
                           unpacked(place, layer, lambda root, secret: os.lstat(root / "node").st_rdev is not None)))
    if not os.environ.get("LEASED_IN_VM"):  # minutes there, and nothing of them depends on the runtime
        found.append(Trick("1 000 001 entries", [program(), crowd(1_000_001)], lambda: inflated(
            crowd(1_000_001)[0], 1 << 40) >= 512_000_512))
        found.append(Trick("10 GB of zeros", [program(), zeros(10)], lambda: inflated(zeros(10)[0], 1 << 30) >= 1 << 30))
    found.append(Trick("an owner that no lease maps", [program() + [entry("theirs", owner=100000)]], unpacked(
        place, lambda target: [entry("theirs", owner=100000)], lambda root, secret: (root / "theirs").exists())))
    found.append(Trick("a link named .", [program() + [symlink(".", os.path.dirname(secret)), entry("secret", data=evil)]], None,
                       about="CVE-2021-29136"))

    def path_as_digest(manifest):
        manifest["config"]["digest"] = "sha256:../../../../../../../.." + secret

    def other_bytes(manifest):
        manifest["layers"][0]["digest"] = digest_of(b"")

    found.append(Trick("a digest that is a path", [program()], None, lie=path_as_digest, about="CVE-2024-3727"))
    found.append(Trick("a layer that is not there", [program() + [entry("unlike-others")]], None, lie=other_bytes))
    found.append(Trick("a folder of /proc to start in", [program()], None, config={"WorkingDir": "/proc/self/fd/7"},
                       about="CVE-2024-21626"))
    found.append(Trick("a user of the host's file", [program() + [folder("etc"), symlink("etc/passwd", str(place.passwd))]],
                       lambda: "evil" in open(place.passwd).read(), config={"User": "evil"}, about="CVE-2024-9676"))
    for i, t in enumerate(found):
        Layout(world.images / f"trick{i}", t.layers, t.config, t.lie)
    away = os.path.dirname(secret)
    Layout(world.images / "link-volume", [program() + [symlink("out", away), folder("etc"), symlink("etc/far", "../../../.." + away)]])
    for name in ("dev", "proc", "sys", "etc", "run", "tmp"):
        rest = [e for e in program() if e[0].name != name]
        Layout(world.images / f"link-{name}", [rest + [symlink(name, os.path.dirname(secret))]])
    return found


def unharmed(place, before):
    return place.secret.read_text() == "untouched\n" and place.state()["host"] == before


def try_images(count, world, place, found):
    before = place.state()["host"]
    for i, t in enumerate(found):
        began = time.monotonic()
        lease = f"00000000000001{i:02x}"
        answer = world.start(lease, f"trick{i}", ["/attacker", "wait"])
        got = []
        if answer == "running":
            _, _, output = world.exec(lease, "/attacker", f"text:/got,untouched", "find:/node", "find:/theirs")
            got = ["the unpacker"] if " got" in output else []
            if t.config:
                got = ["the helper"]
        if not unharmed(place, before):
            got.append("the host is changed")
        world.destroy(lease)
        worked = t.control() if t.control else None
        if isinstance(worked, str):
            worked = False
        count.add(f"image: {t.name}{' (' + t.about + ')' if t.about else ''}", got, worked, answer)
        print(f"#   {time.monotonic() - began:.1f} s: {answer[:150]}")


def dangling(world, control, name):
    """The control of a link where the runtime mounts: that root as it is, without a layer of real folders and without a
    user namespace. Old runtimes follow the link and make files in a folder of the host; those that do not are no control."""
    root, target = world.dir / f"linked-{name}", world.dir / f"target-{name}"
    shutil.copytree(control.config["root"]["path"], root, symlinks=True, ignore=lambda d, names: {"dev", "proc", "sys", "etc"} if
                    d == control.config["root"]["path"] else set())
    target.mkdir()
    for folder_name in {"dev", "proc", "sys", "etc"} - {name}:
        (root / folder_name).mkdir()
    (root / name).symlink_to(target)
    (target / "console").write_text("mine\n")
    config = control.bundle({"userns"}, ["/attacker", "root?"])
    config["root"]["path"] = str(root)
    before = [(p.name, p.stat().st_mtime_ns) for p in target.iterdir()]
    control.run(set(), [], config)
    return [(p.name, p.lstat().st_mtime_ns) for p in target.iterdir()] != before or None


def try_links(count, world, place, control):
    """CVE-2026-41579, CVE-2026-47766: a link of the image where the runtime mounts or we write."""
    before = place.state()["host"]
    for i, name in enumerate(("dev", "proc", "sys", "etc", "run", "tmp")):
        lease = f"00000000000002{i:02x}"
        answer = world.start(lease, f"link-{name}", ["/attacker", "wait"])
        got = [] if answer == "running" else [f"it does not even start: {answer}"]
        _, _, output = world.exec(lease, "/attacker", f"find:/{name}/secret")
        if " got" in output or not unharmed(place, before):
            got.append("the init layer")
        world.destroy(lease)
        about = " (CVE-2026-41579, CVE-2026-47766)" if name == "dev" else ""
        count.add(f"image: /{name} is a link{about}", got, dangling(world, control, name) if name == "dev" else None)


def try_volumes(count, world, place):
    """CVE-2021-30465, CVE-2024-45310: a link of the image on the way to where a volume is mounted. The same name in the host's
    folder must not come to be; a runtime that is fooled makes it."""
    before = place.state()["host"]
    for i, (kind, path) in enumerate((("tmpfs", "/out/made"), ("tmpfs", "/etc/far/made"))):
        lease = f"00000000000004{i:02x}"
        world.start(lease, "link-volume", ["/attacker", "wait"], storage=[{"type": kind, "path": path, "size": 1 << 20}])
        got = [] if unharmed(place, before) else ["the runtime"]
        world.destroy(lease)
        count.add(f"image: a link on the way to a volume, {path} (CVE-2021-30465, CVE-2024-45310)", got)


def try_commands(count, world, lease):
    """What the program that starts commands was talked into, once."""
    _, status, output = world.exec(lease, "/attacker", "identity", user="1000")
    _, _, caps = world.exec(lease, "/attacker", "cap:0", "write:/etc/passwd", user="1000")
    count.add("exec as user 1000 is that user (CVE-2026-30892)", [caps] if " got" in caps else [])
    watcher = "00000000000003a0"
    # with Docker it is the runtime first and leased-probe then
    names = [os.path.basename(NAME), "leased-probe"] if BACKEND == "docker" else [os.path.basename(NAME)]
    world.must_start(watcher, "attack", ["/attacker", *[f"runtime_file:60,{name}" for name in names] * (10 // len(names))])  # a minute
    started = [world.exec(watcher, path, "identity")[1:] for path in ("/attacker", "/self") * 4]
    # leased-probe, which every lease may run, and which says what it sees, is nobody's way out
    ran = [output for status, output in started[1::2]
           if status == 0 and not (BACKEND == "docker" and "\nno-new-privileges yes" in output)]
    _, _, output = world.exec(watcher, "/attacker", "find:/tmp/got-runtime")
    count.add("the runtime's own file, while commands start (CVE-2019-5736)",
              [] if output.endswith("ENOENT\n") else [f"a command: {output}"])
    count.add("a script of /proc/self/exe (CVE-2019-5736)", [f"it ran: {output}" for output in ran[:1]])
    world.destroy(watcher)


def attack(count, world, place, control, found, lease):
    try_images(count, world, place, found)
    try_links(count, world, place, control)
    try_volumes(count, world, place)
    try_commands(count, world, lease)
