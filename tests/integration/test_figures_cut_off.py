"""Figures on PostgreSQL, whose connection breaks at one commit after the other that counts."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.db import ledgers
from server.db.errors import StoreLost
from server.services import rollups, statscheck
from tests.integration.test_figures import kept, worked
from tests.kit.backroom import Backroom
from tests.kit.pg_proxy import Cut, Proxy
from tests.kit.postgres import Postgres

pytestmark = pytest.mark.postgres


@pytest.fixture
async def room(postgres_server: Postgres, proxy: Proxy, tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors that reaches its database through the proxy."""
    url = postgres_server.new_pool().replace(str(postgres_server.folder), str(tmp_path))
    made = Backroom(tmp_path, url=url)
    await made.open()
    yield made
    await made.stop()


async def test_every_fact_is_counted_once_whichever_commit_the_connection_breaks_at(
    room: Backroom, proxy: Proxy
) -> None:
    await worked(room)
    # The second commit is that of the next rows, unless counting some takes two.
    cuts = itertools.product((0, 1), (Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT))
    plans = itertools.cycle(cuts)
    for source, read in ledgers.SOURCES.items():
        found = 1
        while found:
            proxy.spared, proxy.cut = next(plans)
            try:
                found = await rollups.count_some(room.store, source, read, room.now, 2)
            except StoreLost:
                assert proxy.cuts < 200, f"{source} is not counted to its end"
    proxy.cut = Cut.NEVER
    assert proxy.cuts > 10
    assert await rollups.once(room.deps) == 0
    assert await statscheck.check(room.deps) == []
    totals = await kept(room)
    assert (totals["events_settled"], totals["events_received"]) == (300, 600)
