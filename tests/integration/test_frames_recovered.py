"""A frame that was acknowledged is there after a crash, whether its row was written or not."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from server.blobs.segments import Found, Segments
from server.db import segments
from server.db.restore import restore
from server.domain import sizing
from server.domain.rollup import Measure
from server.services import framelog, reap, refill, report, rollups, stats, statscheck
from server.services.cards import TaskCard
from tests.kit.backroom import MANIFEST, Backroom, SpoiltBatch

FRAMES = "SELECT task, first, last FROM frames ORDER BY task, first"


async def leased(room: Backroom, *accounts: str) -> list[TaskCard]:
    """A lease of the whole first unit for a host of each account."""
    if not room.deps.registry.productions:
        await room.produce(events=600, unit=300)
    found = []
    for name in accounts:
        host = await room.join(name, name)
        room.host(host).speeds[1] = 0.001
        found += await room.ask(host)
    return found


async def crash(room: Backroom) -> None:
    """What is only in memory is gone."""
    await room.stop()
    await room.open()


async def test_frames_without_rows_are_found_again(room: Backroom) -> None:
    [task] = await leased(room, "ada")
    row = task.row
    await room.send(task, row.first, row.first + 10)
    await room.rows("SELECT 1")
    await room.send(task, row.first + 10, row.first + 30)
    await room.send(task, row.first + 50, row.first + 60)
    assert len(room.deps.frames) == 2
    await crash(room)
    held = room.deps.registry.tasks[row.id].held
    assert list(held) == [(row.first, row.first + 30), (row.first + 50, row.first + 60)]
    assert len(await room.rows(FRAMES)) == 3


async def test_no_row_is_made_twice_and_a_closed_segment_is_not_read_again(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task] = await leased(room, "ada")
    row = task.row
    await room.send(task, row.first, row.first + 10)
    await crash(room)
    await crash(room)
    assert await room.rows(FRAMES) == [(row.id, row.first, row.first + 10)]
    task = room.deps.registry.tasks[row.id]
    await room.send(task, row.first + 10, row.first + 20)
    number = max(room.deps.segments.numbers())
    await framelog.close_segments(room.deps)
    await room.stop()
    read: list[int] = []
    real = Segments.scan

    def scan(kept: Segments, segment: int) -> list[Found]:
        read.append(segment)
        return real(kept, segment)

    monkeypatch.setattr(Segments, "scan", scan)
    await room.open()
    assert min(read) <= number, "the one written to last is not closed"
    await crash(room)
    assert len(read) == len(set(read))
    assert len(await room.rows(FRAMES)) == 2


async def test_what_is_settled_or_damaged_does_not_come_back(room: Backroom) -> None:
    first, settled = await leased(room, "ada", "bob"), []
    while first:
        for task in first:
            await room.send(task, task.row.first, task.row.last)
            await room.end(task, "deliver")
        await room.judge()
        settled = await room.rows("SELECT number FROM units WHERE state = 'settled'")
        first = [] if settled else await room.ask(1) + await room.ask(2)
    [late] = await leased(room, "cid")
    await room.send(late, late.row.first, late.row.first + 10)
    await room.send(late, late.row.first + 10, late.row.first + 20)
    last = room.deps.segments.scan(1)[-1]
    await room.rows(FRAMES)
    await room.deps.store.write(lambda tx: tx.run("DELETE FROM frames"))
    await room.stop()
    with (room.folder / "segments" / "00000001.seg").open("r+b") as file:
        file.seek(last.offset + last.size - 3)
        file.write(b"dirt")
    await room.open()
    found = await room.rows(FRAMES)
    assert (0,) in settled
    assert all(start >= 300 for _, start, _ in found), "the first unit is settled"
    mine = [(start, end) for task, start, end in found if task == late.row.id]
    assert mine == [(late.row.first, late.row.first + 10)]


async def test_a_lease_whose_unit_settled_before_a_crash_is_not_asked_for_its_events_again(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "FIRST_EVENTS", 300)
    one, two = await leased(room, "ada", "bob")
    for task in (one, two):
        await room.send(task, task.row.first, task.row.last)
    await room.end(two, "deliver")  # the other's word of its end is on its way

    async def too_late(_: object) -> None:
        """It dies before this."""

    with monkeypatch.context() as patch:
        patch.setattr(reap, "relieve", too_late)
        await room.judge()
    assert await room.rows("SELECT state FROM units WHERE number = 0") == [("settled",)]
    assert await room.rows(FRAMES) == []
    await crash(room)
    told = await report.task_state(room.deps, room.host(one.row.host or 0), one.row.id)
    assert list(told.held) == [(one.row.first, one.row.last)]
    await reap.relieve(room.deps)
    assert await room.rows("SELECT state FROM tasks WHERE id = $1", one.row.id) == [("delivered",)]


async def work(room: Backroom, hosts: list[int]) -> int:
    """Everybody asks, sends and delivers until there is nothing more to do; events that it took."""
    made, given = 0, True
    while given:
        given = False
        for host in hosts:
            for task in await room.ask(host, 4):
                made, given = made + task.row.last - task.row.first, True
                await room.send(task, task.row.first, task.row.last)
                await room.end(task, "deliver")
        await room.judge()
    return made


async def put_back(room: Backroom, backup: Path) -> None:
    """The server is killed, its database put back as by `windfall db restore`, and started."""
    await room.stop()
    sizes = {int(p.stem): p.stat().st_size for p in (room.folder / "segments").glob("*.seg")}
    url = f"sqlite:///{room.folder / 'windfall.db'}"
    await asyncio.to_thread(restore, url, backup, sizes)
    await room.open()


async def test_nothing_that_lies_in_the_segments_is_computed_again_after_an_old_backup(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refill, "UNROLL", 1)  # most units are not in the backup at all
    production = await room.produce(events=1200, unit=300)
    hosts = [await room.join(name, name) for name in ("ada", "bob")]
    for host in hosts:
        room.host(host).speeds[production] = 0.001
    [begun] = await room.ask(hosts[0])
    await room.send(begun, begun.row.first, begun.row.first + 10)
    await room.stop()
    shutil.copy(room.folder / "windfall.db", room.folder / "backup.db")
    await room.open()
    begun = room.deps.registry.tasks[begun.row.id]
    await room.send(begun, begun.row.first + 10, begun.row.last)
    await room.end(begun, "deliver")
    left = 2 * 1200 - (begun.row.last - begun.row.first)
    assert await work(room, hosts) == left
    output = await room.output(production, 4)
    highest = await room.rows("SELECT max(id) FROM tasks")
    await put_back(room, room.folder / "backup.db")
    again = room.deps.registry.tasks[begun.row.id]
    assert again.held.covers(again.row.first, again.row.last), "its task was in the backup"
    await room.end(again, "deliver")
    await room.judge()
    assert await work(room, hosts) == 0
    assert await room.output(production, 4) == output
    twice = await room.rows(
        "SELECT count(*) FROM tasks AS a JOIN tasks AS b ON a.id < b.id AND a.account = b.account"
        " AND a.production = b.production AND a.first < b.last AND b.first < a.last"
    )
    assert twice == [(0,)]
    assert room.deps.registry.next_task() > highest[0][0] + 1000


async def test_only_frames_of_hosts_and_classes_that_are_known_are_made_tasks_of(
    room: Backroom,
) -> None:
    production = await room.produce(events=600, unit=300, reference=10)
    ada = await room.join("ada", "ada", "glibc")
    bob = await room.join("bob", "bob")
    await room.stop()
    shutil.copy(room.folder / "windfall.db", room.folder / "backup.db")
    await room.open()
    cid = await room.join("cid", "cid", "glibc")
    await report.classify(room.deps, room.host(bob), MANIFEST, "glibc", 0.0)
    for host in (ada, bob, cid):
        room.host(host).speeds[production] = 0.001
        [task] = await room.ask(host)
        await room.send(task, task.row.first, task.row.last)
    assert len(await room.rows(FRAMES)) == 3
    await put_back(room, room.folder / "backup.db")
    assert await room.rows("SELECT DISTINCT host FROM frames") == [(ada,)]
    assert await room.rows("SELECT class FROM units WHERE class IS NOT NULL") == [("glibc",)]


async def test_a_batch_that_is_rolled_back_loses_no_row(room: Backroom) -> None:
    [task] = await leased(room, "ada")
    await room.send(task, task.row.first, task.row.first + 10)
    with pytest.raises(SpoiltBatch):
        await room.spoil()
    assert len(room.deps.frames) == 1
    assert len(await room.rows(FRAMES)) == 1
    assert len(room.deps.frames) == 0


async def test_a_lease_that_ends_while_frames_wait_counts_them(room: Backroom) -> None:
    [task] = await leased(room, "ada")
    await room.send(task, task.row.first, task.row.first + 10)
    await room.end(task, "give-back")
    assert await room.rows("SELECT held FROM tasks WHERE id = $1", task.row.id) == [(10,)]
    assert len(room.deps.frames) == 0, "its end was written behind them"
    await room.judge()
    assert len(await room.rows(FRAMES)) == 1


async def test_if_no_transaction_succeeds_no_more_is_acknowledged(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    [task] = await leased(room, "ada")
    monkeypatch.setattr(framelog, "MOST", 1)
    await room.send(task, task.row.first, task.row.first + 10)

    async def fails() -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(room.store.writer, "commit", fails)  # type: ignore[attr-defined]
        with pytest.raises(OSError, match="the disk is gone"):
            await room.send(task, task.row.first + 10, task.row.first + 20)
    await room.send(task, task.row.first + 10, task.row.first + 20)
    assert len(await room.rows(FRAMES)) == 2


async def test_a_segment_is_held_to_be_closed_no_more_before_its_file_goes(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be given again: held to be closed, the new one would not be looked through."""
    [task] = await leased(room, "ada")
    await room.send(task, task.row.first, task.row.first + 10)
    await crash(room)
    await room.store.write(lambda tx: tx.run("DELETE FROM frames"))
    seen: list[tuple[int, list[tuple[int]]]] = []
    real = Segments.release

    def release(kept: Segments, segment: int) -> bool:
        with contextlib.closing(sqlite3.connect(room.folder / "windfall.db")) as found:
            seen.append((segment, found.execute("SELECT number FROM segments_closed").fetchall()))
        return real(kept, segment)

    monkeypatch.setattr(Segments, "release", release)
    assert await room.rows("SELECT number FROM segments_closed") == [(1,)]
    assert await reap.free_segments(room.deps) == []
    assert await reap.free_segments(room.deps) == [1]
    assert seen == [(1, [])]


async def test_a_number_that_is_given_again_is_not_held_to_be_closed(room: Backroom) -> None:
    [task] = await leased(room, "ada")
    await room.store.write(lambda tx: segments.close(tx, range(1, 20)))
    await crash(room)
    await room.send(task, task.row.first, task.row.first + 10)
    await crash(room)
    assert await room.rows(FRAMES) == [(task.row.id, task.row.first, task.row.first + 10)]


async def test_a_frame_at_the_place_of_one_from_before_the_backup_is_found_again(
    room: Backroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments that went give their numbers to new ones, and the first frame of each lies alike."""
    monkeypatch.setattr(sizing, "FIRST_EVENTS", 300)
    production = await room.produce(events=600, unit=300, quorum=1)
    ada, bob = [await room.join(name, name) for name in ("ada", "bob")]
    room.host(ada).speeds[production] = room.host(bob).speeds[production] = 0.001
    [first] = await room.ask(ada)
    await room.send(first, first.row.first, first.row.last)
    assert first.row.unit == 0
    await rollups.once(room.deps)
    await room.stop()
    shutil.copy(room.folder / "windfall.db", room.folder / "backup.db")
    await room.open()
    await room.end(room.deps.registry.tasks[first.row.id], "deliver")
    await room.judge()
    assert await room.rows("SELECT state FROM units WHERE number = 0") == [("settled",)]
    await crash(room)
    await reap.free_segments(room.deps)
    assert await reap.free_segments(room.deps) != []
    await crash(room)
    [task] = await room.ask(bob)
    await room.send(task, task.row.first, task.row.last)
    [(segment, place)] = await room.rows("SELECT segment, place FROM frames")
    await put_back(room, room.folder / "backup.db")
    assert (segment, place) in await room.rows("SELECT segment, place FROM frames")
    assert await room.rows(FRAMES) == [(task.row.id, task.row.first, task.row.last)]
    again = room.deps.registry.tasks[first.row.id]
    assert not again.held, "its bytes are gone, whatever lies there now"
    await room.send(again, again.row.first, again.row.last)
    await room.end(again, "deliver")
    await room.judge()
    assert await work(room, [ada, bob]) == 0
    await rollups.once(room.deps)
    assert await statscheck.check(room.deps) == []
    for measure in (Measure.EVENTS_RECEIVED, Measure.EVENTS_SETTLED):
        assert await stats.total(room.deps, measure) == 600
