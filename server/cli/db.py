"""The database: brought up to date, saved, looked over."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from server.cli.exits import CheckFailed, Missing
from server.cli.fetching import fetch_command
from server.cli.groups import House
from server.cli.options import PATH, with_settings
from server.cli.output import size, tell
from server.settings import Settings, shown


@click.group(cls=House)
def db() -> None:
    """The server's database."""


db.add_command(fetch_command)


@db.command("upgrade")
@with_settings
def upgrade_command(settings: Settings) -> None:
    """Bring the database to the schema of this program; stop the server and make a backup first."""
    from server.db.choose import upgrade_store

    _hold_there(settings.database_url)
    applied = asyncio.run(upgrade_store(settings.database_url))
    where = shown(settings.database_url)
    tell({"database": where, "applied": applied}, *applied, f"{where} is up to date")


@db.command("backup")
@click.argument("file", type=PATH)
@with_settings
def backup_command(file: Path, settings: Settings) -> None:
    """Copy the database to FILE; works while the server runs, and checks the copy.

    Blobs and segment files are not in it: save those folders afterwards.
    """
    from server.db.backup import backup

    backup(settings.database_url, file.absolute())
    count = file.stat().st_size
    tell({"file": str(file), "size": count}, f"{file}: {size(count)}")


@db.command("restore")
@click.argument("file", type=PATH, required=False)
@with_settings
def restore_command(file: Path | None, settings: Settings) -> None:
    """Put the backup FILE back, and make it fit what went on after it; stop the server first.

    What was acknowledged after the backup is taken from the segments where it lies there still, and
    computed again else. Without FILE the database as it stands is made to fit: after
    pg_restore, or after its file was put back by hand. Hosts that joined after it must join again.
    """
    from server.db.restore import restore

    folder = settings.data / "segments"
    sizes = {int(path.stem): path.stat().st_size for path in folder.glob("[0-9]*.seg")}
    done = restore(settings.database_url, None if file is None else file.absolute(), sizes)
    where = shown(settings.database_url)
    tell(
        {"database": where, "applied": done.applied, "frames_dropped": done.frames_dropped},
        *done.applied,
        f"{where} is restored; {done.frames_dropped} frames are gone and will be computed again",
        "Everybody logs in anew, and orders to many machines that waited are undone. What was "
        "revoked, banned or withdrawn after the backup was made is not: do so again.",
    )


@db.command("check")
@with_settings
def check_command(settings: Settings) -> None:
    """Look the database over for damage and for its schema; stop the server first."""
    _hold_there(settings.database_url)
    schema, faults = asyncio.run(_look_over(settings.database_url))
    where = shown(settings.database_url)
    if faults:
        raise CheckFailed(f"{where} is damaged; restore a backup", faults)
    tell({"database": where, "schema": schema, "ok": True}, f"{where}: schema {schema}, whole")


@db.command("imagine")
@click.option(
    "--hosts",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many machines.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3660),
    default=90,
    show_default=True,
    help="How many days until now.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of what is drawn.")
@with_settings
def imagine_command(hosts: int, days: int, seed: int, settings: Settings) -> None:
    """Fill an empty database with made-up history, for looking at pages; stop the server first.

    Nothing of it was computed: productions have no outputs. For a pool that is real, never.
    """
    _hold_there(settings.database_url)
    leases = asyncio.run(_imagine(settings, hosts, days, seed))
    tell(
        {"hosts": hosts, "days": days, "leases": leases},
        f"{hosts} machines and {leases} leases of {days} days were made up",
    )


async def _imagine(settings: Settings, hosts: int, days: int, seed: int) -> int:
    from server import safefile
    from server.db.choose import open_store
    from server.services.imagine import history

    safe = safefile.read(settings.at_rest_file)
    store = await open_store(settings.database_url)
    try:
        return await history(store, safe, hosts, days, time.time(), seed)
    finally:
        await store.close()


def _hold_there(url: str) -> None:
    """`Missing` if this is a database in a file, and the file is not there."""
    from server.db.choose import sqlite_path

    path = sqlite_path(url)
    if path is not None and not path.is_file():
        raise Missing(
            f"{path}: there is no database; the server makes it when it first starts. If there is "
            "one elsewhere, name its data folder with --data or its settings with --config"
        )


async def _look_over(url: str) -> tuple[int, list[str]]:
    from server.db.choose import connect
    from server.db.damage import damage
    from server.db.migrate import check, packaged, version

    store = await connect(url)
    try:
        faults = await damage(store)
        if faults:
            return 0, faults
        found = await version(store)
        check(found, packaged())
        return found.schema, []
    finally:
        await store.close()
