"""Made-up history: it looks like a pool's, and holds against its ledgers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.db.choose import open_store
from server.db.errors import LivedIn
from server.domain.rollup import DAY, Gauge, Kind, Measure, Span
from server.services import imagine, pictures, sofar, stats, statscheck
from tests.kit.backroom import Backroom
from tests.kit.command_line import run
from tests.kit.house import house

NOW = 1_795_000_000.0


async def test_made_up_history_is_the_same_each_time_and_its_figures_hold(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        room = Backroom(tmp_path / name, now=NOW)
        await room.open()
        found.append(await imagine.history(room.store, room.safe, 30, 10, NOW))
        with pytest.raises(LivedIn):
            await imagine.history(room.store, room.safe, 30, 10, NOW)
        await room.stop()
        await room.open()  # a server that starts on it
        assert await statscheck.check(room.deps) == []
        totals = await stats.totals(room.deps)
        found.append(totals[Measure.EVENTS_SETTLED])
        found.append(totals[Measure.WALL_MS])
        assert min(totals[one] for one in (Measure.TASKS_FAILED, Measure.BYTES_RECEIVED)) > 0
        machines = await stats.series(room.deps, Gauge.MACHINES_CONNECTED, Span.WEEK)
        assert max(value for value in machines.values if value is not None) > 10
        year = await stats.series(room.deps, Measure.EVENTS_VALIDATED, Span.YEAR)
        days = [n for n, value in enumerate(year.values) if value]
        assert NOW - 11 * DAY <= year.start + days[0] * DAY <= NOW
        countries = await stats.split(room.deps, Measure.TASKS_LEASED, Span.ALL, Kind.COUNTRY)
        assert countries["CH"] > 0
        await room.stop()
    assert found[:3] == found[3:]


async def test_nothing_is_made_up_in_a_pool_where_anybody_has_been(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        folder, url = found.settings.data, found.settings.database_url
        busy = await asyncio.to_thread(run, "db", "imagine", "--data", folder)
        assert (busy.code, "Traceback" in busy.err) == (3, False), "a server runs on it"
        assert (await found.manage("POST", "/accounts", {"name": "ada"}))[0] == 201
    said = await asyncio.to_thread(run, "db", "imagine", "--data", folder)
    assert (said.code, "it has 2 accounts" in said.err) == (3, True), said
    store = await open_store(url)
    assert await store.read(lambda tx: tx.one("SELECT count(*) FROM hosts")) == (0,)
    await store.close()


async def test_no_plot_and_no_figure_of_the_statistics_is_empty_after_it(tmp_path: Path) -> None:
    async with Backroom(tmp_path, now=NOW) as room:
        await imagine.history(room.store, room.safe, 40, 45, NOW)
        await room.stop()
        await room.open()
        for plot in pictures.PLOTS:
            for span in (Span.MONTH, Span.ALL):
                found = await pictures.picture(room.deps, plot, span)
                empty = [name for name, values in found.lines if not any(values)]
                assert (bool(found.lines), empty) == (True, []), (plot.name, span)
        for one in await sofar.so_far(room.deps):
            assert one.month > 0, one.of
            assert one.ever != 0, one.of
        seen = (await stats.now(room.deps)).seen
        assert min(min(counts.values()) for counts in seen.values()) > 0
        addresses, machines = seen[Gauge.ADDRESSES_SEEN], seen[Gauge.MACHINES_SEEN]
        assert addresses["hour"] < addresses["month"] <= machines["month"]
