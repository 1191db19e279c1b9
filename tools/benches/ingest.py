"""What taking frames in costs: durable, digested and indexed, for four sizes of frame."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from tools.benches.figures import Goal, Result, absolute, cpu_ratios, spread
from tools.benches.load import Side, measure
from tools.benches.pool import Admin, Pool, write_lines
from tools.benches.process import Served

UNIT = 1_000_000  # events, and of a lease as well: more than a bench sends
FRAME_PATH = "/api/v1/productions/@PRODUCTION@/frames/"


@dataclass(frozen=True)
class Kind:
    """A frame of so many events and bytes, what it is held against, and the goal.

    A slice of so many ``seconds``, in which frames under way at its end count little, writes about
    ``slice_mb`` at best.
    """

    name: str
    bytes: int
    events: int
    seconds: int
    slice_mb: int
    bare: str
    goal: Goal


def _goal(number: int, frame: str, against: str, must: float, stretch: float) -> Goal:
    what = f"PUT of a {frame} frame, durable and sha256, over bare aiohttp that {against}"
    return Goal(number, f"{what}, {{connections}} connections", must, stretch)


DISCARDS, DIGESTS = "reads and discards", "reads, digests and discards"
KINDS = (
    Kind("1kB", 1_000, 1, 1, 32, "/discard/", _goal(11, "1 kB", DISCARDS, 0.72, 0.85)),
    Kind("10kB", 10_000, 10, 1, 256, "/discard/", _goal(11, "10 kB", DISCARDS, 0.58, 0.75)),
    Kind("100kB", 100_000, 100, 2, 1400, "/digest/", _goal(12, "100 kB", DIGESTS, 0.60, 0.80)),
    Kind("1MB", 1_000_000, 1_000, 3, 2400, "/digest/", _goal(12, "1 MB", DIGESTS, 0.65, 0.85)),
)


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    slices: int
    warm_up: int
    hosts: int
    connections: int


FULL = Size(10, 1, 256, 64)
QUICK = Size(2, 0, 8, 8)  # so few that some are answered within a slice, however slow all is


async def fill(pool: Pool, hosts: int) -> str:
    """A production, and hosts with one long lease each; the file that tells of them."""
    async with aiohttp.ClientSession() as session:
        admin = Admin(pool, session)
        production = await admin.produce(2 * hosts * UNIT, UNIT, UNIT, 1)
        pool.hosts = await admin.pair(max(1, hosts // 8), hosts)
        lines = []
        for host in pool.hosts:
            for lease in await admin.ask(host, 1):
                lines.append(f"{host.token} {production} {lease.first} {lease.last}")
        return write_lines(pool.folder / "leases", lines)


def run(folder: Path, quick: bool, slices: int | None) -> list[Result]:
    """Measure goals 11 and 12."""
    size = QUICK if quick else FULL
    size = replace(size, slices=slices or size.slices)
    return [_one(folder / kind.name, kind, size) for kind in KINDS]


def warm(folder: Path, megabytes: int) -> None:
    """Touch as much memory as a slice will write, and give it back.

    Where memory is lent by a hypervisor, a page that was free for a while costs more at its first
    use than all that is done with it here; on a machine of its own this changes nothing.
    """
    scratch, block = folder / "scratch", bytes(1_000_000)
    with scratch.open("wb") as file:
        for _ in range(megabytes):
            file.write(block)
    scratch.unlink()


def _one(folder: Path, kind: Kind, size: Size) -> Result:
    """One kind of frame on a fresh server, whose disk space is given back."""
    with ExitStack() as stack:
        bare = Served("bare", [sys.executable, "-m", "tools.benches.bare"])
        stack.callback(bare.stop)
        pool = Pool(folder)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        pool.init()
        pool.start()
        stack.callback(pool.stop)
        arguments = (asyncio.run(fill(pool, size.hosts)), str(kind.events), str(kind.bytes))
        seconds = kind.seconds if size.warm_up else 1
        shared = ("ingest.lua", arguments, size.connections, seconds)
        sides = [
            Side("bare", bare, kind.bare, *shared),
            Side("frame", pool.running, FRAME_PATH, *shared),
        ]
        megabytes = kind.slice_mb if size.warm_up else 0
        found = measure(sides, size.slices, size.warm_up, lambda side: warm(folder, megabytes))
    facts = absolute("bare", found["bare"]) | absolute("frame", found["frame"])
    goal = replace(kind.goal, what=kind.goal.what.format(connections=size.connections))
    return Result(goal, spread(cpu_ratios(found["bare"], found["frame"])), size.slices, facts)
