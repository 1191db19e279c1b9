"""A small pool of SQLite connections that read, each in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import aiosqlite

from server.db.base import Row, Tx
from server.db.dialect import SQLITE
from server.db.errors import StoreClosed
from server.db.failures import of_sqlite
from server.db.transaction import SnapshotTx

T = TypeVar("T")

MOST = 4
# Only a checkpoint that resets the log can make a reader wait, and that is over in a moment.
PATIENCE_S = 10.0


class Snapshots:
    """Reads that see the last commit and never hinder the writer."""

    def __init__(self, path: Path) -> None:
        """For the database at this path; connections are opened when they are needed."""
        self._path = path
        self._slots = asyncio.Semaphore(MOST)
        self._idle: list[aiosqlite.Connection] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Run an operation on one state of the database."""
        if self._closed:
            raise StoreClosed
        await self._slots.acquire()
        connection: aiosqlite.Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await self._open()
            await connection.execute("BEGIN")
            return await op(SnapshotTx(_fetcher(connection)))
        except sqlite3.Error as error:
            raise of_sqlite(error) from error
        except asyncio.CancelledError:
            if connection is not None:
                await connection.interrupt()  # its thread may be in the midst of a long query
            raise
        finally:
            # Nobody has to wait for the end of the snapshot, nor can cancel it.
            ending = asyncio.get_running_loop().create_task(self._end(connection))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Wait for the reads that run, and close every connection."""
        if self._closed:
            return
        self._closed = True
        for _ in range(MOST):
            await self._slots.acquire()
        while self._idle:
            await self._idle.pop().close()

    async def _open(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(
            self._path, timeout=PATIENCE_S, isolation_level=None, cached_statements=256
        )
        try:
            await connection.execute("PRAGMA query_only = ON")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _end(self, connection: aiosqlite.Connection | None) -> None:
        try:
            if connection is not None:
                try:
                    await connection.rollback()
                    self._idle.append(connection)
                except sqlite3.Error:
                    await connection.close()
        finally:
            self._slots.release()


def _fetcher(
    connection: aiosqlite.Connection,
) -> Callable[[str, Sequence[Any]], Awaitable[list[Row]]]:
    async def fetch(sql: str, args: Sequence[Any]) -> list[Row]:
        rows = await connection.execute_fetchall(SQLITE.translate(sql).text, args)
        return cast(list[Row], rows)

    return fetch
