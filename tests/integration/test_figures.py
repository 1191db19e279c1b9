"""Figures on both databases: each fact of a ledger counted once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.db import figures, ledgers
from server.db.backup import backup
from server.db.base import Tx
from server.db.restore import restore
from server.domain.rollup import DAY, HOUR, MINUTE, Kind, Measure, Span
from server.services import report, rollups, stats, statscheck
from server.services.report import Report
from server.services.statscheck import Discrepancy
from tests.integration.test_frames_recovered import put_back, work
from tests.kit.backroom import Backroom

FAILED = Report("failed", "crashed", 7.5, 9.0, "Segmentation fault\n")


@pytest.fixture
async def room(pool_url: str, tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server without doors."""
    async with Backroom(tmp_path, url=pool_url) as made:
        yield made


@pytest.fixture
async def file_room(tmp_path: Path) -> AsyncIterator[Backroom]:
    """The same on SQLite alone, for what has no SQL of its own."""
    async with Backroom(tmp_path) as made:
        yield made


async def worked(room: Backroom) -> tuple[int, list[int]]:
    """A production of 300 events computed twice; one lease failed, one ran out half done."""
    production = await room.produce(events=300, unit=300, quorum=2)
    hosts = [await room.join(name, name) for name in ("ada", "bob", "eve")]
    [failed] = await room.ask(hosts[0])
    room.now += 10
    await room.end(failed, "fail", FAILED)
    [lost] = await room.ask(hosts[2])
    await room.send(lost, lost.row.first, lost.row.first + 1)
    lost.done = 3
    room.now += 100
    await room.end(lost, "expire")
    room.now += 600
    report.forgive(room.deps)
    await room.judge()
    for host in hosts[:2] * 4:
        while given := await room.ask(host):
            for card in given:
                await room.send(card, card.row.first, card.row.last)
                await room.end(card, "deliver", replace(FAILED, outcome="delivered", reason=""))
        await room.judge()
    await room.output(production, 1)
    return production, hosts


async def kept(room: Backroom) -> dict[str, int]:
    """The totals of the pool that are not zero."""
    found = await stats.totals(room.deps)
    return {str(measure): value for measure, value in found.items() if value}


async def test_every_fact_is_counted_once_and_the_ledgers_say_the_same(room: Backroom) -> None:
    production, hosts = await worked(room)
    assert await statscheck.check(room.deps) == []  # what is not counted yet counts as well
    assert "events_settled" not in await kept(room)
    await rollups.once(room.deps)
    first = await kept(room)
    assert first["events_settled"] == 300
    assert first["events_validated"] == 600
    assert (first["tasks_failed"], first["tasks_expired"], first["preemptions"]) == (1, 1, 1)
    assert first["events_recomputed"] == 2
    assert first["events_received"] == 600
    assert min(first["frames"], first["bytes_received"], first["credit_micros"]) > 0
    assert first["cpu_ms"] >= 7500
    assert first["wall_ms"] >= 100_000
    assert await statscheck.check(room.deps) == []
    assert await rollups.once(room.deps) == 0
    assert await kept(room) == first
    assert await stats.total(room.deps, Measure.EVENTS_VALIDATED, Kind.HOST, str(hosts[0])) == 300
    assert (
        await stats.total(room.deps, Measure.EVENTS_SETTLED, Kind.PRODUCTION, str(production))
        == 300
    )


async def test_a_restart_in_the_middle_counts_nothing_twice(
    file_room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "MOST", 2)
    await worked(file_room)
    for source, read in ledgers.SOURCES.items():
        await rollups.count_some(file_room.store, source, read, file_room.now, 2)
    await file_room.stop()
    await file_room.open()
    assert await statscheck.check(file_room.deps) == []
    await rollups.once(file_room.deps)
    assert await statscheck.check(file_room.deps) == []
    assert (await kept(file_room))["events_settled"] == 300


async def test_a_batch_that_is_rolled_back_leaves_figures_and_marks_as_they_were(
    file_room: Backroom,
) -> None:
    await worked(file_room)

    async def spoil(tx: Tx) -> None:
        await tx.run("INSERT INTO no_such_table (x) VALUES (1)")

    count = rollups.once(file_room.deps)
    with pytest.raises(Exception, match="no_such_table"):
        await file_room.deps.store.write(spoil)
    await count
    assert await statscheck.check(file_room.deps) == []


async def test_frames_that_go_before_they_are_counted_are_counted(room: Backroom) -> None:
    production = await room.produce(events=300, unit=300, quorum=1)
    host = await room.join("ada", "ada")
    [card] = await room.ask(host)
    middle = card.row.first + 10
    await room.send(card, card.row.first, middle)
    await rollups.once(room.deps)
    assert (await kept(room))["events_received"] == 10
    await room.send(card, middle, card.row.last)
    await room.end(card, "deliver")
    while given := await room.ask(host):
        for more in given:
            await room.send(more, more.row.first, more.row.last)
            await room.end(more, "deliver")
    await room.judge()  # the unit is written, and its frames are forgotten
    assert not await room.deps.store.read(lambda tx: tx.all("SELECT id FROM frames"))
    assert (await kept(room))["events_received"] == 300
    # SQLite gives the ids again that were deleted last: new frames are no old ones.
    await room.produce(name="second", events=300, unit=300, quorum=1)
    [card] = await room.ask(host)
    await room.send(card, card.row.first, card.row.last)
    await rollups.once(room.deps)
    assert (await kept(room))["events_received"] == 300 + card.row.last - card.row.first
    assert await statscheck.check(room.deps) == []
    assert production


async def test_what_was_altered_is_named(room: Backroom) -> None:
    production, hosts = await worked(room)
    await rollups.once(room.deps)

    async def alter(tx: Tx) -> None:
        await tx.run("UPDATE figures SET tasks_failed = tasks_failed + 1 WHERE kind = 'pool'")
        await tx.run("UPDATE credits SET last = last - 1 WHERE host = $1 AND first = 0", hosts[0])
        await tx.run("UPDATE productions SET events_settled = 299 WHERE id = $1", production)
        await tx.run("UPDATE figures SET frames = frames - 1 WHERE kind = 'host' AND step = 0")
        await tx.run("DELETE FROM findings")

    await room.deps.store.write(alter)
    found = await statscheck.check(room.deps)
    said = {(str(one.measure), str(one.kind), one.ledger) for one in found}
    assert {
        ("tasks_failed", "pool", "tasks"),
        ("events_validated", "host", "credits"),
        ("events_validated", "pool", "credits"),
        ("events_settled", "production", "productions"),
        ("frames", "host", "figures of the pool"),
        ("frames", "host", "days of the figures"),
    } <= said
    [one] = [o for o in found if (o.measure, o.ledger) == (Measure.EVENTS_SETTLED, "productions")]
    assert one == Discrepancy(
        Measure.EVENTS_SETTLED, Kind.PRODUCTION, str(production), 300, 299, "productions"
    )


async def test_a_series_has_each_fact_in_its_minute(room: Backroom) -> None:
    _, hosts = await worked(room)
    await rollups.once(room.deps)
    hour = await stats.series(room.deps, Measure.TASKS_FAILED, Span.HOUR)
    assert (hour.step_s, len(hour.values), sum(v or 0 for v in hour.values)) == (60, 60, 1)
    [place] = [n for n, value in enumerate(hour.values) if value]
    assert hour.start + place * 60 <= room.now - 700 < hour.start + (place + 1) * 60
    for span in Span:
        one = await stats.series(
            room.deps, Measure.EVENTS_VALIDATED, span, Kind.HOST, str(hosts[0])
        )
        assert sum(v or 0 for v in one.values) == 300, span
        by = await stats.split(room.deps, Measure.EVENTS_VALIDATED, span, Kind.HOST)
        assert by == {str(hosts[0]): 300, str(hosts[1]): 299, str(hosts[2]): 1}, span


async def rows(room: Backroom) -> list[Any]:
    """How many rows of figures each kind has in each step."""
    return await room.deps.store.read(
        lambda tx: tx.all("SELECT kind, step, count(*) FROM figures GROUP BY kind, step")
    )


async def test_old_rows_go_and_days_of_hosts_become_months_with_the_same_total(
    room: Backroom,
) -> None:
    _, hosts = await worked(room)
    await rollups.once(room.deps)
    before = await kept(room)
    room.now += 500 * DAY
    await rollups.thin(room.store, room.now)
    steps = {(row[0], row[1]) for row in await rows(room)}
    assert not any(step in (MINUTE, HOUR) for _, step in steps)
    assert ("host", DAY) not in steps
    assert ("pool", DAY) in steps
    assert await kept(room) == before
    assert await statscheck.check(room.deps) == []
    key = str(hosts[0])
    whole = await stats.series(room.deps, Measure.EVENTS_VALIDATED, Span.ALL, Kind.HOST, key)
    assert sum(v or 0 for v in whole.values) == 300
    [month] = await stats.months(room.deps, Kind.HOST, key)
    assert month.values[Measure.EVENTS_VALIDATED] == 300


async def test_marks_of_another_time_are_found_by_the_check(file_room: Backroom) -> None:
    await worked(file_room)
    await rollups.once(file_room.deps)
    await file_room.deps.store.write(lambda tx: figures.mark(tx, "moves", 3, 0.0))
    assert await statscheck.check(file_room.deps)


async def backed_up(room: Backroom) -> tuple[str, Path]:
    """Make a backup; where the database is, and the backup."""
    await room.rows("SELECT 1")  # what waits for its row has it
    url, file = f"sqlite:///{room.folder / 'windfall.db'}", room.folder / "backup.db"
    await asyncio.to_thread(backup, url, file)
    return url, file


async def test_figures_hold_after_a_backup_is_put_back(file_room: Backroom) -> None:
    room = file_room
    production = await room.produce(name="before", events=300, unit=300, quorum=1)
    host = await room.join("cat", "cat")
    [card] = await room.ask(host)
    await room.send(card, card.row.first, card.row.first + 5)
    await rollups.once(room.deps)
    await room.send(card, card.row.first + 5, card.row.first + 9)
    url, file = await backed_up(room)
    await room.end(card, "give-back")
    await worked(room)
    await rollups.once(room.deps)
    await room.stop()
    # The bytes are lost as well: they count no more, since they are to come again.
    await asyncio.to_thread(shutil.rmtree, room.folder / "segments")
    await asyncio.to_thread(restore, url, file, {})
    await room.open()
    assert await statscheck.check(room.deps) == []
    await rollups.once(room.deps)
    assert await statscheck.check(room.deps) == []
    found = await kept(room)
    assert found == {"tasks_leased": 1}
    assert production


@pytest.mark.parametrize("kept_bytes", [True, False], ids=["bytes-there", "bytes-gone"])
async def test_each_frame_counts_once_after_an_old_backup_though_hosts_send_it_again(
    file_room: Backroom, kept_bytes: bool
) -> None:
    room = file_room
    production = await room.produce(events=900, unit=300)
    hosts = [await room.join(name, name) for name in ("ada", "bob")]
    for host in hosts:
        room.host(host).speeds[production] = 0.001
    [begun] = await room.ask(hosts[0])
    await room.send(begun, begun.row.first, begun.row.first + 10)
    await rollups.once(room.deps)
    await room.send(begun, begun.row.first + 10, begun.row.first + 20)
    _, file = await backed_up(room)
    await room.send(begun, begun.row.first + 20, begun.row.last)
    await room.end(begun, "deliver")
    await work(room, hosts[:1])  # half of all; nothing is settled without the other's
    await rollups.once(room.deps)
    if not kept_bytes:
        await asyncio.to_thread(shutil.rmtree, room.folder / "segments")
    await put_back(room, file)
    assert await statscheck.check(room.deps) == []
    again = room.deps.registry.tasks[begun.row.id]
    await room.send(again, again.row.first, again.row.last)
    await room.end(again, "deliver")
    await work(room, hosts)
    await rollups.once(room.deps)
    assert await statscheck.check(room.deps) == []
    found = await kept(room)
    assert (found["events_settled"], found["events_received"]) == (900, 1800)
    days = await stats.series(room.deps, Measure.EVENTS_RECEIVED, Span.ALL)
    assert sum(value or 0 for value in days.values) == 1800


async def test_frames_whose_bytes_are_damaged_count_when_they_come_again(room: Backroom) -> None:
    production = await room.produce(events=100, unit=100)
    hosts = [await room.join(name, name) for name in ("ada", "bob", "eve")]
    for host in hosts:
        room.host(host).speeds[production] = 0.001
    [card] = await room.ask(hosts[0])
    middle = card.row.first + 10
    await room.send(card, card.row.first, middle)
    await rollups.once(room.deps)  # one of them is counted, and one is not
    await room.send(card, middle, card.row.last)
    assert (await kept(room))["events_received"] == 10
    for number, place, length in await room.rows("SELECT segment, place, length FROM frames"):
        with (room.folder / "segments" / f"{number:08d}.seg").open("r+b") as file:
            file.seek(place + length - 5)
            file.write(b"dirty")
    await room.end(card, "deliver")
    await work(room, hosts[1:])
    await rollups.once(room.deps)
    assert await statscheck.check(room.deps) == []
    found = await kept(room)
    assert (found["events_settled"], found["events_received"]) == (100, 200)
    assert await stats.total(room.deps, Measure.FRAMES, Kind.HOST, str(hosts[0])) == 0
