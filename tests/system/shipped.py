#!/usr/bin/env python3
"""The shipped templates whose programs are large, from unchanged files: the images that they name cannot be had here, so
contrib/foreign makes ones with the same programs, or their closest kin, at the same places (--full). Each is used through
its published port by a client of its kind, and keeps its data over a stop."""

import hashlib
import json
import math
import pathlib
import random
import shutil
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import CACHE, SYSTEM, Skip, World, check, checks, main, need, note, skip
from hub import HOST, PUBLIC, RESOLVER, SETTINGS, ask, healthy, published, push, serve_images
from provider import Buyer, Provider

SHIPPED = SYSTEM.parent.parent / "contrib" / "templates"
SIZES = {"m": 1, "": 1000}, {"Mi": 1 << 20, "Gi": 1 << 30}

# A peer's first message and its answer, as Bitcoin nodes speak: the version that it says, and its services.
GREET = """
import hashlib, json, socket, struct, sys, time
def message(name, body):
    sum4 = hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    return bytes.fromhex("f9beb4d9") + name.ljust(12, b"\\0") + struct.pack("<I", len(body)) + sum4 + body
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
address = struct.pack("<Q", 0) + bytes(16) + struct.pack(">H", 0)
s.sendall(message(b"version", struct.pack("<iQq", 70016, 0, int(time.time())) + address * 2 + bytes(8) + b"\\0" + bytes(4) + b"\\0"))
head = s.recv(24, socket.MSG_WAITALL)
body = s.recv(struct.unpack("<I", head[16:20])[0], socket.MSG_WAITALL)
print(json.dumps([head[4:16].rstrip(b"\\0").decode(), struct.unpack("<i", body[:4])[0], body[80:81 + body[80]][1:].decode()]))
"""
POST = "import sys, urllib.request as u\nu.urlopen(u.Request(sys.argv[1], data=open(sys.argv[2], 'rb').read()), timeout=30)"


def again(lease, name):
    """Stop it and start it; its port stays."""
    done = lease("stop", name, timeout=400)
    need(done.returncode == 0, f"{name} stops", done.stderr)
    done = lease("start", name, timeout=240)
    need(done.returncode == 0, f"{name} starts again", done.stderr)


def browser(w, lease, outside, port):
    checks(w.node("devtools.mjs", "render", f"http://{HOST}:{port}", where=outside), "headless-browser: ")


def relay(w, lease, outside, port):
    url = f"ws://{HOST}:{port}"
    note = checks(w.node("nostr.mjs", "note", url, "kept", where=outside), "nostr-relay: ")
    need(note, "nostr-relay takes an event")
    found = checks(w.node("nostr.mjs", "fetch", url, json.dumps({"ids": [note]}), where=outside), "nostr-relay: ")
    check([e["content"] for e in found or []] == ["kept"], "and gives it to who asks", found)
    again(lease, "nostr-relay")
    found = checks(w.node("nostr.mjs", "fetch", url, json.dumps({"ids": [note]}), where=outside), "nostr-relay: ")
    check([e["content"] for e in found or []] == ["kept"], "also after a stop and a start: it lies on the volume", found)


def bitcoin(w, lease, outside, port):
    done = w.run("nsenter", "-t", outside, "-n", "python3", "-c", GREET, HOST, port)
    greeting = json.loads(done.stdout or "[0, 0, 0]")
    check(greeting[0] == "version" and greeting[1] >= 70016 and "Satoshi" in greeting[2], "bitcoin-node greets a peer",
          done.stdout + done.stderr)
    ask_it = ("exec", "bitcoin-node", "--", "bitcoin-cli", "-datadir=/home/bitcoin/.bitcoin")
    done = lease(*ask_it, "getblockchaininfo")
    told = json.loads(done.stdout or "{}")
    check(told.get("chain") == "main" and told.get("pruned") is True, "it is on the main chain, and prunes", done.stdout + done.stderr)
    lease(*ask_it, "setban", "203.0.113.7", "add")
    again(lease, "bitcoin-node")
    healthy(lease, "bitcoin-node", template("bitcoin-node"))
    check("203.0.113.7" in lease(*ask_it, "listbanned").stdout, "and keeps its state on the volume over a stop and a start")


def gguf():
    """A model of the LLaMA kind with one layer and a vocabulary of bytes: what it says is noise, but it is computed."""
    width, inner, heads = 64, 128, 2
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), "\u2581"]
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    number = lambda n: struct.pack("<II", 4, n)
    real = lambda x: struct.pack("<If", 6, x)
    word = lambda s: struct.pack("<I", 8) + text(s)
    array = lambda kind, parts: struct.pack("<IIQ", 9, kind, len(parts)) + b"".join(parts)
    pairs = {
        "general.architecture": word("llama"), "general.file_type": number(0), "llama.context_length": number(512),
        "llama.embedding_length": number(width), "llama.block_count": number(1), "llama.feed_forward_length": number(inner),
        "llama.attention.head_count": number(heads), "llama.attention.head_count_kv": number(heads),
        "llama.rope.dimension_count": number(width // heads), "llama.attention.layer_norm_rms_epsilon": real(1e-5),
        "llama.vocab_size": number(len(tokens)), "tokenizer.ggml.model": word("llama"),
        "tokenizer.ggml.tokens": array(8, [text(t) for t in tokens]),
        "tokenizer.ggml.scores": array(6, [struct.pack("<f", -i) for i in range(len(tokens))]),
        "tokenizer.ggml.token_type": array(5, [struct.pack("<i", {0: 2, 1: 3, 2: 3}.get(i, 6 if i < 259 else 1))
                                               for i in range(len(tokens))]),
        "tokenizer.ggml.bos_token_id": number(1), "tokenizer.ggml.eos_token_id": number(2),
        "tokenizer.ggml.unknown_token_id": number(0)}
    shapes = {"token_embd.weight": (width, len(tokens)), "output.weight": (width, len(tokens)), "output_norm.weight": (width,),
              "blk.0.attn_norm.weight": (width,), "blk.0.ffn_norm.weight": (width,),
              **{f"blk.0.attn_{x}.weight": (width, width) for x in ("q", "k", "v", "output")},
              "blk.0.ffn_gate.weight": (width, inner), "blk.0.ffn_up.weight": (width, inner), "blk.0.ffn_down.weight": (inner, width)}
    chance, head, data = random.Random(1), b"", b""
    for name, shape in shapes.items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += struct.pack(f"<{math.prod(shape)}f", *(1 if len(shape) == 1 else chance.gauss(0, 0.1) for _ in range(math.prod(shape))))
    out = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(pairs)) + b"".join(text(k) + v for k, v in pairs.items()) + head
    return out + bytes(-len(out) % 32) + data


def inference(w, lease, outside, port):
    """Its models come from a hub that cannot be had here: this one is put into its store as its API has it."""
    url = f"http://{HOST}:{port}"
    check(json.loads(ask(w, outside, f"{url}/api/version") or "{}").get("version"), "inference-endpoint answers")
    model = gguf()
    digest = "sha256:" + hashlib.sha256(model).hexdigest()
    (w.dir / "model.gguf").write_bytes(model)
    done = w.run("nsenter", "-t", outside, "-n", "python3", "-c", POST, f"{url}/api/blobs/{digest}", w.dir / "model.gguf")
    check(done.returncode == 0, "it takes a model", done.stderr)
    answer = ask(w, outside, f"{url}/api/create", json.dumps({"model": "noise", "files": {"noise.gguf": digest}, "stream": False}), seconds=50)
    check("success" in answer, "and makes it one of its own", answer)
    body = json.dumps({"model": "noise", "prompt": "hello", "stream": False, "raw": True, "options": {"num_predict": 8, "seed": 1}})
    answer = ask(w, outside, f"{url}/api/generate", body, seconds=50)
    check('"done":true' in answer and json.loads(answer)["eval_count"] > 0, "which answers a prompt", answer)
    again(lease, "inference-endpoint")
    healthy(lease, "inference-endpoint", template("inference-endpoint"))
    check("noise" in ask(w, outside, f"{url}/api/tags"), "and is still there after a stop and a start")


ROWS = {"bitcoin-node": ("bitcoin-image", bitcoin), "headless-browser": ("browser-image", browser),
        "inference-endpoint": ("ollama-image", inference), "nostr-relay": ("relay-image", relay)}


def template(name):
    return json.loads((SHIPPED / f"{name}.json").read_text())


def number(text, units):
    return max((int(float(text.removesuffix(u)) * n) for u, n in units.items() if u and text.endswith(u)), default=0) or \
        int(float(text) * units.get("", 1))


def largest(names, member, units):
    """The limit that the one of them with the largest minimum needs."""
    return max((template(n)["minimum"][member] for n in names), key=lambda text: number(text, units))


def bundles(w, provider, started):
    """Those whose image is not here: as far as config.json."""
    for name in ROWS:
        if name in started:
            continue
        t = template(name)
        spec, values = t["spec"], {k: v["default"] for k, v in t.get("variables", {}).items() if "default" in v}
        (w.dir / "spec.json").write_text("{}")
        done = provider.ctl("bundle", "--template", SHIPPED / f"{name}.json", w.dir / "spec.json")
        config = json.loads(done.stdout) if done.returncode == 0 else {}
        check(config and all(f"{k}={v}" in config["process"]["env"] for k, v in {**spec.get("env", {}), **values}.items()) and
              all(m["path"] in [x["destination"] for x in config["mounts"]] for m in spec.get("storage", [])),
              f"the shipped {name} becomes a config.json", done.stderr or config)
        skip(f"start the shipped {name}", f"no image with its program is here ({ROWS[name][0]}: contrib/foreign --full)")


def test(w: World):
    for program in ("docker-registry", "skopeo", "busybox"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed")
    outside = w.internet(HOST, PUBLIC, f"{RESOLVER}/32")
    serve_images(w)
    started = [name for name, (folder, _) in ROWS.items() if (CACHE / folder / ".done").exists()]
    for name in started:
        push(w, f"{CACHE / ROWS[name][0] / 'layout'}:latest", template(name)["spec"]["image"])
    net = w.devnet()
    size = ("100m", "64Mi", "64Mi")
    if started:
        size = largest(started, "cpu", SIZES[0]), largest(started, "memory", SIZES[1]), largest(started, "disk", SIZES[1])
    provider = Provider(w, [net.relay], [net.mint], settings=[*SETTINGS, *(f"offer.template={n}" for n in started)], size=size)
    bundles(w, provider, started)
    if not started:
        return
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(4000)
    for name in started:
        start = time.monotonic()
        done = lease("template", "run", "-d", "--name", name, "--for", "300s", name, timeout=400)
        need(done.returncode == 0, f"the shipped {name} runs", done.stdout + done.stderr + provider.log())
        healthy(lease, name, template(name))
        ROWS[name][1](w, lease, outside, published(done).group(1))
        done = lease("rm", name, timeout=400)
        check(done.returncode == 0, f"and {name} ends", done.stdout + done.stderr)
        note(f"{name}: {time.monotonic() - start:.0f} s")
    provider.stop()


main(test)
