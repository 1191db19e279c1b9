"""The agent as machines fetch it: signed with a release key, and laid out by the server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from server import keyring
from server.cli.exits import BadFile, NotSigned
from server.cli.groups import House
from server.cli.options import PATH, release_key_option, with_settings
from server.cli.output import tell
from server.cli.payload import digest_of
from server.cli.signing import hold_agent, put, signing_key
from server.settings import Settings
from vmagent import __version__
from vmagent.wire import codec, jws, statements

NAME = "windfall-agent"


@click.group(cls=House)
def agent() -> None:
    """The agent that machines fetch from the server: one file, signed."""


@agent.command("sign")
@click.argument("file", type=PATH)
@click.option("--version", default=__version__, help="Its version; this program's if not given.")
@click.option("-o", "--output", "out", type=PATH, help="The statement; FILE.jws if not given.")
@release_key_option
def sign_command(file: Path, version: str, out: Path | None, key: Path | None) -> None:
    """Sign the agent FILE (tools/pack_agent makes it) with a release key."""
    private = signing_key(key)
    hold_agent(file)
    value = statements.AgentStatement(
        version, digest_of(file), file.stat().st_size, round(time.time(), 3)
    )
    out = out or file.with_suffix(".jws")
    put(out, statements.AGENT, jws.sign(statements.AGENT, codec.plain(value), private))
    tell(
        {"file": str(out), **codec.plain(value)},
        f"{out}: agent {version}, signed",
        f"Next, on the server: windfall agent publish {file}",
    )


@agent.command("publish")
@click.argument("file", type=PATH)
@click.option("--statement", type=PATH, help="Its signed statement; FILE.jws if not given.")
@with_settings
def publish_command(file: Path, statement: Path | None, settings: Settings) -> None:
    """Let the server of this machine hand out the agent FILE; no restart is needed."""
    hold_agent(file)
    source = statement or file.with_suffix(".jws")
    text = _read(source)
    trusted = _trusted(settings)
    try:
        found = jws.verify(statements.AGENT, text, trusted)
        value = codec.build(found, statements.AgentStatement, "statement")
    except jws.Unsigned as error:
        raise NotSigned(
            f"{source}: {error}; sign FILE with a release key of this server"
        ) from error
    except codec.BadMessage as error:
        raise BadFile(f"{source}: not the statement of an agent: {error}") from error
    if digest_of(file) != value.digest:
        raise NotSigned(f"{file}: not what {source} was signed for; sign it again")
    folder = settings.data / "agent"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(folder / f"{NAME}.pyz", file.read_bytes())
    _replace(folder / f"{NAME}.jws", text.encode())
    tell(
        {"folder": str(folder), "version": value.version, "digest": value.digest},
        f"agent {value.version} is at /agent/{NAME}.pyz of this server",
    )


def _read(statement: Path) -> str:
    try:
        return statement.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise NotSigned(
            f"{statement}: the statement is not there; make it with `windfall agent sign FILE`"
        ) from None
    except UnicodeDecodeError:
        raise BadFile(f"{statement}: not the statement of an agent") from None


def _trusted(settings: Settings) -> Mapping[str, str]:
    """The release keys of the server whose data folder these settings name."""
    folder = settings.keys_folder
    try:
        return keyring.load(
            folder, time.time(), [Path(name) for name in settings.keys.release]
        ).trusted
    except keyring.NoKeys as error:
        raise BadFile(
            f"{folder}: no keys are there, so {settings.data} is not the data folder of a server; "
            "name it with --data, or the server's settings with --config"
        ) from error


def _replace(path: Path, body: bytes) -> None:
    """Put a file where another may be read this moment."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(body)
    new.replace(path)
