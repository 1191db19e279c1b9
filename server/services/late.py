"""Frames whose lease is over, or was trimmed before them: what is new of them is kept.

Of no event has an account two copies. While its frame was away, the account may have been leased
the same events again: such a lease is cut where the frame begins, or ended. What the account has
sent of these events before, in other frames, is cut out of this one.

The frames of one account and unit that come late are taken one after the other. Frames of a lease
that runs are never held up: nobody else of the account has anything of their events.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from functools import partial

from server.blobs.segments import NO_LABEL, Place
from server.db import frames, tasks, units
from server.db.base import Tx
from server.db.frames import NewFrame
from server.domain.errors import Overtaken, Unavailable
from server.domain.intervals import Intervals
from server.services import endgame, reap
from server.services.cards import TaskCard
from server.services.deps import Deps
from server.services.dispatch import renew
from server.services.framelog import label_of
from server.services.frameread import part_of
from server.services.waiting import learn

log = logging.getLogger("windfall.late")
LOOKS = 20  # how often it is looked for leases that are in the way
AGAIN_S = 1.0  # then the host tries again


def is_late(deps: Deps, row: NewFrame) -> bool:
    """Whether a frame is outside of what its task is leased of."""
    card = deps.registry.tasks.get(row.task)
    return card is None or row.last > card.row.last


async def sync(deps: Deps, row: NewFrame, place: Place) -> None:
    """Make a frame of a lease that runs durable, seen by those that come late. Raises BlobTrouble.

    One that waits for the same flush goes on after the frame itself has.
    """
    key, done = (row.task, row.first, row.last), deps.segments.sync(place, label_of(row))
    deps.syncing[key] = row, done
    try:
        await done
    finally:
        del deps.syncing[key]


async def keep(deps: Deps, row: NewFrame, place: Place, granule: int, synced: bool = False) -> None:
    """Index at once what is new of a late frame, and have its unit judged again.

    ``synced`` if it is durable already. Raises BlobTrouble, Unavailable.
    """
    key = row.production, row.unit, row.account
    lock = deps.late.get(key)
    if lock is None:
        lock = deps.late[key] = asyncio.Lock()
    async with lock:
        await deps.store.write(partial(_claim, deps, row))
        try:
            new = await _clear(deps, row)
            rows, held = await _written(deps, row, place, new, granule, synced)
            await deps.store.write(partial(_index, rows, row))
            held.clear()  # not before: a segment stays while somebody has a place in it
        except BaseException:
            _let_go(deps, row)
            raise
    card = deps.registry.tasks.get(row.task)
    if card is not None:
        card.held = card.held.add(row.first, row.last)
        card.bytes += place.size
        renew(deps, card, deps.clock())
    deps.mark(row.production, row.unit)


async def _claim(deps: Deps, row: NewFrame, tx: Tx) -> None:
    """From now on the account is leased nothing of these events."""
    line = deps.line(row.production)
    await learn(tx, line, row.production, [row.unit])
    line.hold(row.unit, row.account, row.first, row.last)
    tx.on_abort(partial(_let_go, deps, row))


def _let_go(deps: Deps, row: NewFrame) -> None:
    deps.line(row.production).let_go(row.unit, row.account, row.first, row.last, ())


async def _index(rows: list[NewFrame], row: NewFrame, tx: Tx) -> None:
    await frames.add(tx, rows)
    units.mark(tx, row.production, row.unit)


async def _clear(deps: Deps, row: NewFrame) -> Intervals:
    """What the account has not sent yet of these events; no lease of it has them any more."""
    for _ in range(LOOKS):
        for other, done in list(deps.syncing.values()):
            if _meets(row, other):
                await asyncio.wait([done])
        sent, leased = await deps.store.write(partial(_look, row))
        new = Intervals([(row.first, row.last)]).minus(sent)
        hit = [task for task in leased if new.overlaps(task.first, task.last)]
        if not hit:
            return new
        for task in hit:
            card = deps.registry.tasks.get(task.id)
            if card is not None:  # else it ends just now
                await _cut(deps, card, new)
    raise Unavailable(AGAIN_S)


def _meets(row: NewFrame, other: NewFrame) -> bool:
    return (
        (row.production, row.unit, row.account) == (other.production, other.unit, other.account)
        and row.first < other.last
        and row.last > other.first
    )


async def _look(row: NewFrame, tx: Tx) -> tuple[Intervals, list[tasks.Task]]:
    sent = await frames.of_account(tx, row.production, row.unit, row.account)
    leased = await tasks.leases_between(tx, row.production, row.unit, row.unit + 1)
    others = [task for task in leased if task.account == row.account and task.id != row.task]
    return Intervals(sent), others


async def _cut(deps: Deps, card: TaskCard, new: Intervals) -> None:
    """End a lease where its account has sent what it is for; its host hears of it."""
    row, now = card.row, deps.clock()
    [(at, _), *_] = new.clip(row.first, row.last)
    log.info("sent before", extra={"action": "trim", "task": row.id, "host": row.host})
    if at == row.first:
        await reap.take_back(deps, card)
        return
    cut = endgame.Cut(card, at, f"trimmed to {at}, its account has sent what follows")

    async def write(tx: Tx) -> None:
        await endgame.write_cuts(tx, [cut], now)
        units.mark(tx, row.production, row.unit)

    try:
        await deps.store.write(write)
    except Overtaken:
        return
    endgame.note_cuts(deps, [cut])
    deps.mark(row.production, row.unit)


async def _written(
    deps: Deps, row: NewFrame, place: Place, new: Intervals, granule: int, synced: bool
) -> tuple[list[NewFrame], list[Place]]:
    """The rows of what is new, durable; a frame that is new in parts is written again in parts."""
    if new.covers(row.first, row.last):
        if not synced:
            await deps.segments.sync(place, label_of(row))
        return [row], [place]
    raw = place.held
    if raw is None:
        raw = await asyncio.to_thread(deps.segments.read, place.segment, place.offset, place.size)
    if synced:  # else a crash would bring back all of it
        await deps.segments.sync(place, NO_LABEL)
    rows, places = [], []
    for first, last in new:
        body = part_of(raw, granule, first, last)
        room = deps.segments.append(body)
        part = row._replace(
            first=first, last=last, segment=room.segment, place=room.offset, length=room.size,
            digest=hashlib.sha256(body).digest(),
        )  # fmt: skip
        await deps.segments.sync(room, label_of(part))
        rows.append(part)
        places.append(room)
    return rows, places
