"""The command line of the fleet."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop

from tools.arguments import Parser, amount, count, file_to_read, folder_to_fill, whole
from tools.benches.pool import SetUpFailed, private_key
from tools.benches.process import NotStarted
from tools.fleets import descriptors, ground, story
from tools.fleets.ground import Ground, GroundTrouble
from tools.fleets.story import Found, Plan

GOAL_S = 2.0
WINDFALL = Path(sys.executable).with_name("windfall")
DAYS_MOST = 3660  # as `windfall db imagine` takes them


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for."""
    usual = Plan()
    parser = Parser(
        prog="tools/fleet",
        description="Light simulated agents speaking the real protocol to a real server.",
    )
    add = parser.add_argument
    add("--agents", type=count, default=usual.agents, help="how many (1000)")
    add("--events", type=count, default=usual.events, help="of the production (200000)")
    add("--seed", type=whole, default=usual.seed, help="of paces and events (1)")
    add("--rate", type=amount, default=usual.rate, help="events/s of an agent, on average (10)")
    add("--flush-s", type=amount, default=usual.flush_s, help="seconds between its frames (5)")
    add("--unit", type=count, default=usual.unit, help="events of a work unit (2000)")
    add("--release", action="store_true", help="switch the site off in the middle, and on again")
    add("--how", choices=("stop", "drain", "suspend"), default=usual.how, help="off how (stop)")
    add("--grace", type=float, default=usual.grace_s, help="seconds for the current event (2)")
    add("--after", type=float, default=usual.after, help="share of events before it (0.3)")
    add("--server", help="a server that is there, instead of one of our own")
    add("--token-file", type=file_to_read, help="its administrator's token")
    add(
        "--release-key",
        type=file_to_read,
        help="a release key that it believes, to sign with",
    )
    add(
        "--history",
        type=days,
        metavar="90d",
        help="fill a new server's database with made-up"
        " history of so many days for that many agents, for looking at pages, and do nothing else:"
        " nobody computed any of it; needs --folder",
    )
    add("--json", action="store_true", help="end with one line of JSON")
    add("--folder", type=folder_to_fill, help="where our own server keeps its data meanwhile")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run a fleet; 1 if events were lost or the output is wrong, 2 if it could not run."""
    asked = arguments(words)
    if asked.server and not (asked.token_file and asked.release_key):
        sys.stderr.write("tools/fleet: --server needs --token-file and --release-key as well\n")
        return 2
    if asked.history and (asked.server or asked.release or not asked.folder):
        sys.stderr.write(
            "tools/fleet: --history fills a new server's database and does nothing else:"
            " name a --folder, and neither --server nor --release\n"
        )
        return 2
    try:
        if asked.history:
            return _history(asked)
        descriptors.provide(asked.agents)
        found = uvloop.run(_run(asked))
    except (GroundTrouble, NotStarted, SetUpFailed, OSError, RuntimeError) as error:
        sys.stderr.write(f"\ntools/fleet: {error}\n")
        return 2
    sys.stderr.write(f"\n{told(found)}")
    if asked.json:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return int(found.lost != 0 or not found.verified)


def days(text: str) -> int:
    """A number of days, as in 90d."""
    number = text.removesuffix("d")
    if not re.fullmatch("[0-9]{1,6}", number) or not 1 <= int(number) <= DAYS_MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of days from 1d to {DAYS_MOST}d; write it as in 90d"
        )
    return int(number)


def _history(asked: argparse.Namespace) -> int:
    """Make history up in a folder; what to do with it."""
    began = time.monotonic()
    said = uvloop.run(ground.imagine(asked.folder, asked.agents, asked.history, asked.seed))
    data = asked.folder / "data"
    sys.stderr.write(
        f"{said} in {time.monotonic() - began:.0f} s\n"
        f"Look at it: {WINDFALL} serve --data {data}\n"
        f"Then, to log in as admin: {WINDFALL} account password admin --data {data}\n"
    )
    return 0


async def _run(asked: argparse.Namespace) -> Found:
    name = "fleet" if not asked.server else f"fleet-{int(time.time())}"
    plan = Plan(
        asked.agents, asked.events, asked.seed, asked.rate, asked.flush_s, asked.unit,
        asked.release, asked.how, asked.grace, asked.after, name,
    )  # fmt: skip
    async with story.session() as session:
        if asked.server:
            token = asked.token_file.read_text(encoding="ascii").strip()
            key = private_key(asked.release_key)
            there = Ground(asked.server.rstrip("/"), token, key, session)
            return await story.Fleet(plan, there, Shown()).run()
        with tempfile.TemporaryDirectory(prefix="windfall-fleet-", dir=asked.folder) as folder:
            async with ground.own(Path(folder), session) as here:
                return await story.Fleet(plan, here, Shown()).run()


class Shown:
    """Progress on the terminal: one line that changes; in a pipe, a line every five seconds."""

    def __init__(self) -> None:
        self._said = 0.0

    def __call__(self, line: str) -> None:
        """Show how it stands."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{line[:200]}")
            sys.stderr.flush()
        elif time.monotonic() - self._said >= 5.0:
            self._said = time.monotonic()
            sys.stderr.write(f"{line}\n")


def told(found: Found) -> str:
    """The result for people."""
    lines = [
        f"{found.agents} agents joined in {found.joined_s} s and worked for {found.worked_s} s",
        f"lost {found.lost}; output: {found.output_faults} faults, verified {found.verified}",
    ]
    if found.release_max_s is not None:
        word = "met" if found.release_max_s <= GOAL_S else "missed"
        lines.insert(
            1,
            f"released {found.released}: half in {found.release_p50_s} s, 95 % in"
            f" {found.release_p95_s} s, all in {found.release_max_s} s"
            f" (goal {GOAL_S:g} s: {word})",
        )
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
