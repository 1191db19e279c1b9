"""What the errors of SQLite and PostgreSQL mean in the words of this house."""

from __future__ import annotations

import sqlite3

from server.db.errors import RowRefused, StatementFailed, StoreFull, StoreLocked, StoreLost

# PostgreSQL: 53100 disk full; 55P03 lock not available; 57P.. shut down or starting up
# (https://www.postgresql.org/docs/15/errcodes-appendix.html).
_FULL = "53100"
_LOCKED = "55P03"
_LOST = ("08", "57P")
_CONSTRAINT = "23"


def of_sqlite(error: Exception) -> Exception:
    """An error of `sqlite3`; what is none of its errors is a fault of the values given."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull()
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreLocked()
    if code == sqlite3.SQLITE_CONSTRAINT:
        return RowRefused(str(error))
    return StatementFailed(f"{type(error).__name__}: {error}")


def of_postgres(error: Exception, *, closed: bool) -> Exception:
    """An error of `asyncpg`, on a connection that is now closed or not."""
    state = getattr(error, "sqlstate", None) or ""
    if state == _FULL:
        return StoreFull()
    if state == _LOCKED:
        return StoreLocked()
    if closed or state.startswith(_LOST) or isinstance(error, (OSError, TimeoutError)):
        return StoreLost()
    if state.startswith(_CONSTRAINT):
        return RowRefused(str(error))
    return StatementFailed(f"{type(error).__name__}: {error}")
