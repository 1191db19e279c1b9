"""The duties that fill the figures: they read on in the ledgers from where they were left.

What is counted and how far it was read are written in one transaction, so whenever the server is
killed, every row of a ledger is counted once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from server.db import figures, findings, ledgers
from server.db.base import Store, Tx
from server.db.ledgers import Read
from server.domain.counted import tallied
from server.domain.rollup import DAY, KEPT_S, MANY, MANY_KEPT_S, MONTH, floor
from server.services import duties
from server.services.deps import Deps

MOST = 500  # rows of a ledger that are counted at a time: some 10 ms of the loop
BREATH_S = 0.005  # between two of them, so that requests go first


async def begin(deps: Deps) -> None:
    """Before anything is written: count what is not read on from a mark."""
    await deps.store.write(lambda tx: findings.count_all(tx, deps.clock()))


async def once(deps: Deps) -> int:
    """Count all that is in the ledgers and not counted; how many rows."""
    return await count_all(deps.store, deps.clock(), MOST, lambda: duties.hush(deps))


async def _at_once() -> None:
    """Nobody has to go first."""


async def count_all(
    store: Store, now: float, most: int, before: Callable[[], Awaitable[None]] = _at_once
) -> int:
    """Count every ledger to its end, so many rows at a time; how many rows in all."""
    done = 0
    for source, read in ledgers.SOURCES.items():
        while True:
            await before()
            found = await count_some(store, source, read, now, most)
            done += found
            if found < most:
                break
            await asyncio.sleep(BREATH_S)
    return done


async def count_some(store: Store, source: str, read: Read, now: float, most: int) -> int:
    """Count the next rows of a ledger; how many these were."""

    async def write(tx: Tx) -> int:
        after = (await figures.marks(tx)).get(source, 0)
        chunk = await read(tx, after, most)
        if not chunk.last:
            return 0
        await figures.add(tx, tallied(chunk.facts, now).rows)
        await figures.mark(tx, source, chunk.last, now)
        return chunk.rows

    return await store.write(write)


async def thin(store: Store, now: float) -> None:
    """Delete minutes and hours that are over, and make months of old days of what is many."""
    for step, kept in KEPT_S.items():
        await store.write(partial(figures.thin, step=step, before=floor(now - kept, step)))
    end = floor(now - MANY_KEPT_S, MONTH)
    for kind in MANY:
        oldest = partial(figures.oldest, kind=kind, step=DAY, before=end)
        while (at := await store.read(oldest)) is not None:
            fold = partial(figures.fold, kind=kind, start=at, end=at + DAY, month=floor(at, MONTH))
            await store.write(fold)
            await asyncio.sleep(BREATH_S)
