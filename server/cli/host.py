"""Hosts: listed, commanded, and believed no longer."""

from __future__ import annotations

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import YES, numbered, with_server
from server.cli.output import tell, tell_rows
from server.cli.payload import rows_of

COMMANDS = ("drain", "stop", "suspend", "resume", "new-token")
HOST = numbered("host", "windfall host list")
COLUMNS = (
    *("id", "name", "account", "site", "state", "why", "cores", "arch", "sandbox", "running"),
    *("delivered_events", "rejected_events", "trust", "credit", "last_seen"),
)


@click.group(cls=House)
def host() -> None:
    """Machines that compute."""


@host.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the hosts."""
    tell_rows(rows_of(server.get("hosts"), "hosts"), COLUMNS, "No hosts yet.")


@host.command("revoke")
@HOST
@YES
@with_server
def revoke_command(id: str, yes: bool, server: Client) -> None:
    """Believe the host ID no longer: its leases end, and it has to be paired anew."""
    confirm(f"Believe host {id} no longer?", yes=yes)
    server.post("hosts", id, "revoke")
    tell({"host": id, "revoked": True}, f"host {id} is believed no longer")


@host.command("ban")
@HOST
@click.option("--reason", required=True, help="Why; the host is told it.")
@click.option("--hours", type=click.FloatRange(min=0.001), help="For how long (until lifted).")
@with_server
def ban_command(id: str, reason: str, hours: float | None, server: Client) -> None:
    """Refuse the host ID: its leases end, what it holds it keeps until it is taken again."""
    body = {"reason": reason, "seconds": None if hours is None else hours * 3600}
    tell(server.post("hosts", id, "ban", body=body), f"host {id} is banned")


@host.command("unban")
@HOST
@with_server
def unban_command(id: str, server: Client) -> None:
    """Take the host ID again."""
    server.post("hosts", id, "unban")
    tell({"host": id, "banned": False}, f"host {id} may work again")


@host.command("command")
@HOST
@click.argument("command", type=click.Choice(COMMANDS))
@with_server
def command_command(id: str, command: str, server: Client) -> None:
    """Tell the host ID to drain (finish, take no more), stop, suspend or resume.

    With new-token it fetches another secret, and the one it had ends within minutes.
    """
    answer = server.post("hosts", id, "commands", body={"name": command})
    tell(answer, f"host {id} is told to {command}")
