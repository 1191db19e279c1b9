"""A backup that is put back fits what went on after it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.db import restore as restoring
from server.db.backup import backup
from server.db.base import Tx
from server.db.choose import connect, open_store, upgrade_store
from server.db.errors import RestoreFailed, StoreInUse
from server.db.restore import GAP, restore

FRAME = (
    "INSERT INTO frames (production, unit, task, host, account, first, last, segment, place,"
    " length, digest, received_at) VALUES (1, $1, $2, 1, 1, 0, 10, $3, $4, 100, $5, 0)"
)


async def write(url: str, *statements: tuple[Any, ...]) -> None:
    """Run statements on a database, which is made if need be."""
    store = await open_store(url)
    for sql, *args in statements:
        await store.write(partial(_run, sql, args))
    await store.close()


async def _run(sql: str, args: list[Any], tx: Tx) -> int:
    return await tx.run(sql, *args)


async def rows(url: str, sql: str) -> list[Any]:
    """What a query finds."""
    store = await connect(url)
    found = await store.read(lambda tx: tx.all(sql))
    await store.close()
    return [tuple(row) for row in found]


def task(number: int) -> tuple[Any, ...]:
    """A task that waits."""
    return (
        "INSERT INTO tasks (id, production, unit, first, last, state)"
        " VALUES ($1, 1, 0, 0, 10, 'ready')",
        number,
    )


ORDER = (
    "INSERT INTO commands (host, name, args, issued_by, issued_at, expires_at)"
    " VALUES (1, 'drain', '{}', 'ada', 0, 1e12)",
)


async def put_back(url: str, copy: Path, sizes: dict[int, int]) -> int:
    """Restore as an operator does; frames dropped."""
    if url.startswith("sqlite"):
        return (await asyncio.to_thread(restore, url, copy, sizes)).frames_dropped
    with pytest.raises(RestoreFailed, match="pg_restore"):
        await asyncio.to_thread(restore, url, copy, sizes)
    command = ["pg_restore", "--clean", f"--dbname={url}", str(copy)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    return (await asyncio.to_thread(restore, url, None, sizes)).frames_dropped


async def test_numbers_given_after_the_backup_are_never_given_again(
    url: str, tmp_path: Path
) -> None:
    await write(url, task(41), ORDER)
    backup(url, tmp_path / "copy")
    await write(url, task(42), ORDER)
    assert await put_back(url, tmp_path / "copy", {}) == 0
    await write(url, ORDER)
    assert (await rows(url, "SELECT max(id) FROM tasks"))[0][0] == 41 + GAP
    assert await rows(url, "SELECT id FROM tasks WHERE state = 'ready'") == [(41,)]
    seqs = [row[0] for row in await rows(url, "SELECT seq FROM commands WHERE host = 1")]
    assert seqs[-1] == max(seqs) > 1 + GAP, "every agent hears the next command"


async def test_a_backup_is_put_back_where_there_is_no_data_folder_yet(tmp_path: Path) -> None:
    await write(f"sqlite:///{tmp_path}/old.db", task(41))
    backup(f"sqlite:///{tmp_path}/old.db", tmp_path / "copy")
    new = f"sqlite:///{tmp_path}/new/machine/windfall.db"
    await put_back(new, tmp_path / "copy", {})
    assert await rows(new, "SELECT id FROM tasks WHERE state = 'ready'") == [(41,)]
    assert (tmp_path / "new/machine").stat().st_mode & 0o777 == 0o700


async def test_frames_whose_bytes_are_gone_are_computed_again(url: str, tmp_path: Path) -> None:
    digest = bytes(32)
    await write(
        url,
        ("INSERT INTO units (production, number, state) VALUES (1, 0, 'open'), (1, 1, 'open')",),
        (FRAME, 0, 1, 5, 900, digest),
        (FRAME, 0, 2, 6, 0, digest),
        (FRAME, 1, 3, 7, 0, digest),
        (FRAME, 1, 4, 7, 100, digest),
        ("INSERT INTO settled (production, unit, first, last, task) VALUES (1, 0, 0, 10, 2)",),
        ("INSERT INTO settled (production, unit, first, last, task) VALUES (1, 1, 0, 10, 3)",),
        ("INSERT INTO segments_closed (number) VALUES (5), (6)",),
    )
    backup(url, tmp_path / "copy")
    assert await put_back(url, tmp_path / "copy", {5: 1000, 7: 150}) == 2
    assert await rows(url, "SELECT task FROM frames ORDER BY task") == [(1,), (3,)]
    assert await rows(url, "SELECT task FROM settled") == [(3,)]
    assert await rows(url, "SELECT number FROM units WHERE dirty > 0 ORDER BY number") == [
        (0,),
        (1,),
    ]
    assert await rows(url, "SELECT number FROM segments_closed") == []


async def test_what_was_ended_used_or_undone_since_is_not_good_once_more(
    url: str, tmp_path: Path
) -> None:
    session = (
        "INSERT INTO sessions (account, hash, state, how, created_at, seen_at, ends_at, address,"
        " agent) VALUES (1, $1, 'open', 'password', 1, 1, 1e12, '', '')"
    )
    link = (
        "INSERT INTO links (kind, hash, made_by, made_at, expires_at) VALUES ($1, $2, '', 5, 1e12)"
    )
    order = (
        "INSERT INTO bulk_orders (action, args, subjects, made_by, made_at, begins_at)"
        " VALUES ('stop', '{}', '[1]', 'ada', 1, 1e6)"
    )
    await write(
        url, (session, bytes(32)), (link, "reset", b"r" * 32), (link, "invitation", b"i" * 32),
        (order,),
    )  # fmt: skip
    backup(url, tmp_path / "copy")
    await put_back(url, tmp_path / "copy", {})
    assert await rows(url, "SELECT id FROM sessions") == []
    ended = "SELECT kind FROM links WHERE revoked_at IS NOT NULL"
    assert await rows(url, ended) == [("reset",)]
    assert await rows(url, "SELECT undone_by FROM bulk_orders") == [("restore",)]


async def test_nothing_is_put_back_under_a_server_that_runs(url: str, tmp_path: Path) -> None:
    await write(url, task(1))
    backup(url, tmp_path / "copy")
    running = await connect(url)
    copy = tmp_path / "copy" if url.startswith("sqlite") else None
    with pytest.raises(StoreInUse):
        await asyncio.to_thread(restore, url, copy, {})
    await running.close()


async def test_what_is_no_backup_is_refused_and_leaves_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/windfall.db"
    await write(url, task(1))
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 30)
    for name in ("absent", "windfall.db"):
        with pytest.raises(RestoreFailed):
            await asyncio.to_thread(restore, url, tmp_path / name, {})
    with pytest.raises(Exception, match="not a database"):
        await asyncio.to_thread(restore, url, tmp_path / "text", {})
    assert await rows(url, "SELECT id FROM tasks") == [(1,)]
    assert [name for name in os.listdir(tmp_path) if "restoring" in name] == []


async def test_nobody_else_reads_a_backup_while_it_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes of passwords are in it, and the folder may be one that others read."""
    url = f"sqlite:///{tmp_path}/windfall.db"
    await write(url, task(41))
    backup(url, tmp_path / "copy")
    seen: dict[str, int] = {}

    def modes() -> dict[str, int]:
        return {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob(".*")}

    async def look(partial_url: str) -> list[str]:
        seen.update(modes())
        return await upgrade_store(partial_url)

    monkeypatch.setattr(restoring, "upgrade_store", look)
    before = os.umask(0o022)
    try:
        await put_back(url, tmp_path / "copy", {})
    finally:
        os.umask(before)
    assert set(seen.values()) == {0o600}
    assert (tmp_path / "windfall.db").stat().st_mode & 0o077 == 0
