"""A backup brought here from where the server sends them; needs neither it nor its database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from server.blobs.base import BackendAbsent, Blobs, BlobTrouble
from server.blobs.choose import BadBlobsUrl, open_blobs
from server.cli.exits import BadFile, Missing, NotReached, WrongUse
from server.cli.groups import Deed
from server.cli.options import PATH, with_settings
from server.cli.output import size, tell
from server.settings import Settings, shown

T = TypeVar("T")


@click.command("fetch", cls=Deed)
@click.argument("name", required=False)
@click.option("--output", type=PATH, help="The file to write; else NAME in this folder.")
@click.option("--list", "listing", is_flag=True, help="Only show what lies there, newest first.")
@with_settings
def fetch_command(name: str | None, output: Path | None, listing: bool, settings: Settings) -> None:
    """Fetch the backup NAME, else the newest, from where the server sends them (backup.to).

    Works on a new machine: neither server nor database are needed. The file is looked over whole.
    """
    # Only here: every other command would start more slowly.
    from server.lookout import backups_at
    from server.services.upkeep import backups

    place = backups_at(settings)
    names = _ask(place, backups.lying)
    if listing:
        tell({"place": shown(place), "backups": names}, *(names or [f"{shown(place)}: none"]))
        return
    if not names or (name and name not in names):
        raise Missing(
            f"{shown(place)}: there is no backup{f' {name}' if name else ''}; see what is with"
            " `windfall db fetch --list`, and backup.to in the settings"
        )
    wanted = name or names[0]
    target = output or Path(wanted)
    if target.exists():
        raise WrongUse(f"{target} is there already; name another file with --output")
    count = _ask(place, lambda blobs: backups.fetch(blobs, wanted, target))
    tell({"file": str(target), "name": wanted, "size": count}, f"{target}: {size(count)}, whole")


def _ask(place: str, question: Callable[[Blobs], Awaitable[T]]) -> T:
    """What the place of backups answers."""

    async def run() -> T:
        blobs = open_blobs(place)
        try:
            return await question(blobs)
        finally:
            await blobs.close()

    try:
        return asyncio.run(run())
    except (BadBlobsUrl, BackendAbsent) as error:
        raise BadFile(f"backup.to: {error}") from error
    except BlobTrouble as error:
        raise NotReached(f"{shown(place)}: {error}; see that it answers, and try again") from error
