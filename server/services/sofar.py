"""How much there was so far in this hour, day and month, and ever (UTC); how large machines are."""

from __future__ import annotations

from dataclasses import dataclass

from server.db import figures
from server.db.base import Tx
from server.domain.picture import doublings
from server.domain.rollup import DAY, HOUR, MONTH, SEEN, Gauge, Kind, Measure, floor
from server.services.deps import Deps
from server.services.hostview import NOW_S

COUNTED = (
    Measure.EVENTS_SETTLED,
    Measure.EVENTS_RECEIVED,
    Measure.EVENTS_REJECTED,
    Measure.TASKS_DELIVERED,
    Measure.TASKS_FAILED,
    Measure.PREEMPTIONS,
    Measure.BYTES_RECEIVED,
)
"""The counters that are told."""


@dataclass(frozen=True)
class SoFar:
    """A figure of the pool in this hour, on this day, in this month and ever, which may be None."""

    of: Measure | Gauge
    hour: int
    day: int
    month: int
    ever: int | None = None


@dataclass(frozen=True)
class Sizes:
    """How many of the machines that are here have up to so many cores, and GiB of memory."""

    cores: list[tuple[float, int]]
    memory: list[tuple[float, int]]


def sizes(deps: Deps) -> Sizes:
    """The machines that are here now by size, from memory."""
    now = deps.clock()
    here = [card.facts for card in deps.registry.hosts.values() if now - card.seen_at < NOW_S]
    return Sizes(
        doublings(facts.cores for facts in here),
        doublings(facts.memory_mb / 1024 for facts in here),
    )


async def so_far(deps: Deps) -> list[SoFar]:
    """Different machines, accounts and addresses, then `COUNTED`."""
    now = deps.clock()

    async def read(tx: Tx) -> list[SoFar]:
        return [*[await _seen(tx, gauge, now) for gauge in SEEN], *await _counted(tx, now)]

    return await deps.store.read(read)


async def _seen(tx: Tx, gauge: Gauge, now: float) -> SoFar:
    """Different ones do not add up: each time has a number of its own."""
    found = []
    for step in (HOUR, DAY, MONTH):
        begin = floor(now, step)
        rows = await figures.gauge_series(tx, gauge, Kind.POOL, "", step, begin, begin + 1)
        found.append(round(rows[0][2]) if rows else 0)
    return SoFar(gauge, *found)


async def _counted(tx: Tx, now: float) -> list[SoFar]:
    hour, today = floor(now, HOUR), floor(now, DAY)
    days = await figures.months(tx, Kind.POOL, "", floor(now, MONTH), today + DAY)
    ever = await figures.totals(tx, Kind.POOL, "")
    found = []
    for measure in COUNTED:
        rows = await figures.series(tx, measure, Kind.POOL, "", HOUR, hour, hour + HOUR)
        day = sum(values[measure] for _, at, values in days if at == today)
        month = sum(values[measure] for _, _, values in days)
        found.append(SoFar(measure, sum(n for _, n in rows), day, month, ever[measure]))
    return found
