"""Small payloads, good and bad, as real programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from vmagent.wire import statements

GOOD = """
import evp
ch = evp.Channel("good")
for rng in ch.ranges():
    i = rng.first
    while i < rng.last:
        ch.events(i, i + 1, [b"event %d of %d;" % (i, ch.seed)])
        i += 1
"""
SLOW = GOOD.replace("import evp", "import evp, time").replace(
    "        ch.events", "        time.sleep(0.02)\n        ch.events"
)
CRASH = GOOD.replace(
    "        ch.events", "        if i == 5: raise RuntimeError('the fifth')\n        ch.events"
)
DIES_AT_ONCE = "import sys; print('no licence'); sys.exit(3)"
HANG = GOOD.replace(
    "        ch.events",
    "        if i == 3:\n            import time\n            time.sleep(600)\n        ch.events",
)
GARBAGE = """
import evp, os
ch = evp.Channel("garbage")
for rng in ch.ranges():
    ch.events(rng.first, rng.first + 1, [b"fine"])
    os.write(int(os.environ["EVP_FD_OUT"]), b"\\xff\\xfe what is this\\n")
"""
OUTSIDE = """
import evp
ch = evp.Channel("liar")
for rng in ch.ranges():
    ch.events(rng.last + 7, rng.last + 8, [b"not asked for"])
"""
TWICE = """
import evp
ch = evp.Channel("liar")
for rng in ch.ranges():
    ch.events(rng.first, rng.first + 1, [b"one"])
    ch.events(rng.first, rng.first + 1, [b"one"])
"""
FLOOD = """
import evp, sys
ch = evp.Channel("flood")
for rng in ch.ranges():
    while True:
        sys.stdout.write("water " * 1000)
"""
DAEMON = """
import evp, os, sys, time
ch = evp.Channel("daemon")
for rng in ch.ranges():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        with open(os.environ["DAEMON_FILE"], "w") as out:
            out.write(str(os.getpid()))
        time.sleep(600)
    while not os.path.exists(os.environ["DAEMON_FILE"]):
        time.sleep(0.01)
    sys.exit(1)
"""
MEMORY = """
import evp, time
ch = evp.Channel("memory")
for rng in ch.ranges():
    held = [bytearray(b"x") * (8 << 20) for _ in range(30)]
    time.sleep(600)
"""
DISK = """
import evp, os, time
ch = evp.Channel("disk")
for rng in ch.ranges():
    for k in range(12):
        with open(os.path.join(ch.outdir, "big%d" % k), "wb") as out:
            out.write(b"x" * (1 << 20))
    time.sleep(600)
"""
BURN = """
import evp
ch = evp.Channel("burn")
for rng in ch.ranges():
    while True:
        pass
"""
STOPS_SHORT = """
import evp
ch = evp.Channel("short")
for rng in ch.ranges():
    ch.events(rng.first, rng.first + 1, [b"one"])
"""
SKIPS_AND_FAILS = """
import evp
ch = evp.Channel("mixed")
for rng in ch.ranges():
    ch.skip(rng.first, rng.first + 2, "empty")
    ch.fail(rng.first + 2, rng.first + 3, "no-vertex")
    ch.events(rng.first + 3, rng.last, [b"%d" % i for i in range(rng.first + 3, rng.last)])
"""
FILES = """
import evp, os
ch = evp.Channel("files")
for rng in ch.ranges():
    for i in range(rng.first, rng.last):
        path = os.path.join(ch.outdir, "some%d.dat" % i)
        with open(path, "wb") as out:
            out.write(b"file %d" % i)
        ch.file(i, i + 1, path)
"""
LINKS = """
import evp, os
ch = evp.Channel("links")
for rng in ch.ranges():
    os.symlink("/etc/passwd", os.path.join(ch.outdir, "x"))
    ch.file(rng.first, rng.first + 1, "x")
"""
SHOWS_ENVIRONMENT = """
import evp, json, os
ch = evp.Channel("env")
for rng in ch.ranges():
    seen = {"env": dict(os.environ), "cwd": os.getcwd(), "fds": sorted(os.listdir("/proc/self/fd")),
            "card": open(ch.input("CARD")).read() if "EVP_INPUT_CARD" in os.environ else ""}
    ch.events(rng.first, rng.last, [json.dumps(seen).encode()])
"""
FOLDER = """
import os
out = os.environ["EVP_OUTDIR"]
for i in range(int(os.environ["EVP_FIRST"]), int(os.environ["EVP_LAST"])):
    with open(os.path.join(out, "part"), "w") as part:
        part.write("folder %d" % i)
    os.rename(os.path.join(out, "part"), os.path.join(out, "%d-%d.txt" % (i, i + 1)))
"""
COMMAND = """
import os
with open(os.path.join(os.environ["EVP_OUTDIR"], "all.txt"), "w") as out:
    for i in range(int(os.environ["EVP_FIRST"]), int(os.environ["EVP_LAST"])):
        out.write("line %d\\n" % i)
"""


def manifest(events: int = 100, **changes: Any) -> statements.Manifest:
    """A manifest that runs ``main.py`` of its bundle."""
    limits = statements.Limits(
        memory_mb=100, disk_mb=8, silence_s=30.0, cpu_s_per_event=30.0, log_bytes=4096
    )
    limits = replace(limits, **changes.pop("limits", {}))
    return statements.Manifest(
        "test", "0" * 64, ["{python}", "main.py"], events, 7, limits=limits, **changes
    )


def bundle(folder: Path, script: str) -> Path:
    """An unpacked bundle with this script."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.py").write_text(script)
    return folder


# Finishes what it is at when told by a signal, as programs do that know nothing of the pipe's END.
TOLD_TO_FINISH = """
import os, signal, time
said = []
signal.signal(signal.SIGUSR1, lambda *_: said.append(1))
first, last = int(os.environ["EVP_FIRST"]), int(os.environ["EVP_LAST"])
for event in range(first, last):
    for _ in range(20):
        time.sleep(0.01)
    with open(os.path.join(os.environ["EVP_OUTDIR"], "tmp"), "wb") as out:
        out.write(b"event %d;" % event)
    os.rename(out.name, os.path.join(os.environ["EVP_OUTDIR"], "%d-%d.txt" % (event, event + 1)))
    if said:
        break
"""
# Puts its things in order when it is asked to end.
TIDIES_UP = GOOD.replace("import evp", "import evp, signal, sys, time").replace(
    "ch = ",
    "signal.signal(signal.SIGTERM, lambda *_: (print('tidied', flush=True), sys.exit(0)))\nch = ",
)
