"""Credit: who has how much, and whether the books are right."""

from __future__ import annotations

import click

from server.cli.client import Client
from server.cli.exits import CheckFailed
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import tell, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("kind", "name", "credit", "per_event", "source", "taken_back")
CORRECTIONS = ("at", "host", "name", "account", "production", "events", "credit", "cause")
CHECK_MOST_S = 3600.0


@click.group(cls=House)
def credit() -> None:
    """Credit: one is a core-second of the reference host, for settled events alone."""


@credit.command("show")
@with_server
def show_command(server: Client) -> None:
    """Show the credit of accounts, hosts and productions."""
    tell_rows(rows_of(server.get("credit"), "lines"), COLUMNS, "No credit yet.")


@credit.command("corrections")
@click.option("--host", metavar="ID", help="Of this host alone.")
@with_server
def corrections_command(host: str | None, server: Client) -> None:
    """Show credit that was taken back, or given again, and why; the newest first."""
    wanted = {} if host is None else {"host": host}
    rows = rows_of(server.get("credit", "corrections", query=wanted), "lines")
    tell_rows(rows, CORRECTIONS, "Nothing was taken back.")


@credit.command("check")
@with_server
def check_command(server: Client) -> None:
    """Derive the books anew from the settled events, and compare."""
    answer = server.post("credit", "check", timeout_s=CHECK_MOST_S)
    faults = [str(fault) for fault in answer.get("faults", [])]
    if faults or not answer.get("ok"):
        raise CheckFailed("the books of credit are not right", faults)
    tell(answer, "the books of credit are right")
