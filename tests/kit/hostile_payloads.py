"""Payloads that attack what runs them, and a program that runs them for a test as another user."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

HEAD = """
import evp, json, os, signal, sys, time
ch = evp.Channel("hostile")
guard = os.getppid()
lair = os.path.dirname(os.path.dirname(ch.outdir))
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open(os.path.join(lair, "new"), "w") as out:
            out.write(str(os.getpid()))
        os.rename(os.path.join(lair, "new"), os.path.join(lair, "daemon"))
        time.sleep(600)
    while not os.path.exists(os.path.join(lair, "daemon")):
        time.sleep(0.01)
def all_of(rng, record=b"x"):
    ch.events(rng.first, rng.last, [record] * (rng.last - rng.first))
for rng in ch.ranges():
"""
GOOD = HEAD + "    all_of(rng)\n"
LOOKS_INTO_ITS_PARENTS = (
    HEAD
    + """
    agent = int(open("/proc/%d/stat" % guard).read().rpartition(")")[2].split()[1])
    seen = []
    for pid in (guard, agent):
        for name, look in (("environ", open), ("mem", open), ("maps", open), ("io", open),
                           ("fd", os.listdir), ("fd/0", open), ("cwd", os.listdir)):
            try:
                got = look("/proc/%d/%s" % (pid, name))
                if not isinstance(got, list):
                    got.read(1)
                seen.append([pid == agent, name])
            except OSError:
                pass
    all_of(rng, json.dumps(seen).encode())
"""
)
KILLS_ITS_GUARD = HEAD + "    daemon()\n    os.kill(guard, signal.SIGKILL)\n    time.sleep(600)\n"
STOPS_ITS_GUARD = HEAD + "    daemon()\n    os.kill(guard, signal.SIGSTOP)\n    time.sleep(600)\n"
DIGS_DEEP = (
    HEAD
    + """
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    time.sleep(600)
"""
)
CLOSES_ITS_FOLDERS = (
    HEAD
    + """
    os.makedirs("closed/inside")
    open("closed/inside/file", "w").close()
    os.chmod("closed/inside", 0)
    os.chmod("closed", 0)
    os.chmod(".", 0)
    all_of(rng)
"""
)
FORKS_FOR_EVER = (
    HEAD
    + """
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(1)
"""
)
MAKES_EMPTY_FILES = (
    HEAD
    + """
    for number in range(20000):
        open("%d" % number, "w").close()
    time.sleep(600)
"""
)
SWAPS_ITS_OUTPUT_FOLDER = (
    HEAD
    + """
    os.rename(ch.outdir, ch.outdir + ".away")
    os.symlink(lair, ch.outdir)
    ch.file(rng.first, rng.first + 1, os.path.join(ch.outdir, "identity.json"))
    time.sleep(600)
"""
)
NEVER_READS = HEAD + "    time.sleep(600)\n"
TAKES_MEMORY = (
    HEAD
    + """
    held = [bytearray(b"x") * (8 << 20) for _ in range(30)]
    time.sleep(600)
"""
)


def others_can_run(root: Path) -> bool:
    """Whether a user without rights can run a Python here, and read this checkout."""
    folders = [root, *root.parents]
    return Path("/usr/bin/python3").exists() and all(f.stat().st_mode & 0o005 == 5 for f in folders)


def main(asked: dict[str, Any]) -> None:
    """Run payloads in one slot of this process, and tell how each ended."""
    from tests.kit import payload_scripts
    from vmagent import cgroups, kin, sandbox
    from vmagent.gap import Job
    from vmagent.gather import Gather
    from vmagent.intervals import Intervals
    from vmagent.process import Most, lay_out_helpers
    from vmagent.runner import Runner

    class Memory:
        """Where events go."""

        def __init__(self) -> None:
            self.gather = Gather(0, 100_000 if is_trimmed else 10, 1, Intervals())
            self.record = b""
            self.gaps, self.fail, self.trim = self.gather.gaps, self.gather.fail, self.gather.trim

        def add(self, first: int, last: int, records: tuple[bytes, ...]) -> None:
            """Keep the last record."""
            self.gather.add(first, last, records)
            self.record = records[-1]

        def begin(self) -> None:
            """Nothing hangs on it."""
            if is_trimmed:
                for last in range(99_999, 80_000, -1):  # more than a pipe holds
                    runner.order(1, "trim", last)

        def at(self, event: int) -> None:
            """Nobody asks of which event it died."""

        def room(self) -> bool:
            """Always."""
            return True

        def flush(self, force: bool) -> None:
            """Nothing is passed on."""

    is_trimmed = asked["stories"] == [NEVER_READS]
    kin.adopt()
    folder, limits = Path(asked["folder"]), asked["limits"]
    box, found = sandbox.find(asked.get("sandbox", "off"), folder, asked.get("shown", ""))
    assert box or asked.get("sandbox", "off") != "require", found
    groups = cgroups.Groups(folder, cgroups.survey()) if asked.get("groups") else None
    granted = Most(limits.pop("granted_mb", 2**30), 0, box, groups)
    runner = Runner(folder / "slot", lay_out_helpers(folder), granted)
    ended = []
    for number, story in enumerate(asked["stories"]):
        bundle = payload_scripts.bundle(folder / f"bundle-{number}", story)
        work = Memory()
        told = {**asked.get("environment", {}), "AGENT": str(os.getpid())}
        manifest = payload_scripts.manifest(
            limits=limits, environment=told, network=asked.get("network", False)
        )
        outcome = runner.run(Job(1, str(number), manifest, bundle, work))
        how = {"word": outcome.word, "why": outcome.why, "log": outcome.log}
        ended.append({**how, "record": work.record.decode()})
    runner.close()
    json.dump(ended, sys.stdout)


if __name__ == "__main__":
    os.umask(0o077)
    main(json.loads(sys.argv[1]))
