"""Schema versions: empty to newest, step by step, and who is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.db.base import Row, Tx
from server.db.choose import connect, open_store, upgrade_store
from server.db.errors import (
    BadMigration,
    BadStoreUrl,
    RowRefused,
    SchemaForeign,
    SchemaNew,
    SchemaOld,
    StatementFailed,
    StoreUnreachable,
)
from server.db.migrate import Migration, OpenStore, Version, load, packaged, version

_SHAPE = {
    "sqlite": ("SELECT type, name, sql FROM sqlite_master ORDER BY type, name",),
    "postgresql": (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, ordinal_position"
        " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 6",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid <> 0 AND connamespace = 'public'::regnamespace ORDER BY 1, 2",
    ),
}


def samples() -> tuple[Migration, ...]:
    """The program's own files, and two that a later release could bring."""
    own = packaged()
    n = len(own)
    return (
        *own,
        Migration(
            n + 1,
            f"{n + 1:04}_pets.sql",
            1,
            "-- pets; of hosts\nCREATE TABLE pets (id {id}, name TEXT DEFAULT ';', at {real});\n"
            "CREATE INDEX pets_by_name ON pets (name);",
        ),
        Migration(
            n + 2,
            f"{n + 2:04}_colours.sql",
            n + 2,
            "ALTER TABLE pets ADD COLUMN colour {blob};\nUPDATE pets SET colour = NULL;",
        ),
    )


async def shape(store: OpenStore) -> list[list[Row]]:
    """Everything the database knows of its tables."""
    return [
        await store.read(lambda tx, sql=sql: tx.all(sql))  # type: ignore[misc]
        for sql in _SHAPE[store.dialect.name]
    ]


async def test_an_empty_database_gets_the_newest_schema(url: str) -> None:
    store = await open_store(url)
    own = packaged()
    assert await version(store) == Version(len(own), max(file.oldest for file in own))
    await store.write(
        lambda tx: tx.run(
            "INSERT INTO accounts (name, role, created_at) VALUES ($1, $2, $3)", "a", "admin", 1.5
        )
    )
    with pytest.raises(RowRefused):
        await store.write(
            lambda tx: tx.run(
                "INSERT INTO accounts (name, role, created_at) VALUES ($1, $2, $3)", "b", "king", 1
            )
        )
    await store.close()
    store = await open_store(url)
    rows = await store.read(lambda tx: tx.all("SELECT name, created_at FROM accounts"))
    assert rows == [("a", 1.5)]
    await store.close()


async def test_fresh_is_the_same_as_upgraded_step_by_step(new_url: Callable[[], str]) -> None:
    files = samples()
    fresh = await open_store(new_url(), files)
    url = new_url()
    for known in range(1, len(files) + 1):
        applied = await upgrade_store(url, files[:known])
        assert applied == [files[known - 1].name]
        stepped = await open_store(url, files[:known])
        assert (await version(stepped)).schema == known
        await stepped.close()
    stepped = await open_store(url, files)
    assert await shape(stepped) == await shape(fresh)
    assert await version(stepped) == await version(fresh) == Version(len(files), len(files))
    assert any("pets_by_name" in str(rows) for rows in await shape(fresh))
    await stepped.close()
    await fresh.close()
    assert await upgrade_store(url, files) == []


async def test_rows_survive_an_upgrade(url: str) -> None:
    files = samples()
    store = await open_store(url, files[:-1])
    await store.write(lambda tx: tx.run("INSERT INTO pets (name) VALUES ($1)", "cat"))
    await store.close()
    await upgrade_store(url, files)
    store = await open_store(url, files)
    rows = await store.read(lambda tx: tx.all("SELECT name, colour FROM pets"))
    assert rows == [("cat", None)]
    await store.close()


async def test_an_older_database_is_refused_with_the_cure(url: str) -> None:
    files = samples()
    await (await open_store(url, files[:-1])).close()
    with pytest.raises(SchemaOld, match="windfall db upgrade"):
        await open_store(url, files)


async def test_a_newer_database_is_taken_if_it_allows_and_refused_if_not(url: str) -> None:
    files = samples()
    await (await open_store(url, files[:-1])).close()
    await (await open_store(url, files[:-2])).close()  # its last file says that 1 can live with it
    await upgrade_store(url, files)
    with pytest.raises(SchemaNew, match="install a newer windfall"):
        await open_store(url, files[:-1])
    with pytest.raises(SchemaNew):
        await upgrade_store(url, files[:-1])


async def test_a_later_file_does_not_let_older_programs_in_again(url: str) -> None:
    files = samples()
    n = len(files) + 1
    lenient = Migration(n, f"{n:04}_lenient.sql", 1, "ALTER TABLE pets ADD COLUMN age {bigint}")
    await (await open_store(url, (*files, lenient))).close()
    with pytest.raises(SchemaNew):
        await open_store(url, files[:-1])
    await (await open_store(url, files)).close()


async def test_a_file_that_fails_changes_nothing(url: str) -> None:
    files = samples()
    broken = Migration(
        files[-1].number,
        "broken.sql",
        1,
        "CREATE TABLE never_made (id {id}); INSERT INTO nowhere VALUES (1)",
    )
    await (await open_store(url, files[:-1])).close()
    with pytest.raises(StatementFailed):
        await upgrade_store(url, (*files[:-1], broken))
    store = await open_store(url, files[:-1])
    assert (await version(store)).schema == len(files) - 1
    assert "never_made" not in str(await shape(store))
    await store.close()
    await upgrade_store(url, files)


async def test_a_file_with_an_unknown_placeholder_is_refused(url: str) -> None:
    bad = Migration(1, "0001_bad.sql", 1, "CREATE TABLE bad (id {serial})")
    with pytest.raises(BadMigration, match=r"\{serial\} is not a placeholder"):
        await open_store(url, (bad,))


async def test_a_database_of_something_else_is_refused(url: str) -> None:
    async def op(tx: Tx) -> None:
        await tx.run("CREATE TABLE customers (name TEXT)")

    store = await connect(url)
    await store.write(op)
    await store.close()
    with pytest.raises(SchemaForeign, match="customers"):
        await open_store(url)


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("0002_gap.sql", "-- oldest: 1\n", "0001_<name>.sql"),
        ("1_short.sql", "-- oldest: 1\n", "0001_<name>.sql"),
        ("0001_no_header.sql", "CREATE TABLE x (y TEXT);", "oldest: N"),
        ("0001_future.sql", "-- oldest: 2\n", "1 to 1"),
    ],
)
def test_a_file_that_breaks_a_rule_is_named(
    tmp_path: Path, name: str, text: str, rule: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadMigration, match=rule) as caught:
        load(tmp_path)
    assert name in str(caught.value)


def test_a_program_without_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadMigration, match="install windfall again"):
        load(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    ["mysql://x", "sqlite://x.db", "sqlite:///", "sqlite:///:memory:", "sqlite:///a/", "x.db"],
)
async def test_what_is_no_address_of_a_database_is_refused(wrong: str) -> None:
    with pytest.raises(BadStoreUrl, match="postgresql://USER@HOST/NAME"):
        await open_store(wrong)


async def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    for wrong in (
        f"sqlite:///{tmp_path}/nowhere/x.db",
        f"postgresql://u:secret@/x?host={tmp_path}",
    ):
        with pytest.raises(StoreUnreachable) as caught:
            await open_store(wrong)
        assert str(tmp_path) in str(caught.value)
        assert "secret" not in str(caught.value)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is a letter and not a database. " * 100)
    with pytest.raises(StoreUnreachable, match="not a database"):
        await open_store(f"sqlite:///{tmp_path}/text.db")
