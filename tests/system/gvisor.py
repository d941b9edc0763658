#!/usr/bin/env python3
"""gVisor: leases under Debian's runsc, whose own kernel answers the system calls; from the offer to the receipt."""

import json
import os
import pathlib
import re
import shutil
import sys

os.environ["LEASED_TEST_RUNTIME"] = "runsc"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
from harness import World, Skip, check, json_lines, main, need, wait_for
from provider import Buyer, Provider
from stranger import offer_of


def test(w: World):
    if not shutil.which("runsc"):
        raise Skip("runsc is not installed")
    # not /dev/null: it gives its streams to nobody
    done = w.run("runsc", "--network=none", "--ignore-cgroups", "do", "true", input="")
    if done.returncode:
        raise Skip(f"runsc cannot run here: {done.stderr.strip()[-200:]}")
    net = w.devnet()
    provider = Provider(w, [net.relay], [net.mint])
    provider.start()
    lease = Buyer(w, [net.relay], [net.mint])
    lease.fund(1000)
    offer = offer_of(lease)
    check(offer and offer.get("isolation") == "user-kernel", "the offer says user-kernel", json.dumps(offer))

    done = lease("run", "--for", "30s", "busybox", "--", "sh", "-c", "dmesg | head -1; uname -r; echo error >&2; exit 7")
    check(done.returncode == 7 and "error" in done.stderr, "a command ends as it does, with its streams apart", done.stderr + provider.log())
    check("Starting gVisor" in done.stdout and os.uname().release not in done.stdout, "under another kernel than this host's",
          done.stdout)
    (w.dir / "spec.json").write_text('{"image": "busybox", "args": ["true"], "read_only": true}')
    done = lease("run", "--for", "30s", "--spec", w.dir / "spec.json")
    check("read_only: runsc cannot do that" in provider.log() and "back in the wallet" in done.stderr,
          "a read-only root is paid back, and the operator told why", done.stderr + provider.log())
    done = lease("run", "-d", "--name", "long", "--for", "400s", "-e", "WORD=purple", "busybox", "--", "sh", "-c",
                 "echo $WORD; trap 'echo ending; exit 3' TERM; while :; do sleep 0.1; done")
    need(done.returncode == 0, "a lease that stays", done.stderr + provider.log())
    done = lease("exec", "-i", "long", "--", "sh", "-c", "id -u; cat; exit 3", input="given\n")
    check(done.returncode == 3 and done.stdout == "0\ngiven\n", "lease exec: input, output, exit status", f"{done}")
    done = lease("exec", "--user", "nobody", "long", "--", "sh", "-c", "touch /tmp/mine; ls -ln /tmp/mine")
    check(re.search(r" 65534 +65534 ", done.stdout), "as another user", done.stdout + done.stderr)
    # More processes than the runtime's own threads leave of the limit: its kernel must not die of it.
    done = lease("exec", "long", "--", "sh", "-c", "for i in $(seq 30); do sleep 1 & done; wait; echo alive")
    check(done.stdout == "alive\n", "thirty processes at once", done.stdout + done.stderr)
    check("purple" in lease("logs", "long").stdout, "lease logs")
    done = [lease("stop", "-t", "5s", "long"), lease("start", "long")]
    check(not any(d.returncode for d in done) and "ending" in lease("logs", "long").stdout, "it is stopped by TERM, and starts again",
          "".join(d.stderr for d in done))
    done = lease("verify-isolation", "long")
    check(done.returncode == 0, "lease verify-isolation finds what the offer promises", done.stdout + done.stderr)
    done = lease("rm", "long")
    check(done.returncode == 0 and "erased" in done.stderr, "lease rm: erased", done.stderr)

    def left():
        return w.run("sh", "-c", "ps -e | grep runsc").stdout

    check(wait_for(lambda: not left(), 5), "no process of it is left", left())
    rows = [json_lines(lease("--json", "show", "long").stdout)[0].get("state")]
    check(rows == ["ended"], "and the buyer knows", rows)
    provider.stop()


main(test)
