"""Backups that the server makes: listed, and one made at once."""

from __future__ import annotations

import click

from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import size, tell, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("id", "name", "state", "size", "ended_at", "made_by", "why")
PATIENCE_S = 3600.0


@click.group(cls=House)
def backup() -> None:
    """Backups of the database that the server makes itself; see also `windfall db backup`."""


@backup.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=50, help="At most so many.")
@with_server
def list_command(limit: int, server: Client) -> None:
    """List the latest backups, newest first."""
    rows = rows_of(server.get("backups", query={"limit": str(limit)}), "backups")
    tell_rows(rows, COLUMNS, "No backup is known yet.")


@backup.command("make")
@with_server
def make_command(server: Client) -> None:
    """Copy the database now, to where the settings say, and look the copy over."""
    made = server.post("backups", timeout_s=PATIENCE_S)
    tell(made, f"{made['place']}/{made['name']}: {size(made['size'])}, whole")
