"""Opens the database that an address names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from server.db.errors import BadStoreUrl
from server.db.migrate import Migration, OpenStore, check, packaged, upgrade, version
from server.db.postgres import open_postgres
from server.db.sqlite import SqliteStore

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def sqlite_path(url: str) -> Path | None:
    """The file of ``sqlite:///FILE``, None if another kind of database is named.

    What follows the third slash is the path: four slashes begin an absolute one.
    """
    if not url.startswith(_SQLITE):
        return None
    name = url.removeprefix(_SQLITE)
    if not name or name == ":memory:" or name.endswith("/"):  # nothing would be durable
        raise BadStoreUrl(url)
    return Path(name)


def is_postgres(url: str) -> bool:
    """Whether this names a PostgreSQL database."""
    return url.startswith(_POSTGRES)


async def connect(url: str) -> OpenStore:
    """A database as it is, whatever its version; errors as `open_store`."""
    path = sqlite_path(url)
    if path is not None:
        return SqliteStore(path)
    if is_postgres(url):
        return await open_postgres(url)
    raise BadStoreUrl(url)


async def open_store(url: str, migrations: Sequence[Migration] | None = None) -> OpenStore:
    """A database that this program can work with; an empty one gets its tables.

    `BadStoreUrl`, `StoreInUse`, `StoreUnreachable`, `LibraryMissing`, `SchemaOld`, `SchemaNew`,
    `SchemaForeign`: all are `StoreUnusable`, and say what to do.
    """
    known = packaged() if migrations is None else migrations
    store = await connect(url)
    try:
        if (await version(store)).schema == 0:
            await upgrade(store, known)
        check(await version(store), known)
    except BaseException:
        await store.close()
        raise
    return store


async def upgrade_store(url: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Bring a database to this program's version; the names of the files applied."""
    known = packaged() if migrations is None else migrations
    store = await connect(url)
    try:
        return await upgrade(store, known)
    finally:
        await store.close()
