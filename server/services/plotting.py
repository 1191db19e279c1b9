"""Fills the histograms of productions from units that are settled, beside everything else.

Each unit is counted exactly once: what was counted and that the unit was read are one row, written
at once. A unit is read by a process of its own (`server.plotter`); between two units the duty rests
for so long that it takes no more than its share of a processor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from math import sqrt

import msgspec

from server.blobs.base import BlobMissing, BlobTrouble
from server.db import plots
from server.db.base import Tx
from server.db.plots import Kept, Unread
from server.domain import definition as definitions
from server.domain.definition import Definition
from server.domain.errors import NotFound
from server.domain.intervals import Intervals
from server.domain.physics import Filled, Plot, Sheet
from server.domain.split import unit_range, units_total
from server.services import produce
from server.services.close import unit_key
from server.services.deps import Deps

log = logging.getLogger("windfall.plotting")
AT_ONCE = 100  # productions looked at in a round
LOOK = 1000  # units looked at in a step
LONGEST_S = 900.0  # for one unit
REST_MOST_S = 120.0
LOOK_S = 3.0  # between two looks for something to read
TOLD_MOST = 1 << 20  # bytes that the program may say: its bins are some thousand numbers
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH")
"""What it sees of the environment, in which there may be passwords: what Python starts with."""
PROGRAM = (sys.executable, "-P", "-m", "server.plotter")  # whatever lies where the server stands


class Uncounted(Exception):
    """A unit that cannot be counted."""


@dataclass(frozen=True)
class PlotView:
    """A histogram: mean number of entries per event and unit of the axis, with its error.

    ``edges`` are one more than ``counts``, ``heights``, ``errors``, and ``reference`` if there is
    one, which has the same area. ``counts``, ``below`` and ``above`` are entries.
    """

    name: str
    title: str
    quantity: str
    particles: tuple[int, ...]
    edges: list[float]
    counts: list[int]
    below: int
    above: int
    heights: list[float]
    errors: list[float]
    reference: list[float]
    reference_name: str


@dataclass(frozen=True)
class PlotsView:
    """The histograms of a production, from so many of its settled events."""

    production: str
    events: int
    settled: int
    plots: list[PlotView] = field(default_factory=list)


@dataclass(eq=False)
class Plotter:
    """The duty; ``share`` of one processor is its own (0: it does nothing)."""

    deps: Deps
    share: float
    rest_s: float = LOOK_S

    async def once(self) -> None:
        """Read the next unit of each production that has one."""
        self.rest_s = LOOK_S
        if not self.share:
            return
        for found in await self.deps.store.read(lambda tx: plots.unread(tx, AT_ONCE)):
            before = _spent()
            await self._advance(found)
            spent = _spent() - before
            self.rest_s = min(REST_MOST_S, spent * (1 / self.share - 1))
            await self.pause()

    async def pause(self) -> None:
        """Rest as long as the last unit asks for."""
        await asyncio.sleep(self.rest_s)

    async def _advance(self, found: Unread) -> None:
        asked = definitions.parse(found.definition)
        store = self.deps.store
        if not asked.plots:
            await store.write(lambda tx: plots.keep(tx, found.production, Kept(), wanted=False))
            return
        kept = await store.read(lambda tx: plots.one(tx, found.production))
        done = Intervals(msgspec.json.decode(kept.done, type=list[tuple[int, int]]))
        left = done.missing(0, units_total(asked.events, asked.unit)).pairs
        number = await store.read(lambda tx: _next(tx, found.production, done, left[0][0]))
        if number is None:
            return
        sheet, wanted = _sheet(asked, kept), list(asked.plots.values())
        first, last = unit_range(number, asked.unit, asked.events)
        try:
            sheet.add(await self._count(found.production, number, wanted, last - first))
        except (Uncounted, BlobMissing) as error:
            log.warning(
                "not plotted",
                extra={"action": "plot", "production": found.name, "unit": number},
                exc_info=error,
            )
        done = done.add(number, number + 1)
        after = Kept(done.events, _json(done.pairs), _json(sheet))
        await store.write(lambda tx: plots.keep(tx, found.production, after))

    async def _count(self, production: int, number: int, wanted: list[Plot], most: int) -> Sheet:
        """One unit of so many events, counted by the program. Raises BlobTrouble, Uncounted."""
        pipe = asyncio.subprocess.PIPE
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        child = await asyncio.create_subprocess_exec(
            *PROGRAM, str(most), stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        head = msgspec.json.encode(wanted) + b"\n"
        told, trouble = await _talk(
            child, head, self.deps.blobs.stream(unit_key(production, number))
        )
        if child.returncode != 0:
            last = trouble.decode(errors="replace").strip().rpartition("\n")[2]
            raise Uncounted(f"the plotter ended with {child.returncode}: {last[:200]}")
        return _read(told, wanted, most)


async def _talk(child: Process, head: bytes, unit: AsyncIterator[bytes]) -> tuple[bytes, bytes]:
    """Hand a unit over, and hear what the program says and complains of until it has ended.

    Raises BlobTrouble, Uncounted.
    """
    assert child.stdin and child.stdout and child.stderr  # noqa: PT018, S101  # it has pipes
    try:
        async with asyncio.timeout(LONGEST_S):
            fault, told, trouble = await asyncio.gather(
                _feed(child, child.stdin, head, unit),
                _heard(child, child.stdout),
                _heard(child, child.stderr),
            )
            await child.wait()
    except TimeoutError:
        raise Uncounted(f"it took more than {LONGEST_S:g} s") from None
    finally:
        _end(child)
        for said in (child.stdout, child.stderr):  # with something left, its end is not seen
            await _heard(child, said)
        await child.wait()
    if fault is not None:
        raise fault
    return told, trouble


async def _feed(
    child: Process, stdin: asyncio.StreamWriter, head: bytes, unit: AsyncIterator[bytes]
) -> BlobTrouble | None:
    """Hand a unit over piece by piece, as fast as it is read: it may be larger than the memory."""
    try:
        stdin.write(head)
        async for piece in unit:
            stdin.write(piece)
            await stdin.drain()
    except BlobTrouble as error:
        _end(child)
        return error
    except ConnectionError:
        return None  # it has ended; its status tells
    finally:
        stdin.close()
    return None


async def _heard(child: Process, said: asyncio.StreamReader) -> bytes:
    """All that a program says; one that says too much is ended."""
    found = bytearray()
    while piece := await said.read(1 << 16):
        if len(found) > TOLD_MOST:
            _end(child)
        else:
            found += piece
    return bytes(found)


def _end(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()


def _read(told: bytes, wanted: list[Plot], most: int) -> Sheet:
    """The answer of the program, if it can be one. Raises Uncounted."""
    try:
        found = msgspec.json.decode(told, type=Sheet)
    except msgspec.MsgspecError as error:
        raise Uncounted(f"the plotter said what is no answer: {error}") from error
    fits = [len(one.counts) for one in found.filled] == [plot.bins for plot in wanted]
    if not fits or not 0 <= found.events <= most:
        raise Uncounted("the plotter answered something else than was asked")
    return found


async def show(deps: Deps, name: str) -> PlotsView:
    """The histograms of a production by name or id. Raises NotFound."""
    row = await produce.find(deps, name)
    asked = definitions.parse(row.definition)
    kept = await deps.store.read(lambda tx: plots.one(tx, row.id)) if asked.plots else Kept()
    sheet = _sheet(asked, kept)
    shown = [
        _view(key, plot, filled, sheet.events)
        for (key, plot), filled in zip(asked.plots.items(), sheet.filled, strict=True)
    ]
    return PlotsView(row.name, sheet.events, row.events_settled, shown)


def named(found: PlotsView, name: str) -> PlotView:
    """One of them. Raises NotFound."""
    for plot in found.plots:
        if plot.name == name:
            return plot
    raise NotFound("plot", name)


def _view(name: str, plot: Plot, filled: Filled, events: int) -> PlotView:
    scale = 1 / (plot.width * events) if events else 0.0
    heights = [count * scale for count in filled.counts]
    whole = sum(plot.reference)
    expected = sum(heights) / whole if whole else 0.0
    return PlotView(
        name, plot.title or name, plot.quantity, plot.particles, plot.edges, filled.counts,
        filled.below, filled.above, heights, [sqrt(count) * scale for count in filled.counts],
        [height * expected for height in plot.reference], plot.reference_name,
    )  # fmt: skip


def _spent() -> float:
    """Seconds of processors that processes have taken which this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _next(tx: Tx, production: int, done: Intervals, at: int) -> int | None:
    """The first settled unit that was not read, of those from ``at`` on."""
    while numbers := await plots.settled_from(tx, production, at, LOOK):
        for number in numbers:
            if not done.covers(number, number + 1):
                return number
        at = numbers[-1] + 1
    return None


def _sheet(asked: Definition, kept: Kept) -> Sheet:
    if not kept.sheet:
        return Sheet.empty(list(asked.plots.values()))
    return msgspec.json.decode(kept.sheet, type=Sheet)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
