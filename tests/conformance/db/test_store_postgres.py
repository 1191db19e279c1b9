"""What only the store on PostgreSQL meets: a connection that is lost, at the worst of moments."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from server.db import lock, postgres
from server.db.base import Tx
from server.db.choose import connect, open_store
from server.db.errors import LibraryMissing, StoreInUse, StoreLost
from server.db.postgres import PostgresStore
from tests.conformance.db.notes import INSERT, kept, note
from tests.kit.pg_proxy import Cut, Proxy
from tests.kit.postgres import Postgres

pytestmark = pytest.mark.postgres

END_OTHERS = (
    "pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
TABLE = "CREATE TABLE notes (id BIGSERIAL PRIMARY KEY, number BIGINT, text TEXT UNIQUE)"


@pytest.fixture
def direct(postgres_server: Postgres) -> str:
    """The address of an empty database."""
    return postgres_server.new_database()


@pytest.fixture
async def store(
    direct: str, proxy: Proxy, postgres_server: Postgres, tmp_path: Path
) -> AsyncIterator[PostgresStore]:
    """A store that reaches its database through the proxy."""
    opened = await connect(direct.replace(str(postgres_server.folder), str(tmp_path)))
    await opened.write(lambda tx: tx.run(TABLE))
    yield cast(PostgresStore, opened)
    await opened.close()


async def end_sessions(store: PostgresStore) -> None:
    """Let the server end every session of this database, as a restart would."""
    connection = await postgres.connect(store.writer.url)
    await connection.execute(f"SELECT {END_OTHERS}")
    await connection.close()


def end_sessions_at_once(url: str) -> None:
    """The same without giving the event loop a turn."""
    subprocess.run(["psql", "-qc", f"SELECT {END_OTHERS}", url], check=True, capture_output=True)


async def test_after_a_restart_of_the_server_writes_and_reads_go_on(store: PostgresStore) -> None:
    await store.write(note("a"))
    await end_sessions(store)
    assert await store.write(note("b")) == "b"
    assert await kept(store) == ["a", "b"]


async def test_a_connection_whose_loss_shows_only_at_its_next_use_is_replaced(
    direct: str,
) -> None:
    store = cast(PostgresStore, await connect(direct))
    # Without a turn of the loop in between, the store cannot have noticed.
    end_sessions_at_once(direct)
    await store.writer.begin()
    assert await store.writer.rows("SELECT 1", ()) == [(1,)]
    await store.writer.rollback()
    await store.close()


async def test_a_transaction_that_lost_its_connection_is_told_and_undone(
    store: PostgresStore,
) -> None:
    told: list[str] = []

    async def op(tx: Tx) -> None:
        tx.on_abort(lambda: told.append("undone"))
        await tx.run(INSERT, 0, "never")
        await end_sessions(store)
        await tx.run(INSERT, 0, "never either")

    done = await asyncio.gather(
        *(store.write(one) for one in (note("a"), op)),
        return_exceptions=True,
    )
    assert [type(error) for error in done] == [StoreLost] * 2
    assert told == ["undone"]
    assert await store.write(note("b")) == "b"
    assert await kept(store) == ["b"]


async def test_a_commit_whose_answer_was_lost_is_known_to_have_happened(
    store: PostgresStore, proxy: Proxy
) -> None:
    proxy.cut = Cut.AFTER_COMMIT
    assert await store.write(note("a")) == "a"
    assert proxy.cuts == 1
    assert await store.write(note("b")) == "b"
    assert await kept(store) == ["a", "b"]


async def test_a_commit_that_never_arrived_is_known_not_to_have_happened(
    store: PostgresStore, proxy: Proxy
) -> None:
    proxy.cut = Cut.BEFORE_COMMIT
    with pytest.raises(StoreLost):
        await store.write(note("a"))
    assert proxy.cuts == 1
    assert await store.write(note("b")) == "b"
    assert await kept(store) == ["b"]


async def test_the_writer_takes_the_lock_again_on_a_new_connection(
    store: PostgresStore, direct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "ADVISORY_PATIENCE_S", 0.0)
    await end_sessions(store)
    await store.write(note("a"))
    with pytest.raises(StoreInUse):
        await connect(direct)


async def test_a_server_whose_database_another_has_had_meanwhile_writes_no_more(
    postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "ADVISORY_PATIENCE_S", 0.0)
    url = postgres_server.new_pool()
    first = cast(PostgresStore, await connect(url))
    end_sessions_at_once(url)
    second = await connect(url)
    with pytest.raises(StoreLost):
        await first.write(lambda tx: tx.run("UPDATE meta SET value = value"))
    assert not first.taken.is_set(), "what holds the lock may be the rest of its own connection"
    await second.close()
    for _ in range(2):
        with pytest.raises(StoreLost):
            await first.write(lambda tx: tx.run("UPDATE meta SET value = value"))
        assert first.taken.is_set()
    await first.close()
    third = await connect(url)
    await end_sessions(cast(PostgresStore, third))
    assert await third.write(lambda tx: tx.run("UPDATE meta SET value = value")) > 0
    assert not third.taken.is_set(), "it was lost, and nobody else had it"
    await third.close()


async def test_a_server_that_made_the_tables_itself_sees_that_another_came_after_it(
    direct: str,
) -> None:
    first = cast(PostgresStore, await open_store(direct))
    await first.write(lambda tx: tx.run("UPDATE meta SET value = value"))
    end_sessions_at_once(direct)
    await (await connect(direct)).close()
    with pytest.raises(StoreLost):
        await first.write(lambda tx: tx.run("UPDATE meta SET value = value"))
    assert first.taken.is_set()
    await first.close()


async def test_commits_are_flushed_whatever_the_cluster_says(
    direct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await postgres.connect(direct)
    await connection.execute("ALTER ROLE windfall SET synchronous_commit = off")
    try:
        store = await connect(direct)
        row = await store.write(lambda tx: tx.one("SHOW synchronous_commit"))
        assert row == ("on",)
        await store.close()
    finally:
        await connection.execute("ALTER ROLE windfall RESET synchronous_commit")
        await connection.close()


async def test_without_asyncpg_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(LibraryMissing, match=r"pip install windfall\[postgres\]"):
        await connect("postgresql://u@localhost/x")
