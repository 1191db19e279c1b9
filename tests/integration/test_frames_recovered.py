"""A frame that was acknowledged is there after a crash, whether its row was written or not."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.blobs.segments import Found, Segments
from server.db import segments
from server.services import framelog, reap
from server.services.cards import TaskCard
from tests.kit.backroom import Backroom, SpoiltBatch

FRAMES = "SELECT task, first, last FROM frames ORDER BY task, first"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Backroom]:
    """A server that nobody writes rows for unless somebody asks."""
    made = Backroom(tmp_path)
    await made.open()
    yield made
    await made.stop()


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


async def test_a_database_set_back_takes_what_it_knows_the_task_of(room: Backroom) -> None:
    [known] = await leased(room, "ada")
    await room.stop()
    shutil.copy(room.folder / "windfall.db", room.folder / "backup.db")
    await room.open()
    known = room.deps.registry.tasks[known.row.id]
    await room.send(known, known.row.first, known.row.first + 30)
    [unknown] = await leased(room, "bob")
    await room.send(unknown, unknown.row.first, unknown.row.first + 30)
    assert len(await room.rows(FRAMES)) == 2
    await room.stop()
    shutil.move(room.folder / "backup.db", room.folder / "windfall.db")
    await room.open()
    assert await room.rows(FRAMES) == [(known.row.id, known.row.first, known.row.first + 30)]


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
