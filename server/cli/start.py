"""The server started, and a single machine set up for it in one go."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from server import keyring
from server.cli.groups import Deed
from server.cli.key import endorse, make, write
from server.cli.options import CONFIG, DATA, PATH, SET, home_key, pairs, with_settings
from server.cli.output import note, tell
from server.configure import read
from server.settings import Settings


@click.command("serve", cls=Deed)
@click.option("--host", help="Address to listen on.")
@click.option("--port", help="Port to listen on.")
@click.option("--url", help="The address under which agents and browsers reach the server.")
@CONFIG
@SET
@DATA
def serve_command(config: Path | None, sets: tuple[str, ...], **short: str | None) -> None:
    """Run the server until it is told to stop (SIGTERM, or Ctrl-C)."""
    chosen = {f"server.{name}": value for name, value in short.items() if value is not None}
    settings = read({**pairs(sets), **chosen}, config=config)
    # Only here: every other command would start twice as slowly.
    from server import wiring

    wiring.serve(settings)


@click.command("init", cls=Deed)
@click.option("--release-key", type=PATH, help="Your release key; made if it is not there.")
@with_settings
def init_command(release_key: Path | None, settings: Settings) -> None:
    """Set this machine up: data folder, release key, and a work key that it endorses.

    What is there already is kept. For more than a try-out the release key belongs on another
    machine: see `windfall key --help`.
    """
    done = set_up(settings, release_key or home_key())
    tell(
        {name: str(path) for name, path in done.items()},
        f"{done['data']}: the server's data",
        f"{done['release']}: your release key",
        f"{done['work']}: the server's work key, endorsed by it",
        "Next: windfall serve",
    )
    note(
        f"{done['release']} can sign programs that every host will run. Keep it on a machine of "
        "yours, off the server, and keep a copy."
    )


def set_up(settings: Settings, release: Path) -> dict[str, Any]:
    """The folders and keys of a single machine; what is there is kept."""
    folder = settings.keys_folder
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = release.with_suffix(".jws")
    if not release.exists():
        own = make("release", release.parent, release.stem)
    private = keyring.read_private(release)
    if not own.exists():
        public = keyring.public_of(private)
        write(own, keyring.state("release", public, private, float(int(time.time()))))
    there = keyring.read_folder(folder)
    if not any(s.value.kid == keyring.read_statement(own).value.kid for s in there):
        write(folder / own.name, own.read_text(encoding="ascii").strip())
    work = folder / "work.jws"
    if not work.exists():
        make("work", folder, "work")
    statement = keyring.read_statement(work)
    if statement.is_own:
        write(work, endorse(statement, private))
    keyring.load(folder, time.time())
    return {"data": settings.data, "release": release, "work": work.with_suffix(".key")}
