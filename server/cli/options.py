"""Options that several commands share: settings, the server to speak to, the key to sign with."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from server.cli.client import Client
from server.cli.exits import BadFile, NotSigned, WrongUse
from server.configure import read
from server.settings import Settings

Call = TypeVar("Call", bound=Callable[..., Any])


PATH = click.Path(path_type=Path)
CONFIG = click.option("--config", type=PATH, help="The settings file (docs/settings.md).")
SET = click.option(
    "--set", "sets", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting, above the file."
)
YES = click.option("--yes", is_flag=True, help="Do not ask.")
DATA = click.option("--data", help="The data folder: short for --set server.data=FOLDER.")


def numbered(what: str, shown_by: str) -> Callable[[Call], Call]:
    """The argument ID of a command, for what is named by a number that another command lists."""

    def check(ctx: click.Context, param: click.Parameter, value: str) -> str:
        if not (value.isascii() and value.isdigit()):
            raise click.BadParameter(f"{value!r} is no number of a {what}; `{shown_by}` shows them")
        return value

    return click.argument("id", callback=check)


def with_settings(function: Call) -> Call:
    """Give a command ``settings`` (`Settings`), read from ``--config``, ``--set`` and the rest."""

    @CONFIG
    @SET
    @DATA
    @functools.wraps(function)
    def run(
        config: Path | None, sets: Sequence[str], data: str | None, *args: Any, **more: Any
    ) -> Any:
        return function(*args, settings=_read(config, sets, data), **more)

    return run  # type: ignore[return-value]


def with_server(function: Call) -> Call:
    """Give a command ``server`` (`Client`): the one named, or that of the local data folder."""

    @click.option(
        "--server",
        "url",
        envvar="WINDFALL_SERVER",
        show_envvar=True,
        help="Address of the server; the one of the local settings if not given.",
    )
    @click.option(
        "--token-file",
        type=PATH,
        envvar="WINDFALL_TOKEN_FILE",
        show_envvar=True,
        help="File with an API token; the local admin.token if not given.",
    )
    @CONFIG
    @SET
    @DATA
    @functools.wraps(function)
    def run(
        url: str | None,
        token_file: Path | None,
        config: Path | None,
        sets: Sequence[str],
        data: str | None,
        *args: Any,
        **more: Any,
    ) -> Any:
        settings = None if url and token_file else _read(config, sets, data)
        client = Client(*_reach(url, token_file, settings))
        return function(*args, server=client, **more)

    return run  # type: ignore[return-value]


def _read(config: Path | None, sets: Sequence[str], data: str | None) -> Settings:
    return read({**pairs(sets), **({"server.data": data} if data else {})}, config=config)


def _reach(url: str | None, token_file: Path | None, settings: Settings | None) -> tuple[str, str]:
    """The address and the token."""
    if settings is None:
        return str(url), read_token(Path(str(token_file)))
    if url and url.rstrip("/") != settings.url:
        # The local token is of the local server; no other gets to see it.
        raise WrongUse(f"{url}: say with which token, with --token-file or $WINDFALL_TOKEN_FILE")
    return settings.url, read_token(token_file or settings.admin_token)


def read_token(path: Path) -> str:
    """The token in a file."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise BadFile(
            f"{path}: there is no token; name one with --token-file, or run this where the server "
            "keeps its data (it writes admin.token there when it first starts)"
        ) from None
    except UnicodeDecodeError:
        raise BadFile(f"{path}: not a file with a token") from None
    if not token or any(letter.isspace() for letter in token):
        raise BadFile(f"{path}: a token file holds one token and nothing else")
    return token


def pairs(sets: Sequence[str]) -> dict[str, str]:
    """The values of ``--set``."""
    found = {}
    for text in sets:
        key, sign, value = text.partition("=")
        if not sign:
            raise WrongUse(f"--set {text}: write it as SECTION.KEY=VALUE")
        found[key.strip()] = value
    return found


def release_key_option(function: Call) -> Call:
    """Give a command ``key`` (`Path`): the release key to sign with."""
    return click.option(
        "--key",
        type=PATH,
        help="Private release key to sign with; ~/.config/windfall/release.key if not given.",
    )(function)


def home_key() -> Path:
    """Where a person's own release key lies unless told otherwise."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "windfall" / "release.key"


def release_key(key: Path | None) -> Path:
    """The release key named, or the one at home; `NotSigned` if there is none."""
    if key is None and not home_key().is_file():
        raise NotSigned(
            f"this has to be signed with a release key, and {home_key()} is not there; name one "
            "with --key, or make one with `windfall key new release`"
        )
    return key or home_key()
