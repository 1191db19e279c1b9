"""The two kinds of transaction: one shared by a batch of writes, and one that only reads."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from server.db.base import Row
from server.db.dialect import Dialect
from server.db.errors import ReadOnly, TransactionOver

_log = logging.getLogger(__name__)


class Session(Protocol):
    """One connection, inside of a transaction; errors are those of `server.db.errors`."""

    dialect: Dialect

    async def rows(self, sql: str, args: Sequence[Any]) -> list[Row]:
        """What a statement returns."""
        ...

    async def change(self, sql: str, args: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        ...

    async def change_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement for each of these rows."""
        ...


class SharedTx:
    """A transaction that the operations of a batch use one after another.

    It knows what the running operation has done, so that one that fails before it changed anything
    can be taken out alone. A statement that fails spoils the whole: PostgreSQL goes on with nothing
    after an error, and SQLite behaves alike here so that the same operations run on both.
    """

    def __init__(self, session: Session) -> None:
        """Over a session whose transaction has begun."""
        self.spoilt: Exception | None = None
        self._session = session
        self._over = False
        self._pending: dict[str, list[Row]] = {}
        self._mine: list[list[Any]] = []  # for each pending row of this operation, its list
        self._wrote = False
        self._undo: list[Callable[[], None]] = []
        self._undo_mark = 0

    def later(self, sql: str, row: Row) -> None:
        """Collect a row for a statement that is run before the commit or the next read."""
        if self._over:
            raise TransactionOver
        rows = self._pending.get(sql)
        if rows is None:
            rows = self._pending[sql] = []
        rows.append(row)
        self._mine.append(rows)

    def on_abort(self, callback: Callable[[], None]) -> None:
        """Call this if what the running operation did is rolled back."""
        if self._over:
            raise TransactionOver
        self._undo.append(callback)

    async def all(self, sql: str, *args: Any) -> list[Row]:
        """Every row of a query."""
        await self._catch_up()
        try:
            rows = await self._session.rows(sql, args)
        except Exception as error:
            self.spoilt = error
            raise
        if rows and not self._session.dialect.translate(sql).reads:
            self._wrote = True
        return rows

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row of a query, or None."""
        rows = await self.all(sql, *args)
        return rows[0] if rows else None

    async def run(self, sql: str, *args: Any) -> int:
        """Run a statement now; how many rows it changed."""
        await self._catch_up()
        try:
            changed = await self._session.change(sql, args)
        except Exception as error:
            self.spoilt = error
            raise
        # A change of no row leaves nothing to roll back; what is not a change of rows (DDL) may.
        if changed or not _is_row_change(sql):
            self._wrote = True
        return changed

    async def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement now for each of these rows."""
        await self._catch_up()
        ready = list(rows)
        if not ready:
            return
        self._wrote = True
        try:
            await self._session.change_many(sql, ready)
        except Exception as error:
            self.spoilt = error
            raise

    def start(self) -> None:
        """Another operation begins."""
        self._mine.clear()
        self._wrote = False
        self._undo_mark = len(self._undo)

    def drop(self) -> bool:
        """Take out the running operation, which failed; False if only a rollback can do that."""
        if self._wrote or self.spoilt is not None:
            return False
        for rows in reversed(self._mine):
            rows.pop()
        # A statement whose rows are all gone was first used here: it keeps no place in the order.
        self._pending = {sql: rows for sql, rows in self._pending.items() if rows}
        self._call_back(self._undo_mark)
        return True

    async def flush(self) -> None:
        """Run all that was collected."""
        pending, self._pending = self._pending, {}
        if self._mine:
            self._wrote = True
            self._mine.clear()
        try:
            for sql, rows in pending.items():
                await self._session.change_many(sql, rows)
        except Exception as error:
            self.spoilt = error
            raise

    def end(self, *, committed: bool) -> None:
        """Nothing more can be done here; what was not committed is told to who asked to know."""
        self._over = True
        if not committed:
            self._call_back(0)

    async def _catch_up(self) -> None:
        if self._over:
            raise TransactionOver
        if self.spoilt is not None:
            raise self.spoilt
        if self._pending:
            await self.flush()

    def _call_back(self, first: int) -> None:
        while len(self._undo) > first:
            callback = self._undo.pop()
            try:
                callback()
            except Exception:
                # Whatever it is, the next batch must run: others wait for it.
                _log.exception("a rollback callback failed", extra={"action": "on_abort"})


def _is_row_change(sql: str) -> bool:
    return sql.lstrip()[:6].lower() in ("insert", "update", "delete")


class SnapshotTx:
    """A transaction that sees one state of the database and changes nothing."""

    def __init__(self, fetch: Callable[[str, Sequence[Any]], Awaitable[list[Row]]]) -> None:
        """Over a function that runs one query."""
        self._fetch = fetch

    async def all(self, sql: str, *args: Any) -> list[Row]:
        """Every row of a query."""
        return await self._fetch(sql, args)

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row of a query, or None."""
        rows = await self._fetch(sql, args)
        return rows[0] if rows else None

    async def run(self, sql: str, *args: Any) -> int:
        """Refused: `ReadOnly`."""
        raise ReadOnly

    async def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Refused: `ReadOnly`."""
        raise ReadOnly

    def later(self, sql: str, row: Row) -> None:
        """Refused: `ReadOnly`."""
        raise ReadOnly

    def on_abort(self, callback: Callable[[], None]) -> None:
        """Refused: a read is never rolled back."""
        raise ReadOnly
