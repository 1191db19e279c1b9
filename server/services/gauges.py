"""The duty that samples the pool each minute: what there is, and who was here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

from server.db import figures, hosts
from server.db.base import Tx
from server.db.figures import Sample
from server.domain.rollup import DAY, HOUR, MINUTE, Gauge, Kind, floor
from server.services import census, stats
from server.services.census import Period
from server.services.deps import Deps

POOL_STEPS = (MINUTE, HOUR, DAY)
WORD_STEPS = (HOUR, DAY)


async def begin(deps: Deps) -> None:
    """Go on with what was counted before a restart, or forget countries if they are not wanted."""
    await deps.store.read(lambda tx: census.load(deps.census, tx, deps.safe, deps.clock()))
    if not deps.census.countries:
        await deps.store.write(hosts.forget_countries)
        for card in deps.registry.hosts.values():
            card.country = ""


async def pause(deps: Deps) -> None:
    """Until the next minute begins."""
    await asyncio.sleep(MINUTE - deps.clock() % MINUTE)


async def once(deps: Deps) -> None:
    """Take a sample of everything."""
    found = await stats.now(deps)
    over = deps.census.count(deps.registry, found.at)
    periods = [*over, *deps.census.periods.values()]
    samples = [*_pool(found), *_words(found), *_seen(periods)]

    taken = census.take(deps.census, deps.safe)

    async def write(tx: Tx) -> None:
        await figures.sample(tx, samples)
        await census.keep(tx, taken)

    try:
        await deps.store.write(write)
    except BaseException:
        census.put_back(deps.census, taken)
        raise


def _pool(now: stats.Now) -> Iterator[Sample]:
    values = {
        Gauge.MACHINES_CONNECTED: now.machines,
        Gauge.MACHINES_WORKING: now.working,
        Gauge.CORES: now.cores,
        Gauge.MEMORY_MB: now.memory_mb,
        Gauge.EVENTS_IN_HAND: now.events_in_hand,
        Gauge.EVENTS_LEASED: now.events_leased,
        Gauge.EVENTS_LEFT: now.events_left,
        Gauge.TASKS_READY: now.tasks_ready,
        Gauge.LEASES: now.leases,
        Gauge.LEASE_AGE_OLDEST_S: now.lease_age_oldest_s,
        Gauge.LEASE_AGE_MEAN_S: now.lease_age_mean_s,
    }
    for gauge, value in values.items():
        for step in POOL_STEPS:
            yield Sample(gauge, Kind.POOL, "", step, floor(now.at, step), value)


def _words(now: stats.Now) -> Iterator[Sample]:
    make = partial(Sample, Gauge.MACHINES_CONNECTED)
    for kind, words in now.by.items():
        for word, machines in words.items():
            for step in WORD_STEPS:
                yield make(kind, word, step, floor(now.at, step), machines)


def _seen(periods: list[Period]) -> Iterator[Sample]:
    for period in periods:
        for gauge, number in period.counts().items():
            yield Sample(gauge, Kind.POOL, "", period.step, period.at, number)
