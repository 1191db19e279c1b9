"""One run: an undisturbed production, the same one under faults, and the two held together."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from tools import pack_agent
from tools.chaoses import faults, schedule, shim, world
from tools.chaoses.database import Postgres
from tools.chaoses.ledger import Ledger
from tools.chaoses.proxy import Line
from tools.chaoses.tally import Tally
from tools.demonstration.stage import StageFailed

EVENTS_PER_S = 400  # what the agents settle under faults, about
FINISH_S = 600.0
STUCK_S = 180.0  # on a machine that has much else to do, one fault of a server takes half a minute
BACKUP_S = 12.0
CREW, CREW_SLOTS = 2, 12


@dataclass(frozen=True)
class Wanted:
    """What a run is to be; ``report`` hears (kind, words), ``progress`` (settled, of)."""

    seed: int
    seconds: float
    events: int
    agents: int
    kinds: tuple[str, ...]
    database: str
    folder: Path
    report: Callable[[str, str], None]
    progress: Callable[[int, int], None]


@dataclass(frozen=True)
class Result:
    """What came of it: counts of events and faults."""

    seconds: float
    seed: int
    events: int
    faults: dict[str, int]
    finished_events_lost: int
    duplicates: int
    missing: int
    recomputed_events: int
    digest_equal: bool
    acknowledged: int

    @property
    def failures(self) -> list[str]:
        """What is not as it must be."""
        held = {
            "acknowledged events were lost": self.finished_events_lost == 0,
            "events stand more than once in the output": self.duplicates == 0,
            "events are missing in the output": self.missing == 0,
            "the output is not that of the undisturbed run": self.digest_equal,
        }
        return [words for words, good in held.items() if not good]

    def as_json(self) -> dict[str, Any]:
        """The fields of the last line of ``--json``."""
        return {
            "seconds": self.seconds,
            "seed": self.seed,
            "events": self.events,
            "faults": self.faults,
            "finished_events_lost": self.finished_events_lost,
            "duplicates": self.duplicates,
            "recomputed_events": self.recomputed_events,
            "digest_equal": self.digest_equal,
        }


async def run(wanted: Wanted) -> Result:
    """All of it. Raises StageFailed, `shim.NoCompiler`."""
    preload = await asyncio.to_thread(shim.build, wanted.folder)
    first, second = await asyncio.to_thread(_releases, wanted.folder)
    still = await _undisturbed(wanted, first)
    wanted.report("undisturbed", f"sha-256 {still[:16]}")
    server = world.Server(wanted.folder / "server", preload)
    if wanted.database == "postgresql":
        server.postgres = await asyncio.to_thread(Postgres)
    try:
        return await _disturbed(wanted, server, (first, second), still)
    finally:
        await server.stop()
        await asyncio.to_thread(server.database.remove)


async def _disturbed(
    wanted: Wanted, server: world.Server, releases: tuple[list[str], list[str]], still: str
) -> Result:
    """The same production under faults, held against the digest of the one left alone."""
    begun, (first, second) = time.monotonic(), releases
    await asyncio.to_thread(server.prepare)
    await server.start()
    tally = Tally(wanted.folder / world.TALLY)
    name = await asyncio.to_thread(server.produce, wanted.events, wanted.seed, tally.path)
    chaos = faults.Chaos(
        server, [], Ledger([]), wanted.folder, name, wanted.report, second
    )  # fmt: skip
    try:
        await _populate(chaos, wanted, first)
        view = await _disturb(chaos, wanted)
        await chaos.hold(most=10_000)
        await asyncio.to_thread(tally.close)
        again = tally.again(wanted.events)
        return await _judge(chaos, wanted, view, still, again, time.monotonic() - begun)
    finally:
        await _close(chaos)


def _releases(folder: Path) -> tuple[list[str], list[str]]:
    """Two releases of the agent, packed as machines get them: the command of each."""
    now, later = folder / "agent-1.pyz", folder / "agent-2.pyz"
    pack_agent.pack(now, None, [])
    tree = world.copy_tree(folder / "next")
    about = tree / "vmagent" / "__init__.py"
    about.write_text(re.sub(r'(__version__ = "[^"]*)"', r'\1.1"', about.read_text()))
    subprocess.run(
        [sys.executable, "-m", "tools.pack_agent", "--no-wheels", "--out", str(later)],
        cwd=tree, check=True, capture_output=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return [sys.executable, str(now)], [sys.executable, str(later)]


async def _undisturbed(wanted: Wanted, program: list[str]) -> str:
    """The digest of the same production, made by a server and agents whom nothing befalls."""
    folder = wanted.folder / "undisturbed"
    server = world.Server(folder / "server")
    await asyncio.to_thread(server.prepare)
    crew: list[world.Agent] = []
    try:
        await server.start()
        name = await asyncio.to_thread(server.produce, wanted.events, wanted.seed)
        for number in range(CREW):
            made = await world.enlist(
                server, number, program, folder=folder / f"agent{number}", slots=CREW_SLOTS
            )
            made.start()
            crew.append(made)

        def each(view: dict[str, Any]) -> None:
            wanted.progress(view.get("settled", 0), wanted.events)

        view = await world.until_done(server, name, FINISH_S, each)
        return str(view["output"]["digest"])
    finally:
        for agent in crew:
            agent.kill()
        await server.stop()


async def _populate(chaos: faults.Chaos, wanted: Wanted, program: list[str]) -> None:
    for number in range(wanted.agents):
        line = Line(f"agent{number}", chaos.server.port, chaos.happened)
        await line.start()
        made = await world.enlist(
            chaos.server, number, program, folder=wanted.folder / f"agent{number}", slots=1,
            line=line, preload=chaos.server.shim,
        )  # fmt: skip
        chaos.agents.append(made)
        chaos.ledger.lines.append(line)
    for agent in chaos.agents:
        agent.start()


async def _disturb(chaos: faults.Chaos, wanted: Wanted) -> dict[str, Any]:
    """The faults in their order, then nothing until the production is done."""
    planned = schedule.plan(wanted.seed, wanted.seconds, wanted.agents, wanted.kinds)
    done = asyncio.Event()
    lines = [asyncio.create_task(_faults(chaos, planned, done))]
    if "restore" in wanted.kinds:
        lines.append(asyncio.create_task(_backups(chaos)))

    def each(view: dict[str, Any]) -> None:
        if view:
            wanted.progress(view["settled"], wanted.events)
        for line in lines:
            if line.done():
                line.result()

    try:
        return await world.until_done(
            chaos.server, chaos.production, wanted.seconds + FINISH_S, each
        )
    finally:
        done.set()
        for line in lines:
            line.cancel()
        found = await asyncio.gather(*lines, return_exceptions=True)
        for error in found:
            if isinstance(error, Exception):
                raise error


async def _faults(
    chaos: faults.Chaos, planned: tuple[schedule.Fault, ...], done: asyncio.Event
) -> None:
    """Each fault at its time; the server's wait for one another, and end with the time."""
    begun = time.monotonic()
    running: list[asyncio.Task[None]] = []

    async def one(fault: schedule.Fault) -> None:
        await chaos.do(fault)

    try:
        for fault in planned:
            await asyncio.sleep(max(0.0, fault.at - (time.monotonic() - begun)))
            _check(running)
            running.append(asyncio.create_task(one(fault)))
        left, since = len(running), time.monotonic()
        while left:
            _check(running)
            now = sum(not task.done() for task in running)
            if now < left:
                left, since = now, time.monotonic()
            if time.monotonic() - since > STUCK_S:
                raise StageFailed(f"no fault came to its end for {STUCK_S:g} s; {left} are left")
            await asyncio.sleep(0.2)
        _check(running)
        await _calm(chaos)
        chaos.say("calm", "no more faults; the production is finished")
    finally:
        for task in running:
            task.cancel()


def _check(running: list[asyncio.Task[None]]) -> None:
    """What went wrong in a fault is told at once."""
    for task in running:
        if task.done():
            task.result()


async def _calm(chaos: faults.Chaos) -> None:
    for agent in chaos.agents:
        if agent.line is not None:
            agent.line.spoils.clear()
        if agent.control is not None:
            agent.control.calm()
        if not agent.alive:
            agent.start()
    if chaos.server.control is not None:
        chaos.server.control.calm()


async def _backups(chaos: faults.Chaos) -> None:
    while True:
        await asyncio.sleep(BACKUP_S / 4 if not chaos.backups else BACKUP_S)
        await chaos.backup()


async def _judge(
    chaos: faults.Chaos,
    wanted: Wanted,
    view: dict[str, Any],
    still: str,
    again: int,
    seconds: float,
) -> Result:
    output = wanted.folder / "output.zst"
    await asyncio.to_thread(
        chaos.server.ask, "production", "output", chaos.production, "--output", output
    )
    seen = await asyncio.to_thread(numbers_in, output)
    return Result(
        seconds=round(seconds, 1),
        seed=wanted.seed,
        events=wanted.events,
        faults=dict(sorted(chaos.counts.items())),
        finished_events_lost=sum(chaos.ledger.lost.values()),
        duplicates=len(seen) - len(set(seen)),
        missing=wanted.events - len(set(seen)),
        recomputed_events=again,
        digest_equal=view["output"]["digest"] == still,
        acknowledged=sum(len(line.receipts) for line in chaos.ledger.lines),
    )


def numbers_in(output: Path) -> list[int]:
    """The number of each event in an output of ticks."""
    with output.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        text = reader.read()
    return [int(line.split(b" ", 1)[0]) for line in text.splitlines()]


async def _close(chaos: faults.Chaos) -> None:
    for agent in chaos.agents:
        agent.kill()
        if agent.line is not None:
            await agent.line.stop()
