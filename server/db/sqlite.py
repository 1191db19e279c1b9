"""The database in one SQLite file: statements on the event loop, only the commit beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from server.db.aside import Aside
from server.db.base import Row, Tx
from server.db.checkpoint import LIMIT_BYTES, Checkpointer
from server.db.dialect import SQLITE, SQLITE_OLDEST
from server.db.errors import SqliteTooOld, StoreLocked, StoreUnreachable
from server.db.failures import of_sqlite
from server.db.group import Counts, GroupCommit
from server.db.lock import FileLock
from server.db.snapshots import Snapshots

T = TypeVar("T")

# Somebody's sqlite3 shell may hold the write lock for a moment; the loop must go on meanwhile.
LOCK_PATIENCE_S = 5.0
_LOCK_PAUSE_S = 0.02
# FULL: the log is flushed at every commit. NORMAL would lose the last commits with the power.
# No automatic checkpoints: they would run on the loop. Foreign keys: checks cost reads here.
_PRAGMAS = (
    "synchronous = FULL",
    "wal_autocheckpoint = 0",
    "foreign_keys = OFF",
    "cache_size = -65536",
    "temp_store = MEMORY",
)


class SqliteWriter:
    """The one connection that writes.

    A statement of a batch takes a few microseconds, a turn to another thread fifty: so statements
    run on the loop's thread, and only COMMIT, which waits for the disk, has a thread. The two never
    use the connection at once, because the batch waits for its commit.
    """

    dialect = SQLITE

    def __init__(self, path: Path, limit_bytes: int) -> None:
        """Open, and create the file if there is none."""
        self._loop = asyncio.get_running_loop()
        self._connection = sqlite3.connect(
            path,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            # Waits here only: later a lock is waited for without holding up the loop.
            self._connection.execute("PRAGMA busy_timeout = 5000")
            mode = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise sqlite3.OperationalError("no write-ahead log on this file system")
            for pragma in _PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._checkpointer = Checkpointer(path, limit_bytes)
        except BaseException:
            self._connection.close()
            raise
        self._disk = Aside("commit", self._loop)

    @property
    def checkpointer(self) -> Checkpointer:
        """What keeps the log short, with its counts."""
        return self._checkpointer

    async def begin(self) -> None:
        """Start a transaction, waiting a while for the write lock; `StoreLocked` after that."""
        until = self._loop.time() + LOCK_PATIENCE_S
        while True:
            try:
                if self._connection.in_transaction:  # a rollback failed before
                    self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.Error as error:
                known = of_sqlite(error)
                if not isinstance(known, StoreLocked) or self._loop.time() >= until:
                    raise known from error
            await asyncio.sleep(_LOCK_PAUSE_S)

    async def rows(self, sql: str, args: Sequence[Any]) -> list[Row]:
        """What a statement returns."""
        try:
            return self._connection.execute(SQLITE.translate(sql).text, args).fetchall()
        except Exception as error:
            raise of_sqlite(error) from error

    async def change(self, sql: str, args: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        before = self._connection.total_changes
        try:
            done = self._connection.execute(SQLITE.translate(sql).text, args)
        except Exception as error:
            raise of_sqlite(error) from error
        # Python counts for INSERT, UPDATE and DELETE only, not if WITH stands before.
        return done.rowcount if done.rowcount >= 0 else self._connection.total_changes - before

    async def change_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement for each of these rows."""
        try:
            self._connection.executemany(SQLITE.translate(sql).text, rows)
        except Exception as error:
            raise of_sqlite(error) from error

    async def commit(self) -> None:
        """Write and flush the log, beside the loop."""
        try:
            await self._disk.call(self._commit)
        except sqlite3.Error as error:
            raise of_sqlite(error) from error

    async def rollback(self) -> None:
        """Undo, in the thread of the commits: one that still runs there ends first."""
        await self._disk.call(self._rollback)

    async def rest(self) -> None:
        """Make a checkpoint if it is time."""
        await self._checkpointer.rest()

    async def close(self) -> None:
        """End the threads and the connections; the last one moves the log into the file."""
        await self._disk.close()
        await self._checkpointer.close()
        await self._loop.run_in_executor(None, self._connection.close)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _rollback(self) -> None:
        # SQLite has rolled back by itself after some errors, such as a full disk. Should this
        # fail, then `begin` meets the open transaction, and tells it.
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                return


class SqliteStore:
    """`server.db.base.Store` in a file."""

    dialect = SQLITE

    def __init__(self, path: Path, *, wal_limit_bytes: int = LIMIT_BYTES) -> None:
        """Open or create the file, in a running loop.

        `StoreInUse` if another server has it, `StoreUnreachable` if it cannot be used.
        """
        if sqlite3.sqlite_version_info < SQLITE_OLDEST:
            needed = ".".join(map(str, SQLITE_OLDEST))
            raise SqliteTooOld(sqlite3.sqlite_version, needed)
        self.path = path
        self.taken = asyncio.Event()  # never: the lock lasts as long as this process
        self._closed = False
        self._lock = FileLock(path)
        try:
            path.touch(mode=0o600)  # the log and its index take their modes from it
            self.writer = SqliteWriter(path, wal_limit_bytes)
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise StoreUnreachable(str(path), str(error)) from error
        self._snapshots = Snapshots(path)
        self._group = GroupCommit(self.writer)

    @property
    def counts(self) -> Counts:
        """What the group commit has done so far."""
        return self._group.counts

    def write(self, op: Callable[[Tx], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Run an operation in a transaction shared with others; see `Store.write`."""
        return self._group.write(op)

    def lead(self, op: Callable[[Tx], Awaitable[None]]) -> None:
        """Let every batch begin with this; see `Store.lead`."""
        self._group.lead = op

    def read(self, op: Callable[[Tx], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Run an operation, which only reads, on the last commit; see `Store.read`."""
        return self._snapshots.read(op)

    async def close(self) -> None:
        """Answer what was taken, and let go of the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._group.close()
        await self._snapshots.close()
        await self.writer.close()
        self._lock.release()
