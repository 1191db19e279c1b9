"""Backups in a real S3 service and on a real XRootD server: made, thinned, missed, put back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.blobs import xrootd
from server.blobs.retrying import Patience, RetryingBlobs
from server.domain.alert import OVER_AFTER_S
from server.services.upkeep import backups
from tests.conformance.blobs.servers import credentials, s3_server, xrootd_folder, xrootd_on
from tests.integration.test_operations import later, look, still
from tests.kit.command_line import run
from tests.kit.house import House, finish, house
from tests.kit.ports import free_port

HOUR_S = 3600.0
Serve = Callable[[], AbstractContextManager[str]]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    once = partial(RetryingBlobs, patience=Patience(tries=1))  # a test need not wait for six
    monkeypatch.setattr("server.blobs.choose.RetryingBlobs", once)
    # Nor for XRootD's client, which remembers for a while who did not answer.
    for name, seconds in (("ConnectionWindow", 1), ("StreamErrorWindow", 0)):
        monkeypatch.setitem(xrootd._CLIENT, name, seconds)


@pytest.fixture(params=["s3", "xrootd"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts the place for backups, at the same address each time, with what it had before."""
    port = free_port()
    if request.param == "s3":
        yield partial(s3_server, tmp_path, port)
        return
    with xrootd_folder() as folder:
        yield partial(xrootd_on, folder, port)


def place_at(url: str) -> str:
    """The place for backups of a pool there."""
    if url.startswith("root:"):
        return f"{url}//store/pool-a"
    return f"s3://windfall/pool-a?endpoint={url}"


async def windfall(*args: str | Path) -> Any:
    """A command without a server, its answer."""
    said = await asyncio.to_thread(run, *args, "--json")
    assert said.code == 0, said
    return said.json()


async def states(pool: House) -> list[str]:
    """What is known of the backups, newest first."""
    return [one["state"] for one in (await pool.told("/backups"))["backups"]]


async def made_later(pool: House, seconds: float) -> None:
    """The schedule is looked at some time later."""
    later(pool, seconds)
    await backups.once(pool.deps)


async def test_backups_are_kept_far_away_missed_when_it_is_gone_and_put_back_on_a_new_machine(
    tmp_path: Path, serve: Serve
) -> None:
    async with house(tmp_path) as pool:
        await pool.produce(pool.definition(events=100, unit=100, reference=0))
        await finish(pool, [await pool.join(name) for name in ("ada", "bob")])
    with serve() as url:
        place = place_at(url)
        options = {"backup.to": place, "backup.keep": "2", "backup.every_hours": "1"}
        async with still(tmp_path, **options) as pool:
            outgoing = tmp_path / "data" / "backups" / "outgoing"
            outgoing.mkdir(parents=True)
            (outgoing / "windfall-20200101T000000.000000Z.db").write_bytes(b"a kill left this")
            for _ in range(3):
                await made_later(pool, HOUR_S)
            assert await states(pool) == ["whole", "whole", "deleted"]
            assert list(outgoing.iterdir()) == []
    async with still(tmp_path, **options) as pool:  # nobody answers there now
        await made_later(pool, 5 * HOUR_S)
        assert await states(pool) == ["failed", "whole", "whole", "deleted"]
        [alert] = [one for one in (await look(pool))["alerts"] if one["kind"] == "backup"]
        assert alert["cause"].startswith("The last backup failed: ")
        with serve():
            await made_later(pool, 60.0)
            assert (await states(pool))[0] == "failed", "it is not tried at once again"
            await made_later(pool, backups.AGAIN_S)
            assert await states(pool) == ["whole", "failed", "whole", "deleted", "deleted"]
            later(pool, OVER_AFTER_S)
            assert not [one for one in (await look(pool))["alerts"] if one["kind"] == "backup"]
            [newest] = [b["name"] for b in (await pool.told("/backups"))["backups"][:1]]
            file, data = tmp_path / "newest.db", tmp_path / "new" / "data"
            data.mkdir(parents=True)
            there = await windfall("db", "fetch", "--list", "--set", f"backup.to={place}")
            assert (there["backups"][0], len(there["backups"])) == (newest, 2)
            await windfall("db", "fetch", "--output", file, "--set", f"backup.to={place}")
    assert file.stat().st_mode & 0o777 == 0o600
    await windfall("db", "restore", file, "--data", data)
    for kept in ("admin.token", "at-rest.key"):  # which are in no backup
        shutil.copy(tmp_path / "data" / kept, data)
    async with house(tmp_path / "new") as again:
        assert (await again.show())["settled"] == 100
        _, checked = await again.manage("POST", "/stats/check")
        assert checked == {"ok": True, "discrepancies": []}


def test_a_backup_that_is_not_there_or_is_damaged_is_not_fetched(tmp_path: Path) -> None:
    far, file = tmp_path / "far", tmp_path / "file.db"
    to, output = f"backup.to=file://{far}", ("--output", file)
    said = run("db", "fetch", "--set", to)
    assert (said.code, "there is no backup; see" in said.err) == (6, True), said
    name = "windfall-20260101T000000.000000Z.db"
    far.mkdir()
    (far / name).write_bytes(b"no database")
    (far / "notes.txt").write_text("not one of ours")
    listed = run("db", "fetch", "--list", "--set", to, "--json").json()
    assert listed["backups"] == [name]
    said = run("db", "fetch", "windfall-20200101T000000.000000Z.db", "--set", to)
    assert (said.code, "windfall-20200101T000000" in said.err) == (6, True), said
    said = run("db", "fetch", *output, "--set", to)
    assert (said.code, "the copy cannot be read" in said.err) == (3, True), said
    assert list(tmp_path.iterdir()) == [far], "nothing half is left"
    file.write_text("mine")
    said = run("db", "fetch", *output, "--set", to)
    assert (said.code, "--output" in said.err, file.read_text()) == (2, True, "mine"), said
    said = run("db", "fetch", "--set", "backup.to=ftp://there")
    assert (said.code, "known are" in said.err) == (3, True), said
