"""The pool sampled each minute, and who was here, counted without keeping addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.countries import table
from server.db import figures
from server.domain.rollup import DAY, HOUR, MONTH, Gauge, Kind, Measure, Span
from server.services import census, gauges, rollups, stats
from server.services.safe import Safe
from server.services.stats import OTHER, WORDS_MOST
from tests.kit.backroom import Backroom

CERN, ELSEWHERE = "137.138.1.1", "2001:1458:d00::7"
SAFE = Safe([b"k" * 32])


async def opened(folder: Path, url: str = "", countries: bool = True) -> Backroom:
    """A server without doors that looks countries up, or does not."""
    made = Backroom(folder, url=url, now=1_700_000_000.0 - 1_700_000_000.0 % HOUR + 90)
    made.safe = SAFE
    made.census = lambda: census.Census(True, countries, table(countries))
    await made.open()
    return made


@pytest.fixture
async def room(pool_url: str, tmp_path: Path) -> AsyncIterator[Backroom]:
    """Such a server."""
    made = await opened(tmp_path, pool_url)
    yield made
    await made.stop()


async def seen(room: Backroom, gauge: Gauge) -> list[int]:
    """How many different ones the rows of a gauge say there were, each hour."""
    found = await stats.series(room.deps, gauge, Span.DAY)
    return [int(value) for value in found.values if value is not None]


async def test_a_minute_is_sampled_and_drawn_with_its_extremes(room: Backroom) -> None:
    await room.produce(events=300, unit=300, quorum=1)
    host = await room.join("ada", "ada")
    await gauges.once(room.deps)
    [card] = await room.ask(host)
    await room.send(card, card.row.first, card.row.first + 2)
    room.now += 20
    await gauges.once(room.deps)
    found = await stats.series(room.deps, Gauge.LEASES, Span.HOUR)
    assert (found.values[-1], found.low[-1], found.high[-1]) == (0.5, 0.0, 1.0)
    now = await stats.now(room.deps)
    assert (now.machines, now.working, now.cores, now.leases) == (1, 1, 4, 1)
    assert (now.lease_age_oldest_s, now.events_in_hand) == (20.0, 2)
    assert now.events_leased == card.row.last - card.row.first - 2
    assert now.by[Kind.STATE] == {"working": 1}
    assert now.by[Kind.MACHINE] == {"volunteer": 1}
    assert await stats.split(room.deps, Gauge.MACHINES_CONNECTED, Span.DAY, Kind.MACHINE) == {
        "volunteer": 1
    }


async def test_different_ones_are_counted_over_a_restart_and_anew_each_hour(
    room: Backroom,
) -> None:
    hosts = [await room.join(name, name) for name in ("ada", "bob", "cat")]
    for host in hosts[:2]:
        room.deps.census.came(room.host(host), CERN)
    await gauges.once(room.deps)
    first = room.deps.census.periods[HOUR].salt
    await room.stop()
    await room.open()
    assert room.deps.census.periods[HOUR].salt == first
    for host in hosts:
        room.deps.census.came(room.host(host), CERN)
    room.deps.census.came(room.host(hosts[2]), ELSEWHERE)
    room.deps.census.came(room.host(hosts[2]), ELSEWHERE.replace("::7", "::8"))
    await gauges.once(room.deps)
    assert await seen(room, Gauge.MACHINES_SEEN) == [3]
    assert await seen(room, Gauge.ACCOUNTS_SEEN) == [3]
    assert await seen(room, Gauge.ADDRESSES_SEEN) == [2]
    room.now += HOUR
    room.host(hosts[0]).seen_at = room.now
    await gauges.once(room.deps)
    assert await seen(room, Gauge.MACHINES_SEEN) == [3, 1]
    assert await seen(room, Gauge.ADDRESSES_SEEN) == [2, 0]
    assert room.deps.census.periods[HOUR].salt != first
    assert {step: len(one.machines) for step, one in room.deps.census.periods.items()} == {
        HOUR: 1, DAY: 3, MONTH: 3,
    }  # fmt: skip
    rows = await room.rows("SELECT salt FROM sketches WHERE step = $1", HOUR)
    assert [SAFE.open(row[0], census.ADDRESSES) for row in rows] == [
        room.deps.census.periods[HOUR].salt
    ]


def named_in(folder: Path, text: str) -> list[Path]:
    """The files of a database that name something."""
    return [file for file in folder.rglob("windfall.db*") if text.encode() in file.read_bytes()]


async def test_a_country_is_kept_and_no_address_is_anywhere(tmp_path: Path) -> None:
    room = await opened(tmp_path)
    host = await room.join("ada", "ada")
    room.deps.census.came(room.host(host), "127.0.0.1")
    assert room.host(host).country == ""
    room.deps.census.came(room.host(host), CERN)
    await gauges.once(room.deps)
    await room.stop()
    assert not named_in(tmp_path, CERN)
    await room.open()
    assert room.host(host).country == "CH"
    await room.produce(events=300, unit=300, quorum=1)
    await room.ask(host)
    await rollups.once(room.deps)
    found = await stats.series(room.deps, Measure.TASKS_LEASED, Span.WEEK, Kind.COUNTRY, "CH")
    assert sum(value or 0 for value in found.values) == 1
    await room.stop()
    room.census = lambda: census.Census(True, False)
    await room.open()
    assert room.host(host).country == ""
    assert await room.rows("SELECT country FROM hosts") == [("",)]
    room.deps.census.came(room.host(host), CERN)
    assert room.host(host).country == ""
    await room.stop()


async def test_hosts_can_not_fill_the_tables_with_words(tmp_path: Path) -> None:
    room = await opened(tmp_path)
    first = room.host(await room.join("ada", "ada"))
    for number in range(2 * WORDS_MOST):
        copy = room.deps.registry.hosts[1000 + number] = type(first)(
            1000 + number, 1, "ada", f"h{number}", first.facts, room.now, f"agent-{number}"
        )
        copy.system = f"system-{number}"
    await gauges.once(room.deps)
    for kind in (Kind.AGENT, Kind.IMAGE):
        rows = await room.rows("SELECT DISTINCT key FROM gauges WHERE kind = $1", str(kind))
        assert len(rows) == WORDS_MOST + 1
        assert (OTHER,) in rows
    assert sum((await stats.now(room.deps)).by[Kind.AGENT].values()) == 2 * WORDS_MOST + 1
    await room.stop()


async def test_a_sample_that_can_not_be_written_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await opened(tmp_path)
    host = await room.join("ada", "ada")
    room.deps.census.came(room.host(host), CERN)

    async def broken(*args: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(figures, "sample", broken)
        with pytest.raises(OSError, match="no space"):
            await gauges.once(room.deps)
    await gauges.once(room.deps)
    assert await room.rows("SELECT country FROM hosts") == [("CH",)]
    assert await seen(room, Gauge.ADDRESSES_SEEN) == [1]
    await room.stop()
