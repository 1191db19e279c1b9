"""The database in PostgreSQL: one connection that writes in groups, a pool that reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from server.db.base import Row, Tx
from server.db.dialect import POSTGRES
from server.db.errors import (
    LibraryMissing,
    StoreClosed,
    StoreInUse,
    StoreLost,
    StoreTaken,
    StoreUnreachable,
)
from server.db.failures import of_postgres
from server.db.group import Counts, GroupCommit
from server.db.lock import hold, holder, take_advisory
from server.db.transaction import SnapshotTx

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

log = logging.getLogger("windfall.db")
READERS = 4
CONNECT_S = 10.0
STARTING_S = 60.0  # that a database is waited for which takes nobody yet
_START_PAUSE_S = 0.5
# How long the fate of a commit is asked for when the connection broke in its midst.
FATE_TRIES = 10
_FATE_PAUSE_S = 1.0
# A server that vanished with its machine must not hold the lock for the two hours of TCP's default.
_SETTINGS = {
    "application_name": "windfall",
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


async def connect(url: str) -> asyncpg.Connection:
    """A connection whose values are those of `Tx`: int, float, str, bytes and None."""
    asyncpg = _library()
    connection = await asyncpg.connect(
        url, timeout=CONNECT_S, server_settings=_SETTINGS, statement_cache_size=512
    )
    await prepare(connection)
    return connection


async def prepare(connection: asyncpg.Connection) -> None:
    """Let sums be whole numbers and truth 0 or 1, as in SQLite."""
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text"
    )
    await connection.set_type_codec(
        "bool",
        schema="pg_catalog",
        encoder=lambda value: bytes((1 if value else 0,)),
        decoder=lambda raw: raw[0],
        format="binary",
    )


class PostgresWriter:
    """The one connection that writes; it holds the lock of this database's only server."""

    dialect = POSTGRES

    def __init__(self, url: str, where: str, connection: asyncpg.Connection) -> None:
        """Over a connection that has the lock."""
        self.url = url
        self.taken = asyncio.Event()
        self._where = where
        self._connection = connection
        self._name = ""

    async def hold(self) -> None:
        """Write down that this one has the database, once there are tables."""
        self._name = await hold(self._connection)

    async def begin(self) -> None:
        """Start a transaction, on a new connection if the last one is lost."""
        for last in (False, True):
            try:
                if self._connection.is_closed():
                    await self._reconnect()
                if not self._name:
                    await self.hold()
                await self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            except StoreLost:
                raise
            except Exception as error:
                # That a connection is lost shows at its first use: then a new one may do.
                if last or not self._connection.is_closed():
                    raise self._meaning(error) from error
            else:
                return

    async def rows(self, sql: str, args: Sequence[Any]) -> list[Row]:
        """What a statement returns."""
        try:
            return [tuple(record) for record in await self._connection.fetch(sql, *held(args))]
        except Exception as error:
            raise self._meaning(error) from error

    async def change(self, sql: str, args: Sequence[Any]) -> int:
        """How many rows a statement changed."""
        try:
            status = await self._connection.execute(sql, *held(args))
        except Exception as error:
            raise self._meaning(error) from error
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def change_many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement for each of these rows."""
        try:
            await self._connection.executemany(sql, [held(row) for row in rows])
        except Exception as error:
            raise self._meaning(error) from error

    async def commit(self) -> None:
        """Commit; if the connection breaks in the midst, ask a new one whether it had happened."""
        try:
            number = await self._connection.fetchval(
                "SELECT pg_current_xact_id_if_assigned()::text"
            )
        except Exception as error:
            raise self._meaning(error) from error
        try:
            await self._connection.execute("COMMIT")
        except Exception as error:
            known = self._meaning(error)
            if not isinstance(known, StoreLost) or not await self._happened(number):
                raise known from error

    async def rollback(self) -> None:
        """Undo; a connection that cannot is dropped, which undoes as well."""
        if self._connection.is_closed():
            return
        try:
            await self._connection.execute("ROLLBACK")
        except Exception:
            self._connection.terminate()

    async def rest(self) -> None:
        """Nothing is to be done between two transactions."""

    async def close(self) -> None:
        """End the connection, and with it the lock."""
        if not self._connection.is_closed():
            await self._connection.close()

    async def _reconnect(self) -> None:
        """Have the lock on a new connection, as if it had never been lost. Raises StoreLost.

        If others had it meanwhile, what this server remembers is not what they have written: it
        must write no more.
        """
        try:
            connection = await open_writer(self.url, self._where)
        except StoreInUse as error:  # perhaps by what is left of our own connection
            log.warning("no lock yet", extra={"action": "reconnect", "why": str(error)})
            raise StoreLost from error
        if self._name and await holder(connection) != self._name:
            await connection.close()
            self.taken.set()
            raise StoreLost from StoreTaken(self._where)
        self._connection = connection

    async def _happened(self, number: str | None) -> bool:
        if number is None:  # nothing was written
            return False
        for _ in range(FATE_TRIES):
            if self.taken.is_set():
                return False
            try:
                await self._reconnect()
                fate = await self._connection.fetchval(
                    "SELECT pg_xact_status($1::text::xid8)", number
                )
            except Exception:
                await asyncio.sleep(_FATE_PAUSE_S)
            else:
                return bool(fate == "committed")
        return False

    def _meaning(self, error: Exception) -> Exception:
        return of_postgres(error, closed=self._connection.is_closed())


class PostgresStore:
    """`server.db.base.Store` in PostgreSQL."""

    dialect = POSTGRES

    def __init__(self, where: str, writer: PostgresWriter, pool: asyncpg.Pool) -> None:
        """Over what `open_postgres` has opened."""
        self.where = where
        self.writer = writer
        self._pool = pool
        self._closed = False
        self._group = GroupCommit(writer)

    @property
    def counts(self) -> Counts:
        """What the group commit has done so far."""
        return self._group.counts

    @property
    def taken(self) -> asyncio.Event:
        """See `Store.taken`."""
        return self.writer.taken

    def write(self, op: Callable[[Tx], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Run an operation in a transaction shared with others; see `Store.write`."""
        return self._group.write(op)

    def lead(self, op: Callable[[Tx], Awaitable[None]]) -> None:
        """Let every batch begin with this; see `Store.lead`."""
        self._group.lead = op

    async def read(self, op: Callable[[Tx], Awaitable[T]]) -> T:
        """Run an operation, which only reads, on the last commit; see `Store.read`."""
        if self._closed:
            raise StoreClosed
        library = _library()
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                return await op(SnapshotTx(_fetcher(connection)))
        except (library.PostgresError, library.InterfaceError, OSError) as error:
            raise of_postgres(error, closed=False) from error

    async def close(self) -> None:
        """Answer what was taken, and let go of the database; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await self._group.close()
        await self._pool.close()
        await self.writer.close()


async def open_postgres(url: str) -> PostgresStore:
    """Open a database, in a running loop.

    `StoreInUse` if another server has it, `StoreUnreachable` if it does not answer,
    `LibraryMissing` without asyncpg.
    """
    where = url.rpartition("@")[2]  # not the password
    library = _library()
    try:
        connection = await _started(url, where)
    except (library.PostgresError, library.InterfaceError, OSError, TimeoutError) as error:
        raise StoreUnreachable(where, str(error) or type(error).__name__) from error
    writer = PostgresWriter(url, where, connection)
    try:
        await writer.hold()
        pool = await library.create_pool(
            url,
            min_size=1,
            max_size=READERS,
            timeout=CONNECT_S,
            init=prepare,
            server_settings=_SETTINGS,
        )
    except BaseException:
        await connection.close()
        raise
    return PostgresStore(where, writer, pool)


async def _started(url: str, where: str) -> asyncpg.Connection:
    """As `open_writer`; a database that starts, or mends itself after a fall, is waited for."""
    library, clock = _library(), asyncio.get_running_loop().time
    end = clock() + STARTING_S
    while True:
        try:
            return await open_writer(url, where)
        except library.CannotConnectNowError as error:
            if clock() >= end:
                raise
            log.warning("the database starts", extra={"action": "open", "why": str(error)})
            await asyncio.sleep(_START_PAUSE_S)


async def open_writer(url: str, where: str) -> asyncpg.Connection:
    """A connection that holds the lock, so that it may write."""
    connection = await connect(url)
    try:
        await take_advisory(connection, where)
        # An acknowledgement means durable here, whatever is the cluster's default.
        if await connection.fetchval("SHOW synchronous_commit") == "off":
            await connection.execute("SET synchronous_commit = on")
    except BaseException:
        await connection.close()
        raise
    return connection


def _library() -> Any:
    try:
        import asyncpg
    except ImportError as error:
        raise LibraryMissing from error
    return asyncpg


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def held(values: Sequence[Any]) -> Sequence[Any]:
    """Values as its texts can hold them: U+0000, which none can, becomes U+FFFD.

    Everybody may write it into an address (``%00``); SQLite takes it as it is.
    """
    for value in values:
        if type(value) is str and "\0" in value:
            return [one.replace("\0", "\ufffd") if type(one) is str else one for one in values]
    return values


def _fetcher(
    connection: Any,
) -> Callable[[str, Sequence[Any]], Awaitable[list[Row]]]:
    async def fetch(sql: str, args: Sequence[Any]) -> list[Row]:
        return [tuple(record) for record in await connection.fetch(sql, *held(args))]

    return fetch
