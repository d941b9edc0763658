"""Looking for secrets: on a disk that others write to meanwhile, and in the memory of processes."""

import base64
import errno
import os
import pathlib

CHUNK = 1 << 20


def next_data(file, at):
    """Where a piece without holes begins and ends; None: nothing follows."""
    try:
        at = os.lseek(file.fileno(), at, os.SEEK_DATA)
        return at, os.lseek(file.fileno(), at, os.SEEK_HOLE)
    except OSError as e:
        if e.errno == errno.ENXIO:
            return None
        raise


def pieces_with(file, marks):
    longest, tail, found, at, end = max(map(len, marks.values())), b"", set(), 0, 0
    while True:
        if at >= end:
            data = next_data(file, at)
            if not data:
                return found
            (at, end), tail = data, b""
        piece = os.pread(file.fileno(), min(CHUNK, end - at), at)
        if not piece:
            return found
        at += len(piece)
        text = tail + piece
        found |= {name for name, mark in marks.items() if mark in text}
        tail = text[-longest:]


def holds(path, marks):
    """Which of the marks (name: bytes) are in a file, read in pieces, without its holes: a volume's file is a hole of 1 TiB
    at least. None are in one that has gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            return pieces_with(file, marks)
    except OSError:
        if os.path.exists(path):
            raise
        return set()


def device_of(path):
    try:
        return os.lstat(path).st_dev
    except FileNotFoundError:  # it has gone meanwhile
        return None


def on_disk(top, marks):
    """Files below `top` on the same disk that hold a mark: memory-backed and encrypted mounts are not the disk."""
    found, device = [], top.stat().st_dev
    for folder, folders, files in os.walk(top):
        folders[:] = [f for f in folders if device_of(os.path.join(folder, f)) == device]
        for path in (pathlib.Path(folder, name) for name in files):
            if path.is_file() and not path.is_symlink() and device_of(path) == device:
                found += [f"{path}: {mark}" for mark in holds(path, marks)]
    return found


def forms(name, key):
    """A key as bytes, hex and base64. Each in four parts: freed memory loses its first words alone."""
    raw = bytes.fromhex(key)
    texts = {"bytes": raw, "hex": key.encode(), "base64": base64.b64encode(raw)[:40]}
    return {f"{name} as {form}, part {i}": text[i * len(text) // 4:(i + 1) * len(text) // 4]
            for form, text in texts.items() for i in range(4)}


def in_memory(pid, marks):
    """Which of the marks are in what a process can write to: heap, stacks, data."""
    found = set()
    maps = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for row in maps:
            where, rights = row.split()[:2]
            start, end = (int(n, 16) for n in where.split("-"))
            if not rights.startswith("rw"):
                continue
            try:
                text = os.pread(memory.fileno(), end - start, start)
            except OSError:  # a device
                continue
            found |= {f"{name} in {row.split()[-1] if len(row.split()) > 5 else 'unnamed memory'}"
                      for name, mark in marks.items() if mark in text}
    return found
