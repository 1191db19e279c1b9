"""Backups while the server writes: complete, durable under their name, or absent."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.db.backup import backup, look_over, without_password
from server.db.choose import connect, open_store
from server.db.errors import BackupFailed, BadStoreUrl
from tests.conformance.db.conftest import CountingStore
from tests.conformance.db.notes import kept, note


def restored(copy: Path, new_url: Callable[[], str]) -> str:
    """The address of a database made from a backup."""
    url = new_url()
    if url.startswith("sqlite"):
        copy.rename(url.removeprefix("sqlite:///"))
    else:
        subprocess.run(["pg_restore", f"--dbname={url}", str(copy)], check=True)
    return url


async def test_a_backup_made_while_others_write_holds_every_commit_before_it(
    url: str, store: CountingStore, new_url: Callable[[], str], tmp_path: Path
) -> None:
    before = await asyncio.gather(*(store.write(note(f"before{n}")) for n in range(50)))
    stop = asyncio.Event()
    during: list[str] = []

    async def go_on() -> None:
        while not stop.is_set():
            during.append(await store.write(note(f"during{len(during)}")))

    writing = asyncio.create_task(go_on())
    await asyncio.to_thread(backup, url, tmp_path / "copy")
    stop.set()
    await writing
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    again = await connect(restored(tmp_path / "copy", new_url))
    found = await kept(again)
    await again.close()
    assert found[:50] == before
    assert found[50:] == during[: len(found) - 50]
    assert await kept(store) == before + during


async def test_a_backup_replaces_the_one_before(
    url: str, store: CountingStore, tmp_path: Path, new_url: Callable[[], str]
) -> None:
    target = tmp_path / "folder" / "copy"
    target.parent.mkdir()
    backup(url, target)
    await store.write(note("a"))
    backup(url, target)
    assert [file.name for file in target.parent.iterdir()] == ["copy"]
    again = await connect(restored(target, new_url))
    assert await kept(again) == ["a"]
    await again.close()


async def test_a_backup_that_fails_leaves_nothing_and_the_old_one_in_place(
    new_url: Callable[[], str], tmp_path: Path
) -> None:
    url = new_url()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "copy").write_text("the old one")
    missing = url.replace("test", "missing")
    with pytest.raises(BackupFailed):
        backup(missing, folder / "copy")
    assert [file.name for file in folder.iterdir()] == ["copy"]
    assert (folder / "copy").read_text() == "the old one"


async def test_a_backup_into_a_folder_that_is_not_there_is_told(
    url: str, store: CountingStore, tmp_path: Path
) -> None:
    await store.write(note("a"))
    with pytest.raises(BackupFailed):
        backup(url, tmp_path / "nowhere" / "copy")


async def test_the_database_itself_is_no_target(tmp_path: Path) -> None:
    path = tmp_path / "own.db"
    store = await connect(f"sqlite:///{path}")
    with pytest.raises(BackupFailed, match="the database itself"):
        backup(f"sqlite:///{path}", path)
    await store.close()


async def test_a_file_that_is_no_backup_is_not_written_over(
    url: str, store: CountingStore, tmp_path: Path
) -> None:
    await store.write(note("a"))
    letter = tmp_path / "settings"
    letter.write_text("[server]\nport = 8600\n")
    with pytest.raises(BackupFailed, match="settings is there and is no backup; give another"):
        backup(url, letter)
    assert letter.read_text().startswith("[server]")


def test_what_is_no_address_of_a_database_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BadStoreUrl):
        backup("mysql://x", tmp_path / "copy")


def test_without_pg_dump_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupFailed, match="install postgresql-client"):
        backup("postgresql://u@localhost/x", tmp_path / "copy")


def test_a_password_is_kept_out_of_the_arguments() -> None:
    assert without_password("postgresql://u:p%40ss@h:5432/d?sslmode=require") == (
        "postgresql://u@h:5432/d?sslmode=require",
        "p@ss",
    )
    assert without_password("postgresql://u@h/d") == ("postgresql://u@h/d", None)


async def test_a_copy_is_looked_over_whole_and_a_damaged_one_is_found(
    new_url: Callable[[], str], tmp_path: Path
) -> None:
    url = new_url()
    await (await open_store(url)).close()
    backup(url, tmp_path / "copy")
    look_over(url, tmp_path / "copy")
    raw = (tmp_path / "copy").read_bytes()
    (tmp_path / "torn").write_bytes(raw[: len(raw) // 2])
    (tmp_path / "other").write_bytes(b"not a backup at all" * 500)
    for name in ("torn", "other"):
        with pytest.raises(BackupFailed):
            look_over(url, tmp_path / name)


async def test_a_copy_of_something_else_is_no_backup(tmp_path: Path) -> None:
    store = await connect(f"sqlite:///{tmp_path}/empty.db")
    await store.close()
    with pytest.raises(BackupFailed, match="cannot be read"):
        look_over(f"sqlite:///{tmp_path}/x.db", tmp_path / "empty.db")
