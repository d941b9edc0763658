#!/usr/bin/env python3
"""A scraper reads a real agent: the text is held against the format's rules, and what happened is in it."""

import http.client
import json
import math
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, check, json_lines, main, need, wait_for
from provider import Buyer, Provider

PORT = 9737
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?!$)|$)')
NUMBER = re.compile(r"\d+(\.\d+)?|\+Inf")
MOST = 1200  # lines of a small agent


def labels(text):
    found, at = {}, 0
    while text and at < len(text):
        match = LABEL.match(text, at)
        if not match or match[1] in found:
            raise ValueError(f"labels {text}")
        found[match[1]] = match[2]
        at = match.end()
    return found


def parse(text):
    """{name: (type, {labels: value})}; strict: each family once, whole, with help and type, no sample twice."""
    families, now = {}, None
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    lines = text[:-1].split("\n")
    for i, line in enumerate(lines):
        if line.startswith("# HELP "):
            now = line.split(" ")[2]
            if now in families or not line.split(" ", 3)[3] or not lines[i + 1].startswith(f"# TYPE {now} "):
                raise ValueError(line)
            continue
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            if name != now or kind not in ("counter", "gauge", "histogram"):
                raise ValueError(line)
            families[name] = (kind, {})
            continue
        match = SAMPLE.fullmatch(line)
        if not match or not NUMBER.fullmatch(match[3]):
            raise ValueError(line)
        kind, samples = families[now]
        ours = [now + end for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))]
        key = (match[1], tuple(sorted(labels(match[2]).items())))
        if match[1] not in ours or key in samples:
            raise ValueError(line)
        samples[key] = float(match[3])
    return families


def conventions(families):
    bad = []
    for name, (kind, samples) in families.items():
        if (kind == "counter") != name.endswith("_total"):
            bad.append(f"{name}: {kind}")
        if re.search(r"_(ms|us|millis|kb|mb|percent|milli)(_|$)", name) or not name.startswith("leased_"):
            bad.append(f"{name}: unit")
        if kind == "histogram":
            bad += [f"{name}: {why}" for why in histogram(name, samples)]
    return bad


def histogram(name, samples):
    """Buckets only grow, up to +Inf, which is the count."""
    groups = {}
    for (part, key), value in samples.items():
        rest = tuple(k for k in key if k[0] != "le")
        group = groups.setdefault(rest, {"buckets": []})
        if part == name + "_bucket":
            group["buckets"].append((float(dict(key)["le"].replace("+Inf", "inf")), value))
        else:
            group[part] = value
    for rest, group in groups.items():
        counts = [v for _, v in sorted(group["buckets"])]
        if counts != sorted(counts) or max(b for b, _ in group["buckets"]) != math.inf or counts[-1] != group[name + "_count"]:
            yield f"{rest} {group}"


def get(path, method="GET"):
    server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    server.request(method, path)
    answer = server.getresponse()
    body = answer.read().decode()
    server.close()
    return answer.status, answer.headers.get("Content-Type", ""), body


def value(families, name, **of):
    """The sum of what has these labels."""
    return sum(v for (_, key), v in families[name][1].items() if of.items() <= dict(key).items())


def scraped():
    status, kind, text = get("/metrics")
    need(status == 200 and "version=0.0.4" in kind, "GET /metrics is answered in the text format", f"{status} {kind} {text[:300]}")
    return text, parse(text)


def before(provider, net, mint):
    text, now = scraped()
    check(not conventions(now), "names, types, units and buckets are as they should be", conventions(now))
    check(value(now, "leased_relay_up", relay=net.relay) == 1 and value(now, "leased_ready") == 1, "its relay is up and it sells", text)
    check(wait_for(lambda: value(scraped()[1], "leased_heartbeat_acks_total") > 0, 20, 0.5), "a heartbeat was acknowledged")
    check(value(now, "leased_mint_up", mint=mint) == 1, "its mint is up", text)
    check(get("/readyz")[0] == 200 and get("/healthz")[2] == "ok\n", "/readyz and /healthz say so")
    check([get("/metrics", "POST")[0], get("/")[0], get("/metrics/../etc/passwd")[0]] == [405, 404, 404], "nothing else is there")
    shown = provider.ctl("metrics")
    check(parse(shown.stdout).keys() == now.keys(), "leasectl metrics prints the same families", shown.stderr)
    quoted = json.loads(provider.ctl("--json", "metrics").stdout)
    check(parse(quoted).keys() == now.keys(), "and as a JSON string with --json")


def after(provider, lease, mint):
    done = lease("run", "-d", "--name", "one", "--for", "120s", "busybox", "--", "sleep", "1000")
    need(done.returncode == 0, "a lease runs", done.stderr + provider.log())
    lease_id = json_lines(lease("show", "one").stdout)[0]["lease"]
    text, now = scraped()
    check(value(now, "leased_leases", state="running") == 1 and value(now, "leased_starts_total", result="running") == 1,
          "it is counted", text)
    check(value(now, "leased_sold_cpu_cores") == 0.5 and value(now, "leased_sold_memory_bytes") == 64 << 20, "with what it holds")
    check(0 < now["leased_start_seconds"][1][("leased_start_seconds_sum", ())] < 120, "and how long its start took")
    check(value(now, "leased_mint_open_msat", mint=mint) == 120_000, "its money is open", text)
    check(value(now, "leased_redeems_total", mint=mint, result="settled") == 1, "its payment settled")
    check(lease_id not in text and provider.npub not in text and "busybox" not in text, "and it is not named")
    lease("rm", "one")
    ended = wait_for(lambda: value(scraped()[1], "leased_leases_ended_total", why="owner") == 1, 20, 0.5)
    text, now = scraped()
    check(ended and value(now, "leased_erasures_total") == 1 and value(now, "leased_leases_not_erased") == 0,
          "its end and erasure, too", text)
    check(wait_for(lambda: value(scraped()[1], "leased_refunds_total") == 1, 20, 0.5), "and its refund")
    check(len(text.splitlines()) < MOST, "the text stays small", len(text.splitlines()))
    provider.ctl("drain")
    status, _, why = get("/readyz")
    refused = lease("run", "--for", "60s", "busybox", "--", "true")
    now = scraped()[1]
    check(status == 503 and "drains" in why and refused.returncode != 0 and value(now, "leased_draining") == 1,
          "an agent that drains is not ready, and says why", f"{status} {why}")


def test(w: World):
    net = w.devnet()
    mint = net.mint
    refused = Provider(w, [net.relay], [mint], name="open", settings=["agent.metrics=127.0.0.1:9738"])
    text = refused.config.read_text()
    for address in ("0.0.0.0:9737", "127.0.0.1:80", "127.0.0.1", "[::1:9737", "localhost:9737"):
        refused.config.write_text(text.replace("127.0.0.1:9738", address))
        done = refused.ctl("check-config", refused.config)
        check(done.returncode == 1 and "metrics" in done.stderr, f"metrics = {address} is refused", done.stdout[:200] + done.stderr)
    provider = Provider(w, [net.relay], [mint], settings=[f"agent.metrics=127.0.0.1:{PORT}"])
    provider.start()
    lease = Buyer(w, [net.relay], [mint])
    lease.fund(1000)
    before(provider, net, mint)
    after(provider, lease, mint)
    provider.stop()


main(test)
