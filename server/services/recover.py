"""The frames that only their labels in the segments tell of: after a crash, or an older database.

After a crash some rows were not written yet. When a server is put back to a backup, all that came
since has no rows: not the frames, nor the tasks for which they were sent, nor perhaps their units.
What is in the segments is durable all the same and is not computed again: such tasks are made anew
of the labels, as leases that are over, and what waits of their units is found anew by the judge.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from server.blobs.segments import Segments
from server.db import frames, segments, tasks, units
from server.db.base import Tx
from server.db.frames import NewFrame
from server.db.units import Unit
from server.domain.intervals import Intervals
from server.domain.split import unit_range, units_total
from server.domain.workunit import UnitState
from server.services.deps import Deps
from server.services.framelog import of_label
from server.services.refill import unroll

log = logging.getLogger("windfall.frames")
CAUSE = "found again after the database was put back"


async def recover(deps: Deps) -> None:
    """Index the frames of which there are only labels, and cut the segments behind them."""
    closed = await deps.store.read(segments.closed)
    gone = closed.difference(deps.segments.found)
    if gone:  # their numbers are given again: what comes into those is not closed
        await deps.store.write(lambda tx: segments.forget(tx, gone))
    left = [number for number in deps.segments.found if number not in closed]
    if left:
        known = await deps.store.read(lambda tx: frames.places(tx, min(left)))
        rows = await asyncio.to_thread(lambda: list(_labelled(deps.segments, left, known)))
        old = [row for row in rows if (row.segment, row.place) in known]
        if old:  # rows of an older database, of what lay there before the number was given again
            await deps.store.write(partial(_make_way, old))
        rows = await _with_tasks(deps, rows)
        await deps.store.write(lambda tx: _index_again(tx, rows, left))
        if rows:
            log.warning("frames found again", extra={"action": "recover", "frames": len(rows)})
    deps.segments.tidy(await deps.store.read(frames.segments))


async def _make_way(found: list[NewFrame], tx: Tx) -> None:
    """Forget the frames that are held to lie where these do; their events are made again."""
    for row in found:
        await frames.lose_there(tx, row.segment, "place = $3", row.place)


async def _index_again(tx: Tx, rows: list[NewFrame], left: list[int]) -> None:
    await frames.find_again(tx, rows)
    for production, unit in {(row.production, row.unit) for row in rows}:
        units.mark(tx, production, unit)
    await segments.close(tx, left)


def _labelled(
    kept: Segments, numbers: list[int], known: Mapping[tuple[int, int], bytes]
) -> Iterator[NewFrame]:
    """The frames that are whole and have no row, or that of another frame."""
    for number in numbers:
        for found in kept.scan(number):
            if not any(found.label):
                continue
            row = of_label(found.label, (number, found.offset, found.size))
            if known.get((number, found.offset)) == row.digest:
                continue
            if hashlib.sha256(kept.read(number, found.offset, found.size)).digest() == row.digest:
                yield row


async def _with_tasks(deps: Deps, rows: list[NewFrame]) -> list[NewFrame]:
    """Those whose task the table knows, or learns now."""
    ids = {row.task for row in rows}
    unknown = await deps.store.read(lambda tx: tasks.never_given(tx, ids))
    if not unknown:
        return rows
    # What is given from now on has other numbers than what hosts were given in the time forgotten.
    highest = await deps.store.read(tasks.highest)
    deps.registry.task_id = max(highest, *unknown)
    strays = [row for row in rows if row.task in unknown and _fits(deps, row)]
    for production in {row.production for row in strays}:
        card = deps.registry.productions[production]
        last = max(row.unit for row in strays if row.production == production)
        while card.next_unit <= last and await unroll(deps, card):
            pass
    taken = await deps.store.write(partial(_take, deps, strays))
    found = {row.task for row in taken}
    log.warning("tasks found again", extra={"action": "recover", "tasks": len(found)})
    return [row for row in rows if row.task not in unknown] + taken


def _fits(deps: Deps, row: NewFrame) -> bool:
    """Whether its host and production are known, and it could be of a lease of both."""
    host, card = deps.registry.hosts.get(row.host), deps.registry.productions.get(row.production)
    if host is None or card is None or host.account != row.account:
        return False
    if card.definition.payload.reference and card.digest not in host.classes:
        return False
    if not 0 <= row.unit < units_total(card.events, card.unit):
        return False
    first, last = unit_range(row.unit, card.unit, card.events)
    return first <= row.first < row.last <= last


@dataclass(eq=False)
class _Place:
    """A unit: what each account has of it or is leased, and the class of its copies."""

    klass: str | None
    held: dict[int, Intervals] = field(default_factory=dict)


async def _take(deps: Deps, strays: list[NewFrame], tx: Tx) -> list[NewFrame]:
    """Make the tasks of these, but for events that their account has or is leased by now."""
    places: dict[tuple[int, int], _Place | None] = {}
    taken: dict[int, list[NewFrame]] = {}
    for row in sorted(strays, key=lambda row: row.received_at):
        key = row.production, row.unit
        if key not in places:
            places[key] = _place(await units.one(tx, *key))
            await _learn(tx, key, places[key])
        place = places[key]
        if place is None or not _agrees(deps, place, row, tx):
            continue
        mine = place.held.get(row.account, Intervals())
        if not mine.overlaps(row.first, row.last):
            place.held[row.account] = mine.add(row.first, row.last)
            taken.setdefault(row.task, []).append(row)
    for production, unit in {(r.production, r.unit) for group in taken.values() for r in group}:
        await tasks.withdraw(tx, production, unit)
    now = deps.clock()
    for group in taken.values():
        bounds = min(row.first for row in group), max(row.last for row in group)
        tasks.add_ended(tx, group[0], bounds, sum(r.last - r.first for r in group), CAUSE, now)
    return [row for group in taken.values() for row in group]


def _place(unit: Unit | None) -> _Place | None:
    """Where frames may still help."""
    if unit is None or unit.state not in (UnitState.OPEN, UnitState.HELD):
        return None
    return _Place(unit.klass)


async def _learn(tx: Tx, key: tuple[int, int], place: _Place | None) -> None:
    if place is None:
        return
    production, unit = key
    held = [row[1:] for row in await frames.between(tx, production, unit, unit + 1)]
    leased = await tasks.leases_between(tx, production, unit, unit + 1)
    held += [(task.account or 0, task.first, task.last) for task in leased]
    for account, first, last in held:
        place.held[account] = place.held.get(account, Intervals()).add(first, last)


def _agrees(deps: Deps, place: _Place, row: NewFrame, tx: Tx) -> bool:
    """Whether a frame is of the class of its unit, which is that of the first if it had none."""
    card = deps.registry.productions[row.production]
    klass = deps.registry.hosts[row.host].classes.get(card.digest)
    if not card.definition.payload.reference or klass is None:
        return True
    if place.klass is None:
        place.klass = klass
        units.pin(tx, row.production, row.unit, klass)
    return place.klass == klass
