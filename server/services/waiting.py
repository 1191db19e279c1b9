"""What waits for a host, in the table and in memory at once: both change in one transaction.

Transactions run one after the other, and so do leases, which are transactions too. So no range is
leased that is withdrawn, and none is put back that somebody has: if the transaction is undone, what
it did in memory is undone with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from server.db import frames, tasks, units
from server.db.base import Tx
from server.db.tasks import Ready
from server.domain.line import Guard, Line
from server.services.deps import Deps


async def wait_again(
    tx: Tx, deps: Deps, production: int, rows: list[Ready], guards: Mapping[int, Guard]
) -> None:
    """These rows, which the table has as ready, wait before those nobody had yet."""
    line = deps.line(production)
    await learn(tx, line, production, [row.unit for row in rows])
    line.add(rows, back=True, guards=guards)
    tx.on_abort(partial(line.remove, [row.id for row in rows]))


async def withdraw(tx: Tx, deps: Deps, production: int, unit: int | None = None) -> None:
    """Nothing of a unit, or of a whole production, waits any more."""
    await tasks.withdraw(tx, production, unit)
    line = deps.lines.get(production)
    if line is not None:
        tx.on_abort(partial(line.restore, line.drop(unit)))


async def withdraw_some(tx: Tx, deps: Deps, production: int, ids: list[int]) -> None:
    """These ranges, or what is left of them, wait no more."""
    await tasks.withdraw_some(tx, ids)
    line = deps.lines.get(production)
    if line is not None:
        tx.on_abort(partial(line.restore, line.pick(ids)))


async def unpin(tx: Tx, deps: Deps, production: int, unit: int) -> None:
    """A unit of which nobody has anything may be made by hosts of any class again.

    Else it would wait for ever for a class whose last host has gone.
    """
    if await frames.between(tx, production, unit, unit + 1):
        return
    if await tasks.leases_between(tx, production, unit, unit + 1):
        return
    await units.unpin(tx, production, unit)
    line = deps.lines.get(production)
    if line is not None:
        tx.on_abort(partial(line.pin, unit, line.free(unit)))


async def learn(tx: Tx, line: Line, production: int, numbers: Iterable[int]) -> None:
    """Who holds what of those of these units that are not known yet, and their classes."""
    new = {number for number in numbers if number not in line.holdings}
    if not new:
        return
    low, high = min(new), max(new) + 1
    held = await frames.between(tx, production, low, high)
    leased = await tasks.leases_between(tx, production, low, high)
    held += [(task.unit, task.account or 0, task.first, task.last) for task in leased]
    classes = await units.classes(tx, production, low, high)
    for number in new:
        line.holdings[number] = []
    for number, account, first, last in held:
        if number in new:
            line.hold(number, account, first, last)
    tx.on_abort(partial(line.unlearn, new))
    line.classes.update((number, klass) for number, klass in classes if number in new)
