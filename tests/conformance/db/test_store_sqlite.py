"""What only the store in a file has: a log that is kept short, locks of others, threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from server.db import sqlite
from server.db.base import Tx
from server.db.errors import StoreLocked
from server.db.sqlite import SqliteStore
from tests.conformance.db.notes import note


async def test_a_lock_of_another_program_is_waited_for_while_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "locked.db"
    store = SqliteStore(path)
    await store.write(
        lambda tx: tx.run("CREATE TABLE notes (id INTEGER PRIMARY KEY, text, number)")
    )
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(store.write(note("a")))
        for _ in range(3):
            await asyncio.sleep(0.02)
        assert not writing.done()
        other.execute("COMMIT")
        assert await writing == "a"
    await store.close()


async def test_a_lock_that_is_never_let_go_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_PATIENCE_S", 0.05)
    path = tmp_path / "locked.db"
    store = SqliteStore(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = await asyncio.gather(
            *(store.write(note("a")) for _ in range(3)), return_exceptions=True
        )
        assert [type(error) for error in done] == [StoreLocked] * 3
    await store.close()


async def test_the_log_of_sqlite_does_not_grow_beyond_its_limit(tmp_path: Path) -> None:
    limit = 1 << 20
    store = SqliteStore(tmp_path / "log.db", wal_limit_bytes=limit)
    await store.write(lambda tx: tx.run("CREATE TABLE blobs (b BLOB)"))
    largest = 0
    for _ in range(100):
        await store.write(lambda tx: tx.run("INSERT INTO blobs VALUES ($1)", os.urandom(60_000)))
        largest = max(largest, (tmp_path / "log.db-wal").stat().st_size)
    assert store.writer.checkpointer.forced >= 4
    assert limit <= largest < limit + 200_000
    await store.close()
    assert not (tmp_path / "log.db-wal").exists()


async def test_a_reader_that_stays_long_delays_the_checkpoint_and_not_the_writer(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "log.db", wal_limit_bytes=1 << 20)
    await store.write(lambda tx: tx.run("CREATE TABLE blobs (b BLOB)"))
    release = asyncio.Event()

    async def stay(tx: Tx) -> int:
        await tx.one("SELECT count(*) FROM blobs")
        await release.wait()
        row = await tx.one("SELECT count(*) FROM blobs")
        return -1 if row is None else int(row[0])

    staying = asyncio.create_task(store.read(stay))
    while store.writer.checkpointer.forced == 0:
        await store.write(lambda tx: tx.run("INSERT INTO blobs VALUES ($1)", os.urandom(60_000)))
    forced = store.writer.checkpointer.forced
    await store.write(lambda tx: tx.run("INSERT INTO blobs VALUES ($1)", b"small"))
    assert store.writer.checkpointer.forced == forced  # not tried again at every batch
    release.set()
    assert await staying < 5
    await store.close()


async def test_the_threads_of_sqlite_end_with_the_store(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = SqliteStore(tmp_path / "threads.db")
    await store.read(lambda tx: tx.one("SELECT 1"))
    await store.close()
    new = [thread.name for thread in threading.enumerate() if thread not in before]
    assert [name for name in new if not name.startswith("asyncio")] == []  # the loop's executor
