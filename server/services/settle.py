"""Judges a unit: settles what agrees, names who disagrees, asks for the copies that are missing.

This is the one place where new work is made of what leases left undone, so there is one rule for
what is missing: `server.domain.quorum.judge`. It runs whenever a lease on the unit ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass, field

from server.db import frames, hosts, productions, tasks, units
from server.db.base import Tx
from server.db.frames import FrameRow
from server.db.tasks import Ready, Task
from server.db.units import Unit
from server.domain import workunit
from server.domain.credit import credits
from server.domain.intervals import Intervals
from server.domain.quorum import Copy, Pending, Rejected, Shortage, Verdict, judge
from server.domain.split import unit_range
from server.domain.task import TaskState
from server.domain.workunit import UnitState
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.frameread import read_pieces
from server.services.joining import join, reach
from server.services.pack import pack_unit

log = logging.getLogger("windfall.settle")
PER_EVENT = 1.0  # credit of one settled event, until hosts are calibrated


@dataclass(frozen=True)
class Picture:
    """A unit as it stands in the table at one moment."""

    unit: Unit
    tasks: list[Task]
    frames: list[FrameRow]
    settled: list[tuple[int, int, int]]
    rejected: list[Rejected]


@dataclass(eq=False)
class Memory:
    """The digests of frames of open units, so that no frame is read twice."""

    digests: dict[tuple[int, int], dict[int, list[bytes]]] = field(default_factory=dict)

    def of(self, production: int, unit: int) -> dict[int, list[bytes]]:
        """Frame id -> one digest per record."""
        return self.digests.setdefault((production, unit), {})

    def forget(self, production: int, unit: int) -> None:
        """The unit is settled."""
        self.digests.pop((production, unit), None)


async def settle_unit(deps: Deps, memory: Memory, card: ProductionCard, number: int) -> bool:
    """Judge one unit and carry the verdict out; True if it is settled now."""
    picture = await deps.store.read(lambda tx: _look(tx, card.id, number))
    if picture is None or picture.unit.state is not UnitState.OPEN:
        memory.forget(card.id, number)
        await deps.store.write(lambda tx: units.clean(tx, card.id, number))
        return False
    first, last = unit_range(number, card.unit, card.events)
    digests = memory.of(card.id, number)
    bad = await _digest(deps, card, picture, digests)
    copies = _copies(picture, digests)
    verdict = judge(
        first,
        last,
        card.definition.payload.granule,
        card.definition.policy.quorum,
        Intervals((a, b) for a, b, _ in picture.settled),
        copies,
        _pending(picture),
        card.definition.policy.most_copies,
        picture.rejected,
    )
    if bad:
        log.error("frames unreadable", extra={"action": "judge", "unit": number, "frames": bad})
    wanted = join(verdict.shortage, copies, _reach(deps, card))
    ready = await _carry_out(deps, card, picture, verdict, wanted)
    whole = Intervals([(a, b) for a, b, _ in picture.settled])
    for part in verdict.settled:
        whole = whole.add(part.first, part.last)
    if whole.covers(first, last):
        await _close(deps, card, picture, verdict, first, last)
        memory.forget(card.id, number)
        return True
    deps.line(card.id).add(ready, back=True)
    return False


def _reach(deps: Deps, card: ProductionCard) -> int:
    speeds = [h.speeds[card.id] for h in deps.registry.hosts.values() if card.id in h.speeds]
    return reach(card.definition.payload.block, speeds)


async def _look(tx: Tx, production: int, number: int) -> Picture | None:
    unit = await units.one(tx, production, number)
    if unit is None:
        return None
    return Picture(
        unit,
        await tasks.of_unit(tx, production, number),
        await frames.of_unit(tx, production, number),
        await frames.settled(tx, production, number),
        [Rejected(*row) for row in await frames.rejected_of_unit(tx, production, number)],
    )


async def _digest(
    deps: Deps, card: ProductionCard, picture: Picture, digests: dict[int, list[bytes]]
) -> list[int]:
    """Learn the digests of the frames not read yet; the frames that cannot be read any more."""
    new = [row for row in picture.frames if row.id not in digests]
    if not new:
        return []

    def read() -> list[int]:
        bad = []
        for row, piece in read_pieces(deps.segments, new):
            if piece is None:
                bad.append(row.id)
            else:
                digests[row.id] = [_sha256(record) for record in piece.records()]
        return bad

    return await asyncio.to_thread(read)


def _sha256(record: bytes) -> bytes:
    return hashlib.sha256(record).digest()[:16]


def _copies(picture: Picture, digests: dict[int, list[bytes]]) -> list[Copy]:
    return [
        Copy(row.task, row.host, row.account, row.first, row.last, digests[row.id])
        for row in picture.frames
        if row.id in digests
    ]


def _pending(picture: Picture) -> list[Pending]:
    """What ready and leased tasks of the unit will still bring."""
    held: dict[int, Intervals] = {}
    for row in picture.frames:
        held[row.task] = held.get(row.task, Intervals()).add(row.first, row.last)
    pending = []
    for task in picture.tasks:
        if task.state is TaskState.READY:
            pending.append(Pending(None, task.first, task.last))
        elif task.state is TaskState.LEASED:
            missing = held.get(task.id, Intervals()).missing(task.first, task.last)
            pending.extend(Pending(task.account, a, b) for a, b in missing)
    return pending


async def _carry_out(
    deps: Deps,
    card: ProductionCard,
    picture: Picture,
    verdict: Verdict,
    wanted: list[Shortage],
) -> list[Ready]:
    """Write what the verdict says; the ranges that wait for a host because of it."""
    number, now = picture.unit.number, deps.clock()
    owners = {task.id: task for task in picture.tasks}
    ready = [
        Ready(deps.registry.next_task(), number, part.first, part.last)
        for part in wanted
        for _ in range(part.copies)
    ]
    full = picture.unit.errors >= card.definition.policy.most_errors
    reason = _why_held(card, picture, verdict) if verdict.exhausted or full else ""

    async def write(tx: Tx) -> None:
        await units.clean(tx, card.id, number)
        for part in verdict.settled:
            frames.settle(tx, card.id, number, part.first, part.last, part.task)
            for task in part.agreeing:
                _agree(tx, owners[task], part.first, part.last, now)
        for wrong in verdict.rejected:
            frames.reject(tx, card.id, number, wrong.task, wrong.host, wrong.first, wrong.last, now)
            hosts.tally(tx, wrong.host, 0, wrong.last - wrong.first)
        if reason:
            await units.move(
                tx, card.id, number, UnitState.OPEN,
                workunit.MOVES.after(UnitState.OPEN, "hold"), "hold", reason, now,
            )  # fmt: skip
            await tasks.withdraw(tx, card.id, number)
        elif ready:
            await tasks.add_ready(tx, card.id, ready)

    await deps.store.write(write)
    if verdict.rejected:
        log.warning(
            "copies rejected",
            extra={
                "action": "reject", "production": card.name, "unit": number,
                "hosts": sorted({part.host for part in verdict.rejected}),
                "events": sum(part.last - part.first for part in verdict.rejected),
            },
        )  # fmt: skip
    return [] if reason else ready


def _agree(tx: Tx, task: Task, first: int, last: int, now: float) -> None:
    amount = credits(last - first, PER_EVENT)
    host, account = task.host or 0, task.account or 0
    frames.credit(tx, task.id, first, last, host, account, task.production, amount, now)
    hosts.tally(tx, host, last - first, 0)


def _why_held(card: ProductionCard, picture: Picture, verdict: Verdict) -> str:
    if verdict.exhausted:
        return (
            f"events {list(verdict.exhausted)} found no {card.definition.policy.quorum} agreeing"
            f" copies among {card.definition.policy.most_copies}"
        )
    return f"{picture.unit.errors} tasks of this unit failed"


async def _close(
    deps: Deps, card: ProductionCard, picture: Picture, verdict: Verdict, first: int, last: int
) -> None:
    """Every event of the unit is settled: write its blob, then forget its frames."""
    number = picture.unit.number
    chosen = [*picture.settled, *((part.first, part.last, part.task) for part in verdict.settled)]
    packed = await asyncio.to_thread(
        pack_unit, deps.segments, card.definition.payload.granule, picture.frames, chosen
    )
    stored = await deps.blobs.put(unit_key(card.id, number), packed.data)
    now = deps.clock()
    open_tasks = [task.id for task in picture.tasks if task.state is TaskState.LEASED]

    async def write(tx: Tx) -> None:
        await units.keep(tx, card.id, number, stored.size, packed.content, stored.sha256)
        await units.move(
            tx, card.id, number, UnitState.OPEN,
            workunit.MOVES.after(UnitState.OPEN, "settle"), "settle", "", now,
        )  # fmt: skip
        await productions.add_settled(tx, card.id, 1, last - first)
        await tasks.withdraw(tx, card.id, number)
        await frames.drop(tx, card.id, number)

    await deps.store.write(write)
    deps.line(card.id).forget_unit(number)
    card.settled += last - first
    card.units_settled += 1
    for task in open_tasks:
        leased = deps.registry.tasks.get(task)
        if leased is not None:
            deps.surplus.append(leased)
    deps.signals.merge.set()


def unit_key(production: int, number: int) -> str:
    """The blob of a settled unit."""
    return f"productions/{production}/units/{number // 1000:06d}/{number:09d}.zst"
