"""Judges a unit: settles what agrees, names who disagrees, asks for the copies that are missing.

This is the one place where new work is made of what leases left undone, so there is one rule for
what is missing: `server.domain.quorum.judge`. It runs whenever a lease on the unit ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from server.db import event_failures, frames, hosts, set_aside, tasks, units
from server.db.base import Tx
from server.db.frames import FrameRow
from server.db.tasks import Ready, Task
from server.domain import workunit
from server.domain.faith import Faith, findings, settled_by
from server.domain.intervals import Intervals
from server.domain.joining import join, reach
from server.domain.quorum import Copy, Pending, Rejected, Shortage, Verdict, judge
from server.domain.split import unit_range
from server.domain.task import TaskState
from server.domain.workunit import UnitState
from server.services import aside, credit, endgame, trusting
from server.services.cards import ProductionCard
from server.services.close import Picture, close, unchanged
from server.services.deps import Deps
from server.services.frameread import read_pieces
from server.services.holding import why_held
from server.services.waiting import unpin, wait_again, withdraw, withdraw_some

log = logging.getLogger("windfall.settle")


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


class End(NamedTuple):
    """What the end of a production asks for: trims, copies beside those that are missing.

    ``settled`` is all that is settled with this verdict.
    """

    cuts: list[endgame.Cut]
    copies: list[Shortage]
    settled: Intervals


async def settle_unit(deps: Deps, memory: Memory, card: ProductionCard, number: int) -> bool:
    """Judge one unit and carry the verdict out; True if it is settled now.

    Raises BlobTrouble, Unreadable (try again), Overtaken (look again).
    """
    picture = await deps.store.read(lambda tx: _look(tx, card.id, number))
    if picture is None or picture.unit.state not in (UnitState.OPEN, UnitState.HELD):
        memory.forget(card.id, number)
        return False
    first, last = unit_range(number, card.unit, card.events)
    cuts = endgame.cuts_of(deps, picture)
    picture = endgame.trimmed(picture, cuts)
    digests = memory.of(card.id, number)
    picture = await _readable(deps, card, picture, digests)
    if await aside.put_aside(deps, card, picture):
        return False
    apart = Intervals((part.first, part.last) for part in picture.aside)
    faith, verdict = _judge(deps, card, picture, digests, apart)
    taken = [(p.first, p.last, p.task) for p in (*verdict.settled, *verdict.trusted)]
    chosen = [*picture.settled, *taken]
    over = Intervals((a, b) for a, b, _ in chosen).union(apart).covers(first, last)
    copies = _copies(picture, digests, faith)
    wanted = [] if over else join(verdict.shortage, copies, _reach(deps, card), apart)
    sure = replace(verdict, trusted=())
    end = End(cuts, [], _settled(picture, verdict, apart))
    if not over and (late := endgame.late_of(deps, picture)):
        pending, left = _pending(picture, faith), _pending(picture, faith, late)
        here = endgame.Bench(card, picture, end.settled, copies, faith.spots)
        end = end._replace(copies=endgame.copies(here, pending, left, wanted))
    await _carry_out(deps, card, picture, sure, faith, wanted, end, over)
    if over and apart and await aside.parks(deps, card, picture.unit):
        return False
    if over and verdict.trusted:
        rest = replace(verdict, settled=(), rejected=())
        await _carry_out(deps, card, picture, rest, faith, [], End([], [], Intervals()), over)
    if over:
        await close(deps, card, picture, chosen)
        aside.unpark(deps, card)
        memory.forget(card.id, number)
    return over


def _judge(
    deps: Deps,
    card: ProductionCard,
    picture: Picture,
    digests: dict[int, list[bytes]],
    apart: Intervals,
) -> tuple[Faith, Verdict]:
    """The verdict, and how far hosts were believed for it: nobody whom it catches, any more."""
    number, policy = picture.unit.number, card.definition.policy
    faith = trusting.faith(deps, card, number, picture.tasks)
    settled = Intervals((a, b) for a, b, _ in picture.settled).union(apart)

    def judged(faith: Faith) -> Verdict:
        return judge(
            *unit_range(number, card.unit, card.events),
            card.definition.payload.granule,
            policy.quorum,
            settled,
            _copies(picture, digests, faith),
            _pending(picture, faith),
            policy.most_copies * (1 + picture.unit.releases),
            picture.rejected,
            faith.spots,
        )

    return settled_by(faith, judged)


def _settled(picture: Picture, verdict: Verdict, apart: Intervals) -> Intervals:
    """All that is settled with a verdict, what is set apart with it."""
    before = [(first, last) for first, last, _ in picture.settled]
    now = [(part.first, part.last) for part in verdict.settled]
    return Intervals([*before, *now]).union(apart)


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
        await event_failures.of_unit(tx, production, number),
        await set_aside.of_unit(tx, production, number),
    )


async def _readable(
    deps: Deps, card: ProductionCard, picture: Picture, digests: dict[int, list[bytes]]
) -> Picture:
    """Learn the digests of the frames not read yet; what cannot be read any more is forgotten.

    Nothing is settled by bytes that are gone: their events are computed once more.
    """
    new = [row for row in picture.frames if row.id not in digests]

    def read() -> list[FrameRow]:
        bad = []
        for row, piece in read_pieces(deps.segments, new):
            if piece is None:
                bad.append(row)
            else:
                digests[row.id] = [_sha256(record) for record in piece.records()]
        return bad

    bad = await asyncio.to_thread(read) if new else []
    if not bad:
        return picture
    number, gone = picture.unit.number, {row.task for row in bad}
    log.error(
        "frames unreadable",
        extra={"action": "judge", "production": card.name, "unit": number, "frames": len(bad)},
    )
    await deps.store.write(lambda tx: frames.lose(tx, card.id, number, bad))
    return replace(
        picture,
        frames=[row for row in picture.frames if row not in bad],
        settled=[part for part in picture.settled if part[2] not in gone],
    )


def _sha256(record: bytes) -> bytes:
    return hashlib.sha256(record).digest()[:16]


def _copies(picture: Picture, digests: dict[int, list[bytes]], faith: Faith) -> list[Copy]:
    return [
        Copy(
            row.task,
            row.host,
            row.account,
            row.first,
            row.last,
            digests[row.id],
            *faith.flags(row.host),
        )
        for row in picture.frames
        if row.id in digests
    ]


def _pending(picture: Picture, faith: Faith, late: frozenset[int] = frozenset()) -> list[Pending]:
    """What ready and leased tasks of the unit will still bring, but for those that are late."""
    held: dict[int, Intervals] = {}
    for row in picture.frames:
        held[row.task] = held.get(row.task, Intervals()).add(row.first, row.last)
    pending = []
    for task in picture.tasks:
        if task.id in late:
            continue
        if task.state is TaskState.READY:
            pending.append(Pending(None, task.first, task.last))
        elif task.state is TaskState.LEASED:
            missing = held.get(task.id, Intervals()).missing(task.first, task.last)
            flags = faith.flags(task.host)
            pending.extend(Pending(task.account, a, b, *flags) for a, b in missing)
    return pending


async def _carry_out(
    deps: Deps,
    card: ProductionCard,
    picture: Picture,
    verdict: Verdict,
    faith: Faith,
    wanted: list[Shortage],
    end: End,
    over: bool,
) -> None:
    """Write what the verdict says. A unit that is over stays marked until its blob is written."""
    unit, now = picture.unit, deps.clock()
    owners = {task.id: task for task in picture.tasks}
    opened = unit.state is UnitState.OPEN
    full = unit.errors >= card.definition.policy.most_errors
    hold = opened and not over and (full or bool(verdict.exhausted))
    ready = _ready(deps, unit.number, [*wanted, *end.copies] if opened and not hold else [])
    held = Intervals((row.first, row.last) for row in picture.frames)
    guards = trusting.guards(deps, card, ready, held)
    found = findings(verdict, faith, owners)
    done, idle = ([], []) if over else endgame.settled_away(deps, picture, end.settled)
    cuts = endgame.shortest([*end.cuts, *done])
    unwanted = [] if over else endgame.not_wanted(picture, end.settled)

    async def write(tx: Tx) -> list[tuple[int, int]]:
        await unchanged(tx, unit)
        if not over:
            await units.clean(tx, card.id, unit.number, unit.dirty)
        await _book(tx, deps, card, picture, verdict, now)
        again = await trusting.book(tx, deps, card, unit.number, found)
        trusting.take(tx, card, unit.number, faith, verdict, owners, now)
        trusting.count_checks(tx, card, faith, verdict, owners)
        await endgame.write_cuts(tx, cuts, now)
        if unit.klass is not None and not picture.frames:
            await unpin(tx, deps, card.id, unit.number)
        if hold:
            reason = await _why_held(tx, card, picture, verdict)
            await units.move(
                tx, card.id, unit.number, unit.state,
                workunit.MOVES.after(unit.state, "hold"), "hold", reason, now,
            )  # fmt: skip
            await withdraw(tx, deps, card.id, unit.number)
        elif ready:
            await tasks.add_ready(tx, card.id, ready)
            await wait_again(tx, deps, card.id, ready, guards)
            if end.cuts or end.copies:
                deps.line(card.id).rush.update((row.id, now) for row in ready)
        if unwanted:
            await withdraw_some(tx, deps, card.id, unwanted)
        return again

    for production, number in await deps.store.write(write):
        deps.mark(production, number)
    endgame.note_cuts(deps, cuts)
    deps.surplus.extend(lease for lease in idle if lease not in deps.surplus)
    if verdict.rejected:
        _tell_rejected(card, unit.number, verdict)


async def _why_held(tx: Tx, card: ProductionCard, picture: Picture, verdict: Verdict) -> str:
    policy, granule = card.definition.policy, card.definition.payload.granule
    gone = await set_aside.count(tx, card.id)
    return why_held(policy, picture.unit, verdict.exhausted, picture.failures, gone, granule)


def _ready(deps: Deps, unit: int, parts: list[Shortage]) -> list[Ready]:
    return [
        Ready(deps.registry.next_task(), unit, part.first, part.last)
        for part in parts
        for _ in range(part.copies)
    ]


def _tell_rejected(card: ProductionCard, unit: int, verdict: Verdict) -> None:
    log.warning(
        "copies rejected",
        extra={
            "action": "reject", "production": card.name, "unit": unit,
            "hosts": sorted({part.host for part in verdict.rejected}),
            "events": sum(part.last - part.first for part in verdict.rejected),
        },
    )  # fmt: skip


async def _book(
    tx: Tx, deps: Deps, card: ProductionCard, picture: Picture, verdict: Verdict, now: float
) -> None:
    number, owners = picture.unit.number, {task.id: task for task in picture.tasks}
    agreed: list[tuple[Task, int, int]] = []
    for part in (*verdict.settled, *verdict.trusted):
        frames.settle(tx, card.id, number, part.first, part.last, part.task)
        for task in part.agreeing:
            agreed.append((owners[task], part.first, part.last))
            hosts.tally(tx, owners[task].host or 0, part.last - part.first, 0)
    await credit.book(tx, deps, card, number, agreed, now)
    for wrong in verdict.rejected:
        frames.reject(tx, card.id, number, wrong.task, wrong.host, wrong.first, wrong.last, now)
        hosts.tally(tx, wrong.host, 0, wrong.last - wrong.first)
