"""How far hosts are believed, said by a person."""

from __future__ import annotations

from typing import Any

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.host import HOST, host
from server.cli.options import YES, with_server
from server.cli.output import tell

REASON = click.option("--reason", default="", help="Why, in a line; kept in the log of moves.")


@host.command("distrust")
@HOST
@REASON
@with_server
def distrust_command(id: str, reason: str, server: Client) -> None:
    """Believe nothing of the host ID alone any more.

    It goes on computing, but its events need a quorum with others; what was taken on its word is
    marked as doubtful, and the credit for that taken back. It stays so until `reset-trust`.
    """
    _say(server, id, "distrust", reason, f"host {id} is doubted")


@host.command("trust")
@HOST
@REASON
@with_server
def trust_command(id: str, reason: str, server: Client) -> None:
    """Trust the host ID without waiting until it has earned it, until it is caught.

    For machines of your own. Spot checks go on.
    """
    _say(server, id, "trust", reason, f"host {id} is trusted")


@host.command("clear-doubt")
@HOST
@REASON
@with_server
def clear_command(id: str, reason: str, server: Client) -> None:
    """Say that what was taken on the word of the host ID is right after all.

    None of it is doubtful any more, and its credit is given back. How far the host is believed
    from now on stays as it is.
    """
    _say(server, id, "clear", reason, f"nothing of host {id} is doubtful")


@host.command("reset-trust")
@HOST
@REASON
@YES
@with_server
def reset_command(id: str, reason: str, yes: bool, server: Client) -> None:
    """Forget all that is known of the host ID's trust, good and bad: it is new again."""
    confirm(f"Forget what is known of host {id}?", yes=yes)
    _say(server, id, "reset", reason, f"host {id} is new")


def _say(server: Client, host: str, word: str, reason: str, told: str) -> None:
    body: dict[str, Any] = {"word": word, "reason": reason}
    tell(server.post("hosts", host, "trust", body=body), told)
