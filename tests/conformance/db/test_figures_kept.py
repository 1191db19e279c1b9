"""Figures in the tables of each database: added, sampled, and asked for by those with most."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from server.db import figures
from server.db.base import Store
from server.db.choose import open_store
from server.db.figures import Sample
from server.domain.rollup import DAY, HOUR, Gauge, Kind

CONNECTED = Gauge.MACHINES_CONNECTED


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A database with all its tables."""
    opened = await open_store(url)
    yield opened
    await opened.close()


async def test_the_keys_with_most_are_found_by_their_means_and_not_by_how_often_they_were_sampled(
    store: Store,
) -> None:
    seen = [
        *[("often", 3.0)] * 5,
        ("once", 9.0),
        ("least", 1.0),
        ("like least", 1.0),
    ]
    for day in (DAY, 2 * DAY):
        for key, value in seen:
            one = Sample(CONNECTED, Kind.SITE, key, DAY, day, value)
            await store.write(partial(figures.sample, rows=[one]))
    others = [
        Sample(CONNECTED, Kind.SITE, "too early", DAY, 0, 99.0),
        Sample(CONNECTED, Kind.SITE, "too late", DAY, 3 * DAY, 99.0),
        Sample(CONNECTED, Kind.SITE, "in hours", HOUR, DAY, 99.0),
        Sample(CONNECTED, Kind.COUNTRY, "elsewhere", DAY, DAY, 99.0),
    ]
    await store.write(partial(figures.sample, rows=others))
    ask = partial(figures.gauge_keys, gauge=CONNECTED, kind=Kind.SITE, step=DAY, start=DAY)
    assert await store.read(partial(ask, end=3 * DAY, most=3)) == ["once", "often", "least"]
    assert await store.read(partial(ask, end=DAY, most=3)) == []
