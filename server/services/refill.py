"""Fills the queue of a production from the table, and puts its next units into the table."""

from __future__ import annotations

from functools import partial

from server.db import productions, tasks, units
from server.db.base import Tx
from server.db.tasks import Ready
from server.domain.line import Line
from server.domain.split import unit_range, units_total
from server.services.cards import ProductionCard
from server.services.deps import Deps
from server.services.waiting import learn

UNROLL = 500  # units put into the table at once: a few milliseconds of one transaction
LOAD = 2000  # ready tasks read from the table at once: a few milliseconds of the loop


async def refill(deps: Deps, card: ProductionCard) -> bool:
    """Bring more of a production into memory; False if there is no more."""
    line = deps.line(card.id)
    if line.loaded < deps.registry.found and await _load(deps, card, line):
        return True
    if await _unroll(deps, card, line):
        return True
    line.ended = True
    return False


async def _load(deps: Deps, card: ProductionCard, line: Line) -> bool:
    """What the table held when this process started; all that came later is in memory already.

    Were later rows read too, one could be read back that was leased since, before that is
    committed.
    """
    upto = deps.registry.found

    async def load(tx: Tx) -> list[Ready]:
        # As a write, so that nothing is withdrawn between the reading and the adding.
        rows = await tasks.ready_between(tx, card.id, line.loaded, upto, LOAD)
        await learn(tx, line, card.id, [row.unit for row in rows])
        fresh = [row for row in rows if row.id not in line.known]
        line.add(fresh)
        tx.on_abort(partial(line.remove, [row.id for row in fresh]))
        return rows

    rows = await deps.store.write(load)
    line.loaded = rows[-1].id if len(rows) == LOAD else upto
    return bool(rows)


async def _unroll(deps: Deps, card: ProductionCard, line: Line) -> bool:
    rows = await unroll(deps, card)
    line.add(rows)
    return bool(rows)


async def unroll(deps: Deps, card: ProductionCard) -> list[Ready]:
    """Put the next units of a production into the table; what waits of them, nothing if none."""
    low = card.next_unit
    high = min(units_total(card.events, card.unit), low + UNROLL)
    rows = []
    for number in range(low, high):
        first, last = unit_range(number, card.unit, card.events)
        for _ in range(card.definition.policy.first_copies):
            rows.append(Ready(deps.registry.next_task(), number, first, last))

    async def write(tx: Tx) -> None:
        await units.add(tx, card.id, range(low, high))
        await tasks.add_ready(tx, card.id, rows)
        await productions.unroll(tx, card.id, high)

    if rows:
        await deps.store.write(write)
        card.next_unit = high
    return rows
