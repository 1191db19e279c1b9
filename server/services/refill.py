"""Fills the queue of a production from the table, and puts its next units into the table."""

from __future__ import annotations

from server.db import frames, productions, tasks, units
from server.db.base import Tx
from server.db.tasks import Ready
from server.domain.split import unit_range, units_total
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.feeder import Line

UNROLL = 500  # units put into the table at once: a few milliseconds of one transaction


async def refill(deps: Deps, card: ProductionCard) -> bool:
    """Bring more of a production into memory; False if there is no more, or it is being done."""
    line = deps.line(card.id)
    if line.filling or line.ended:
        return False
    line.filling = True
    try:
        before = len(line)
        await _load(deps, card, line)
        if len(line) == before and not await _unroll(deps, card, line):
            line.ended = True
        return len(line) > before
    finally:
        line.filling = False


async def _load(deps: Deps, card: ProductionCard, line: Line) -> None:
    rows = await deps.store.read(
        lambda tx: tasks.ready_after(tx, card.id, line.loaded, deps.limits.window)
    )
    if not rows:
        return
    rows = [row for row in rows if row.id not in line.known]
    await _learn(deps, card, line, rows)
    line.add(rows)
    line.loaded = max([line.loaded, *(row.id for row in rows)])


async def _learn(deps: Deps, card: ProductionCard, line: Line, rows: list[Ready]) -> None:
    """Who holds what of these units, and what their classes are."""
    new = [row.unit for row in rows if row.unit not in line.holdings]
    if not new:
        return
    low, high = min(new), max(new) + 1

    async def read(tx: Tx) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, str]]]:
        held = await frames.between(tx, card.id, low, high)
        leased = await tasks.leases_between(tx, card.id, low, high)
        held += [(t.unit, t.account or 0, t.first, t.last) for t in leased]
        return held, await units.classes(tx, card.id, low, high)

    held, classes = await deps.store.read(read)
    wanted = set(new)
    for unit, account, first, last in held:
        if unit in wanted:
            line.hold(unit, account, first, last)
    line.classes.update((unit, klass) for unit, klass in classes if unit in wanted)


async def _unroll(deps: Deps, card: ProductionCard, line: Line) -> bool:
    low = card.next_unit
    high = min(units_total(card.events, card.unit), low + UNROLL)
    if low >= high:
        return False
    rows = []
    for number in range(low, high):
        first, last = unit_range(number, card.unit, card.events)
        for _ in range(card.definition.policy.quorum):
            rows.append(Ready(deps.registry.next_task(), number, first, last))

    async def write(tx: Tx) -> None:
        await units.add(tx, card.id, range(low, high))
        await tasks.add_ready(tx, card.id, rows)
        await productions.unroll(tx, card.id, high)

    await deps.store.write(write)
    card.next_unit = high
    line.add(rows)
    line.loaded = max(line.loaded, rows[-1].id)
    return True
