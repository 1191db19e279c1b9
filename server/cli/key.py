"""Keys: made, endorsed, shown, and brought to the server; all of it works without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from server import keyring
from server.cli.exits import BadFile, NotSigned, WrongUse
from server.cli.groups import House
from server.cli.options import PATH, home_key, release_key_option, with_settings
from server.cli.output import note, tell, tell_facts, tell_rows
from server.cli.signing import signing_key
from server.keyring import KeyTrouble, Statement
from server.settings import Settings
from vmagent.wire import jws

DAY_S = 86_400.0
COLUMNS = ("kid", "use", "standing", "not_before", "not_after", "endorsed_by", "file")


@click.group(cls=House)
def key() -> None:
    """Keys that sign: release keys (a person's) and work keys (the server's)."""


@key.command("new")
@click.argument("use", type=click.Choice(keyring.USES))
@click.option("--name", help="Name of the two files; the use if not given.")
@click.option(
    "--folder", type=PATH, help="Where to; your own place (release), the server's (work)."
)
@with_settings
def new_command(use: str, name: str | None, folder: Path | None, settings: Settings) -> None:
    """Make a key: NAME.key (keep it secret) and NAME.jws (its statement, for all to see)."""
    if folder is None:
        folder = home_key().parent if use == "release" else settings.keys_folder
    path = make(use, folder, name or use)
    own = keyring.read_statement(path)
    cure = {
        "release": f"{path.with_suffix('.key')} belongs on a machine of yours, not on the server",
        "work": f"have it endorsed: windfall key endorse {path}",
    }
    tell(_facts(own, "new"), f"{path}: {use} key {own.value.kid}", f"Next: {cure[use]}")


def make(use: str, folder: Path, name: str) -> Path:
    """Make a key and its own statement in a folder; the statement's file."""
    if "/" in name or name.startswith("."):
        raise WrongUse(f"{name}: a name of a key is a name of a file, without a folder")
    path = folder / f"{name}.jws"
    if path.exists():
        raise KeyTrouble(f"{path} is there already; choose another name with --name")
    private = keyring.new_private(folder / f"{name}.key")
    write(path, keyring.state(use, keyring.public_of(private), private, float(int(time.time()))))
    return path


@key.command("endorse")
@click.argument("statement", type=PATH)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Valid so long from now.")
@click.option("--in-days", type=click.FloatRange(min=0), default=0.0, help="Valid from then on.")
@click.option("-o", "--output", "out", type=PATH, help="Where to; STATEMENT itself if not given.")
@release_key_option
def endorse_command(
    statement: Path, days: float | None, in_days: float, out: Path | None, key: Path | None
) -> None:
    """Sign the STATEMENT of a work key or of another release key, so that it is believed."""
    private = signing_key(key)
    endorsed = endorse(keyring.read_statement(statement), private, days, in_days)
    out = out or statement
    write(out, endorsed)
    done = keyring.read_statement(out)
    tell(
        _facts(done, "endorsed"),
        f"{out}: {done.value.use} key {done.value.kid}, endorsed by {done.signer}",
        f"Next, where the server is: windfall key add {out}{_with_half(done)}",
    )


def endorse(
    statement: Statement, private: Any, days: float | None = None, in_days: float = 0.0
) -> str:
    """The statement of this key as a release key endorses it."""
    signer = jws.key_id(keyring.public_of(private))
    value = statement.value
    if signer == value.kid:
        raise NotSigned(
            f"{statement.path}: a key cannot endorse itself; name another release key with --key"
        )
    if not statement.is_own and signer != statement.signer:
        raise NotSigned(
            f"{statement.path}: endorsed by {statement.signer} already; take the statement that "
            "`windfall key new` wrote, which proves that the key's owner made it"
        )
    if not statement.is_own:
        keyring.verify(statement, {signer: keyring.public_of(private)})
    start = time.time() + in_days * DAY_S
    first = float(int(start)) if in_days else value.not_before
    upto = None if days is None else float(int(start + days * DAY_S))
    return keyring.state(value.use, value.public, private, first, upto)


def _with_half(statement: Statement) -> str:
    """What has to come along with the statement of a work key."""
    if statement.value.use != "work":
        return ""
    return f", with {statement.path.stem}.key (its private half) in the server's folder of keys"


@key.command("add")
@click.argument("files", type=PATH, nargs=-1, required=True, metavar="STATEMENT...")
@with_settings
def add_command(files: tuple[Path, ...], settings: Settings) -> None:
    """Put key statements into the server's folder; a running server takes them up.

    The private half of a work key (NAME.key) you bring there yourself; a release key's stays away.
    """
    folder = settings.keys_folder
    fresh = [keyring.read_statement(path) for path in files]
    names = {s.path.name for s in fresh}
    there = [s for s in keyring.read_folder(folder) if s.path.name not in names]
    ordered = keyring.chain([*there, *fresh])
    reached = {s.value.kid for s in ordered}
    for statement in fresh:
        if statement.value.kid not in reached:
            why = "not endorsed" if statement.is_own else f"endorsed by {statement.signer}"
            raise NotSigned(
                f"{statement.path}: {why}, which no release key in {folder} stands for; add the "
                "release key's statement too, or have it endorsed with `windfall key endorse`"
            )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for statement in fresh:
        write(folder / statement.path.name, statement.text)
    tell(
        {"folder": str(folder), "added": [s.value.kid for s in fresh]},
        *(f"{folder / s.path.name}: {s.value.use} key {s.value.kid}" for s in fresh),
        "A running server takes it up by itself.",
    )
    for statement in _without_half(folder, fresh):
        name = f"{statement.path.stem}.key"
        note(
            f"Warning: {folder} has no private half of the work key {statement.value.kid}, so the "
            f"server cannot sign with it yet; copy {name} there, with mode 600"
        )


def _without_half(folder: Path, found: Sequence[Statement]) -> list[Statement]:
    """The work keys among these whose private half is not in the server's folder."""
    halves = {
        jws.key_id(keyring.public_of(keyring.read_private(path))) for path in folder.glob("*.key")
    }
    return [s for s in found if s.value.use == "work" and s.value.kid not in halves]


@key.command("list")
@click.option("--folder", type=PATH, help="The folder; the server's if not given.")
@with_settings
def list_command(folder: Path | None, settings: Settings) -> None:
    """List the keys in a folder, in the order in which agents come to believe them."""
    folder = folder or settings.keys_folder
    if not folder.is_dir():
        raise BadFile(f"{folder}: not a folder; name one with --folder")
    found = keyring.read_folder(folder)
    ordered = keyring.chain(found)
    rows = [_facts(s, _standing(s)) for s in ordered]
    rows += [_facts(s, "not believed") for s in found if s not in ordered]
    tell_rows(rows, COLUMNS, f"No keys in {folder}.")


@key.command("show")
@click.argument("file", type=PATH)
def show_command(file: Path) -> None:
    """Show what the key statement in FILE says."""
    statement = keyring.read_statement(file)
    tell_facts({**_facts(statement, _standing(statement)), "public": statement.value.public})


def _standing(statement: Statement) -> str:
    now = time.time()
    if statement.value.not_before > now:
        return "not yet valid"
    if not statement.is_valid(now):
        return "over"
    if statement.value.use == "work" and statement.is_own:
        return "not endorsed"
    return "valid"


def _facts(statement: Statement, standing: str) -> dict[str, Any]:
    value = statement.value
    return {
        "kid": value.kid,
        "use": value.use,
        "standing": standing,
        "not_before": value.not_before,
        "not_after": value.not_after,
        "endorsed_by": "itself" if statement.is_own else statement.signer,
        "file": str(statement.path),
    }


def write(path: Path, text: str) -> None:
    """A statement into its file, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text + "\n", encoding="ascii")
    os.replace(part, path)
