"""Reads the logs of tasks that ended with the table of patterns, and does what the table says."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial

from server.db import findings, memory, patterns, productions, units
from server.db.base import Tx
from server.db.findings import Found
from server.db.patterns import Saved
from server.domain import production as production_moves
from server.domain import workunit
from server.domain.errors import Overtaken
from server.domain.known import BUILT_IN
from server.domain.patterns import HOLD, IGNORE, Finding, Pattern, Scanner
from server.domain.production import ProductionState
from server.domain.resubmit import Decision, Memory, decide, seen
from server.domain.workunit import UnitState
from server.services import quotas
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.scans import End
from server.services.waiting import withdraw

log = logging.getLogger("windfall.scan")
AT_ONCE = 50  # logs read by the thread at a time
BLAMED = 5  # failures in a row that a host counts as having had when it is to blame: it rests long
UNREAD_MOST = 1000  # failed tasks that a restarted server reads once more
_HOLDABLE = (ProductionState.ACTIVE, ProductionState.PAUSED)


def table(saved: list[Saved]) -> tuple[Pattern, ...]:
    """Every pattern there is: those of operators, and the built-in ones they did not change."""
    own = {one.pattern.name: one.pattern for one in saved}
    return (*(own.pop(p.name, p) for p in BUILT_IN), *own.values())


@dataclass(eq=False)
class Reader:
    """The table made ready, as long as nobody changes it."""

    patterns: tuple[Pattern, ...] = ()
    scanner: Scanner = field(default_factory=lambda: Scanner(()))

    def use(self, found: tuple[Pattern, ...]) -> Scanner:
        """The scanner of this table."""
        if found != self.patterns:
            self.patterns, self.scanner = found, Scanner(found)
        return self.scanner


async def once(deps: Deps, reader: Reader) -> int:
    """Read what waits; how many."""
    done = 0
    while ends := deps.scans.take(AT_ONCE):
        try:
            saved = await deps.store.read(patterns.everyone)
            scanner = await asyncio.to_thread(reader.use, table(saved))
            for end, found in await asyncio.to_thread(_scan, deps, scanner, list(ends)):
                if found is not None or end.outcome == "failed":
                    await _keep(deps, end, found)
                ends.remove(end)
                done += 1
        except Exception:
            deps.scans.put_back(ends)  # a database that takes nothing now, for one
            raise
    return done


def _scan(deps: Deps, scanner: Scanner, ends: list[End]) -> list[tuple[End, Finding | None]]:
    """In a thread of its own: what each log matches."""
    names = {n: c.definition.payload.name for n, c in list(deps.registry.productions.items())}
    return [
        (end, scanner.scan(end.log, names.get(end.row.production, ""), end.word)) for end in ends
    ]


async def _keep(deps: Deps, end: End, found: Finding | None) -> None:
    """Write a finding down, and do what follows from it."""
    row, now = end.row, deps.clock()
    card = deps.registry.productions.get(row.production)
    pattern = None if found is None else found.pattern
    kept = _found(end, found, now)

    async def write(tx: Tx) -> Decision:
        await findings.add(tx, kept)
        if card is None:
            return Decision()
        past = await findings.past(tx, card.id, row.unit, kept.kind, kept.pattern)
        if end.outcome != "failed":
            made = Decision() if pattern is None else seen(pattern, kept.line, past)
        else:
            raised = deps.line(card.id).needs.get(row.unit, 0)
            made = decide(pattern, kept.line, past, _memory(card, end, raised))
        await _write(tx, deps, card, end, made, kept.pattern, now)
        return made

    try:
        made = await deps.store.write(write)
    except Overtaken:  # it was held, released or settled meanwhile: the finding alone is kept
        await deps.store.write(lambda tx: findings.add(tx, kept))
        return
    if card is not None:
        _carry_out(deps, card, end, made, now)


def _found(end: End, found: Finding | None, now: float) -> Found:
    row, word = end.row, end.word[:64]
    place = (row.id, row.production, row.unit, row.host or 0, row.account or 0, end.outcome, word)
    if found is None:
        lines = [line.strip() for line in end.log.splitlines() if line.strip()]
        last = (lines[-1] if lines else word)[:400]
        around = "\n".join(line[:400] for line in lines[-6:])
        return Found(*place, "", "unknown", "retry-elsewhere", end.counted, last, around, now)
    pattern = found.pattern
    counted = pattern.action == HOLD or (
        end.outcome == "failed"
        and pattern.action != IGNORE
        and (end.counted or pattern.action == "blame-host")
    )
    return Found(
        *place, pattern.name, pattern.kind, pattern.action, counted, found.line, found.around, now
    )


def _memory(card: ProductionCard, end: End, raised: int) -> Memory:
    limits = card.definition.limits
    now = max(limits.memory_mb, raised)
    return Memory(now, max(now, limits.memory_mb_most), max(limits.memory_mb, end.had_mb))


async def _write(
    tx: Tx,
    deps: Deps,
    card: ProductionCard,
    end: End,
    made: Decision,
    pattern: str,
    now: float,
) -> None:
    number = end.row.unit
    if made.undo and end.counted:
        await units.unfail(tx, card.id, number)
    if end.outcome == "failed" and made.undo and not made.blame:  # it is no fault of the host
        await quotas.forgive(tx, deps, end.row.host or 0, card.id, 1)
    if made.hold_production and pattern:  # nor was it, of all that failed alike
        for host, leases in await findings.failed_by(tx, card.id, pattern):
            await quotas.forgive(tx, deps, host, card.id, leases)
    if made.memory_mb:
        await memory.put(tx, card.id, number, made.memory_mb)
    unit = await units.one(tx, card.id, number)
    if made.hold and unit is not None and unit.state is UnitState.OPEN:
        target = workunit.MOVES.after(unit.state, "hold")
        await units.move(tx, card.id, number, unit.state, target, "hold", made.hold, now)
        await withdraw(tx, deps, card.id, number)
    row = await productions.one(tx, card.id)
    if made.hold_production and row is not None and row.state in _HOLDABLE:
        target_state = production_moves.MOVES.after(row.state, "hold")
        reason = made.hold_production
        await productions.move(tx, card.id, row.state, target_state, "hold", reason, now)


def _carry_out(deps: Deps, card: ProductionCard, end: End, made: Decision, now: float) -> None:
    """What was decided, for those who work from memory."""
    row, host = end.row, deps.registry.hosts.get(end.row.host or 0)
    if made.memory_mb:
        line = deps.line(card.id)
        line.need(row.unit, made.memory_mb)
        line.forgive(now, row.unit)
    if made.memory_mb and host is not None:
        host.delivered()  # it did what it could
    if made.blame and host is not None:
        host.failures = max(host.failures, BLAMED)
        host.failed(now)
    if made.hold_production and card.state in _HOLDABLE:
        card.state = ProductionState.HELD
        deps.registry.changed()
    if made.hold or made.hold_production or made.memory_mb or made.blame:
        deps.mark(card.id, row.unit)
        log.warning(
            "failure read",
            extra={
                "action": "scan", "production": card.name, "unit": row.unit, "task": row.id,
                "host": row.host, "memory_mb": made.memory_mb, "blame": made.blame,
                "held": made.hold or made.hold_production,
            },
        )  # fmt: skip


async def _raised(production: int, tx: Tx) -> dict[int, int]:
    return await memory.raised(tx, production)


async def load(deps: Deps) -> None:
    """After a start: raised memory is known again, and logs that nobody read are read."""
    for number in deps.registry.productions:
        raised = await deps.store.read(partial(_raised, number))
        if raised:
            deps.line(number).needs.update(raised)
    for row, cause, text in await deps.store.read(lambda tx: findings.unread(tx, UNREAD_MOST)):
        deps.scans.add(End(row, "failed", cause.partition(": ")[2], text))
