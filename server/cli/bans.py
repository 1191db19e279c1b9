"""One host in full, and the bans."""

from __future__ import annotations

from server.cli.client import Client
from server.cli.host import HOST, host
from server.cli.options import with_server
from server.cli.output import tell_facts, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("host", "name", "kind", "subject", "reason", "by", "at", "until", "ended_at", "ended_by")


@host.command("show")
@HOST
@with_server
def show_command(id: str, server: Client) -> None:
    """Show the host ID: what it is, how far it is believed and why, what is held against it."""
    tell_facts(server.get("hosts", id))


@host.command("bans")
@with_server
def bans_command(server: Client) -> None:
    """List the bans, those that stand first."""
    tell_rows(rows_of(server.get("bans"), "bans"), COLUMNS, "Nobody is banned, and nobody was.")
