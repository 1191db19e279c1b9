"""Holds the totals of the figures against the ledgers, and names all that differ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.db import rederive
from server.db.base import Tx
from server.db.rederive import KINDS, Totals
from server.domain.counted import Fact
from server.domain.rollup import Kind, Measure
from server.services.deps import Deps

_TASKS = "tasks"
_LEDGERS = {
    Measure.EVENTS_SETTLED: "units",
    Measure.EVENTS_SET_ASIDE: "units",
    Measure.EVENTS_VALIDATED: "credits",
    Measure.CREDIT_MICROS: "bookings and corrections",
    Measure.EVENTS_REJECTED: "rejections",
    Measure.EVENTS_RECOMPUTED: _TASKS,
    Measure.TASKS_LEASED: _TASKS,
    Measure.TASKS_DELIVERED: _TASKS,
    Measure.TASKS_RETURNED: _TASKS,
    Measure.TASKS_EXPIRED: _TASKS,
    Measure.TASKS_FAILED: _TASKS,
    Measure.TASKS_ABORTED: _TASKS,
    Measure.PREEMPTIONS: _TASKS,
    Measure.CPU_MS: _TASKS,
    Measure.WALL_MS: _TASKS,
}
# Frames are forgotten with their unit: what is left of them is that all ways of adding agree.
_GONE = (Measure.FRAMES, Measure.EVENTS_RECEIVED, Measure.BYTES_RECEIVED)


@dataclass(frozen=True)
class Discrepancy:
    """A total that is not what a ledger says: ``counted`` in the figures, ``derived`` from it."""

    measure: Measure
    kind: Kind
    key: str
    counted: int
    derived: int
    ledger: str


async def check(deps: Deps) -> list[Discrepancy]:
    """Derive every total anew that can be; what differs.

    All is read as of one moment, and what the figures have not counted yet is counted on top.
    """
    return await deps.store.read(_check)


async def _check(tx: Tx) -> list[Discrepancy]:
    have = await rederive.kept(tx)
    await _add(have, rederive.uncounted(tx))
    derived: Totals = {}
    for facts in (rederive.tasks(tx), rederive.books(tx), rederive.units(tx)):
        await _add(derived, facts)
    found = [
        Discrepancy(measure, *place, counted, wanted, ledger)
        for place in sorted({*have, *derived})
        for measure, ledger in _LEDGERS.items()
        if (counted := have.get(place, {}).get(measure, 0))
        != (wanted := derived.get(place, {}).get(measure, 0))
    ]
    return [
        *found,
        *await _productions(tx, have),
        *await _frames(tx, have),
        *await _failures(tx),
        *(
            Discrepancy(one.measure, one.kind, one.key, one.total, one.days, "days of the figures")
            for one in await rederive.uneven(tx)
        ),
    ]


async def _add(totals: Totals, chunks: AsyncIterator[list[Fact]]) -> None:
    async for facts in chunks:
        await asyncio.to_thread(_sum, totals, facts)


def _sum(totals: Totals, facts: list[Fact]) -> None:
    for whose, _, values in facts:
        for place in whose.kinds():
            if place[0] not in KINDS:
                continue
            sums = totals.setdefault(place, {})
            for measure, value in values.items():
                sums[measure] = sums.get(measure, 0) + value


async def _productions(tx: Tx, have: Totals) -> list[Discrepancy]:
    """What productions say of themselves."""
    measure = Measure.EVENTS_SETTLED
    return [
        Discrepancy(measure, Kind.PRODUCTION, key, counted, said, "productions")
        for key, said in (await rederive.settled(tx)).items()
        if (counted := have.get((Kind.PRODUCTION, key), {}).get(measure, 0)) != said
    ]


async def _frames(tx: Tx, have: Totals) -> list[Discrepancy]:
    """Frames of productions, hosts and accounts add up alike, to no fewer than there are."""
    found = []
    pool = have.get((Kind.POOL, ""), {})
    for measure, least in zip(_GONE, await rederive.frames_held(tx), strict=True):
        counted = pool.get(measure, 0)
        if counted < least:
            found.append(Discrepancy(measure, Kind.POOL, "", counted, least, "frames"))
        for kind in KINDS[1:]:
            total = sum(values.get(measure, 0) for (of, _), values in have.items() if of is kind)
            if total != counted:
                found.append(Discrepancy(measure, kind, "", total, counted, "figures of the pool"))
    return found


async def _failures(tx: Tx) -> list[Discrepancy]:
    have, derived = await rederive.failures(tx)
    return [
        Discrepancy(
            Measure.TASKS_FAILED, Kind.FAILURE, key, have.get(key, 0), derived.get(key, 0),
            "findings",
        )
        for key in sorted({*have, *derived})
        if have.get(key, 0) != derived.get(key, 0)
    ]  # fmt: skip
