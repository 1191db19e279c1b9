"""Versions of the agent that are refused."""

from __future__ import annotations

import click

from server.cli.agent import agent
from server.cli.client import Client
from server.cli.options import with_server
from server.cli.output import tell, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("versions", "reason", "until", "hosts", "by", "at")
BELOW = click.option("--below", is_flag=True, help="All versions before VERSION, not that one.")


def _span(version: str, below: bool) -> dict[str, str]:
    return {"below": version} if below else {"version": version}


@agent.command("ban")
@click.argument("version")
@BELOW
@click.option("--reason", required=True, help="Why; its agents are told it.")
@click.option("--hours", type=click.FloatRange(min=0.001), help="For how long (until lifted).")
@with_server
def ban_command(
    version: str, below: bool, reason: str, hours: float | None, server: Client
) -> None:
    """Refuse agents of VERSION: no work, no frames of theirs, until they are replaced."""
    seconds = None if hours is None else hours * 3600
    body = {**_span(version, below), "reason": reason, "seconds": seconds}
    made = server.post("agents", "ban", body=body)
    which = f"before {version}" if below else version
    tell(made, f"agents of versions {which} are banned" if below else f"agent {which} is banned")


@agent.command("unban")
@click.argument("version")
@BELOW
@with_server
def unban_command(version: str, below: bool, server: Client) -> None:
    """Take agents of VERSION again."""
    server.post("agents", "unban", body=_span(version, below))
    tell({**_span(version, below), "banned": False}, f"ban of {version} lifted")


@agent.command("bans")
@with_server
def bans_command(server: Client) -> None:
    """List the versions that are banned."""
    tell_rows(rows_of(server.get("agents", "bans"), "bans"), COLUMNS, "No version is banned.")
