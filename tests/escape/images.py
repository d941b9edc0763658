"""Image layouts, honest and hostile, written by hand; and an unpacker that trusts what it reads, as the control."""
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
import zlib
from pathlib import Path

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def entry(name, kind=tarfile.REGTYPE, data=b"", mode=0o755, link="", device=(0, 0), xattrs=None, owner=0):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode, info.linkname = kind, len(data), mode, link
    info.devmajor, info.devminor = device
    info.uid = info.gid = owner
    info.pax_headers = {"SCHILY.xattr." + k: v for k, v in (xattrs or {}).items()}
    return info, data


def folder(name):
    return entry(name, tarfile.DIRTYPE)


def symlink(name, target):
    return entry(name, tarfile.SYMTYPE, link=target)


def hardlink(name, target):
    return entry(name, tarfile.LNKTYPE, link=target)


def tar_of(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """One image: `layers` are lists of entries, or (compressed bytes, digest of the tar) as they are."""

    def __init__(self, path, layers, config=None, lie=None):
        self.path = Path(path)
        (self.path / "blobs/sha256").mkdir(parents=True)
        self.layers = [self.pack(layer) for layer in layers]
        diffids = [diffid for _, diffid in self.layers]
        blobs = [self.put("application/vnd.oci.image.layer.v1.tar+gzip", blob) for blob, _ in self.layers]
        config = self.put("application/vnd.oci.image.config.v1+json", self.json(
            {"architecture": ARCH, "os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": diffids}}))
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config,
                    "layers": blobs}
        if lie:
            lie(manifest)
        manifest = self.put(manifest["mediaType"], self.json(manifest))
        manifest |= {"platform": {"architecture": ARCH, "os": "linux"},
                     "annotations": {"org.opencontainers.image.ref.name": "latest"}}
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (self.path / "index.json").write_bytes(self.json({"schemaVersion": 2, "manifests": [manifest]}))

    @staticmethod
    def json(what):
        return json.dumps(what).encode()

    @staticmethod
    def pack(layer):
        if isinstance(layer, tuple):
            return layer
        tar = tar_of(layer)
        return gzip.compress(tar, 1), digest_of(tar)

    def put(self, kind, data):
        digest = digest_of(data)
        (self.path / "blobs" / digest.replace(":", "/")).write_bytes(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}


def repeated(piece, times, head=b""):
    """A gzip stream of `head` and then `piece` again and again, without ever making all of it."""
    member = gzip.compress(piece, 9)
    return (gzip.compress(head) if head else b"") + member * times


def zeros(gib):
    """A file of that many GiB, all of it zeros."""
    info = tarfile.TarInfo("zeros")
    info.size = gib << 30
    return repeated(bytes(64 << 20), gib * 16, info.tobuf(tarfile.GNU_FORMAT)), "sha256:" + "0" * 64


def crowd(entries):
    """A tar of that many folders, all of one name."""
    info = tarfile.TarInfo("many/")
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return repeated(info.tobuf(tarfile.GNU_FORMAT) * 1000, entries // 1000 + 1), "sha256:" + "0" * 64


def inflated(blob, enough):
    """How much comes out of a gzip stream, counted up to `enough`."""
    total = at = 0
    stream = zlib.decompressobj(31)
    while at < len(blob) and total < enough:
        total += len(stream.decompress(blob[at:at + 4096]))
        at += 4096 - len(stream.unused_data) if at + 4096 <= len(blob) else 4096
        if stream.eof:
            stream = zlib.decompressobj(31)
    return total


def trusting_unpack(layer, root):
    """What an unpacker does that follows every name and link."""
    for info, data in layer:
        path = os.path.join(root, info.name.lstrip("/") if info.name.startswith("/..") else info.name)
        base = os.path.basename(path)
        if base.startswith(".wh."):
            shutil.rmtree(os.path.join(os.path.dirname(path), base[4:]), ignore_errors=True)
        elif info.isdir():
            os.makedirs(path, exist_ok=True)
        elif info.issym():
            os.symlink(info.linkname, path)
        elif info.islnk():
            os.link(os.path.join(root, info.linkname), path)
        elif info.isdev():
            os.mknod(path, 0o600 | (0o60000 if info.isblk() else 0o20000), os.makedev(info.devmajor, info.devminor))
        else:
            with open(path, "wb") as f:
                f.write(data)
        for name, value in info.pax_headers.items():
            if name.startswith("SCHILY.xattr."):
                os.setxattr(path, name[13:], value.encode(), follow_symlinks=False)
