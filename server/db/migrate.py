"""Schema versions: numbered files, applied in order, and who may work with what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Protocol

from server.db.base import Store, Tx
from server.db.dialect import Dialect, split
from server.db.errors import BadMigration, SchemaForeign, SchemaNew, SchemaOld

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_OLDEST = re.compile(r"^--\s*oldest:\s*(\d+)\s*$", re.MULTILINE)
_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_SET = (
    "INSERT INTO meta (key, value) VALUES ($1, $2)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    " ORDER BY name",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    " ORDER BY tablename",
}


class OpenStore(Store, Protocol):
    """A store that tells how its database spells SQL."""

    dialect: Dialect


@dataclass(frozen=True)
class Migration:
    """One file: what it changes, and the oldest program that can live with the result."""

    number: int
    name: str
    oldest: int
    text: str


@dataclass(frozen=True)
class Version:
    """What a database says of itself; schema 0 is an empty one."""

    schema: int
    oldest: int


def packaged() -> tuple[Migration, ...]:
    """The migrations that came with this program."""
    return load(resources.files("server.db") / "migrations")


def load(folder: Traversable) -> tuple[Migration, ...]:
    """Every ``NNNN_name.sql`` of a folder in order; `BadMigration` if one breaks a rule."""
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    migrations = []
    for number, file in enumerate(files, 1):
        found = _NAME.fullmatch(file.name)
        if found is None or int(found[1]) != number:
            raise BadMigration(file.name, f"the next file is to be called {number:04}_<name>.sql")
        text = file.read_text(encoding="utf-8")
        oldest = _OLDEST.search(text)
        if oldest is None or not 1 <= int(oldest[1]) <= number:
            raise BadMigration(
                file.name,
                "it needs a line `-- oldest: N`, N being the lowest schema number"
                f" (1 to {number}) whose program can live with the result",
            )
        migrations.append(Migration(number, file.name, int(oldest[1]), text))
    if not migrations:
        raise BadMigration(str(folder), "there is no file; install windfall again")
    return tuple(migrations)


async def version(store: OpenStore) -> Version:
    """The version of a database; `SchemaForeign` if it is something else's."""

    async def look(tx: Tx) -> Version:
        tables = [row[0] for row in await tx.all(_TABLES[store.dialect.name])]
        if "meta" not in tables:
            if tables:
                raise SchemaForeign(tables[0])
            return Version(0, 0)
        values: dict[str, str] = dict(await tx.all("SELECT key, value FROM meta"))
        return Version(int(values["schema"]), int(values["oldest"]))

    return await store.read(look)


def check(found: Version, migrations: Sequence[Migration]) -> None:
    """`SchemaOld` or `SchemaNew` if this program cannot work with such a database."""
    code = migrations[-1].number
    if found.schema < code:
        raise SchemaOld(found.schema, code)
    if found.oldest > code:
        raise SchemaNew(found.schema, found.oldest, code)


async def upgrade(store: OpenStore, migrations: Sequence[Migration]) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; their names."""
    found = await version(store)
    if found.oldest > migrations[-1].number:
        raise SchemaNew(found.schema, found.oldest, migrations[-1].number)
    missing = [migration for migration in migrations if migration.number > found.schema]
    oldest = found.oldest
    for migration in missing:
        oldest = max(oldest, migration.oldest)  # a later file cannot let older programs in again
        await _apply(store, migration, oldest)
    return [migration.name for migration in missing]


async def _apply(store: OpenStore, migration: Migration, oldest: int) -> None:
    try:
        statements = split(store.dialect.ddl(migration.text))
    except ValueError as error:
        raise BadMigration(migration.name, str(error)) from error

    async def run(tx: Tx) -> None:
        if migration.number == 1:
            await tx.run(_META)
        for statement in statements:
            await tx.run(statement)
        await tx.run(_SET, "schema", str(migration.number))
        await tx.run(_SET, "oldest", str(oldest))

    await store.write(run)
