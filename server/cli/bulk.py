"""Orders to many machines at once: what they would affect, given, undone."""

from __future__ import annotations

from typing import Any

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.exits import Missing
from server.cli.groups import House
from server.cli.options import YES, with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

ACTIONS = ("drain", "stop", "suspend", "resume", "ban", "unban", "release")
COLUMNS = (
    *("id", "action", "subjects", "state", "reason", "made_by", "made_at", "begins_at"),
    *("undone_by", "done_at", "outcome"),
)


@click.group(cls=House)
def bulk() -> None:
    """Orders to many machines at once; each can be undone until it begins."""


@bulk.command("order")
@click.argument("action", type=click.Choice(ACTIONS))
@click.option("--host", "hosts", type=int, multiple=True, help="This machine; may be repeated.")
@click.option("--name", default="", help="Machines with this in name, account or site.")
@click.option("--account", default="", help="Machines of this account.")
@click.option("--site", default="", help="Machines of this site.")
@click.option("--state", default="", help="Machines in this state, as `host list` says it.")
@click.option("--all", "everybody", is_flag=True, help="All machines there are.")
@click.option("--production", multiple=True, help="With release: held units of this production.")
@click.option("--reason", default="", help="Of a ban: why; the machines are told it.")
@click.option("--hours", type=click.FloatRange(min=0.001), help="Of a ban (until lifted).")
@click.option("--grace", type=float, default=60.0, help="Seconds until it begins.")
@click.option("--dry-run", is_flag=True, help="Tell what it would affect, and do nothing.")
@YES
@with_server
def order_command(
    action: str,
    hosts: tuple[int, ...],
    everybody: bool,
    production: tuple[str, ...],
    hours: float | None,
    grace: float,
    dry_run: bool,
    yes: bool,
    server: Client,
    **said: str,
) -> None:
    """Tell many machines to ACTION, after showing what that affects."""
    chosen = (*hosts, *production, said["name"], said["account"], said["site"], said["state"])
    if not any(chosen) and not everybody:
        raise click.UsageError("say which machines: --host, --site, --account, --state or --all")
    body: dict[str, Any] = {
        "action": action, "hosts": list(hosts), "q": said["name"], "account": said["account"],
        "site": said["site"], "state": said["state"], "productions": list(production),
        "reason": said["reason"], "seconds": None if hours is None else hours * 3600,
        "grace_s": grace,
    }  # fmt: skip
    found = server.post("bulk", "preview", body=body)
    if not found["subjects"]:
        raise Missing(
            "nothing is like that: no machine would be told anything; "
            "`windfall host list` shows names, accounts, sites and states"
        )
    if dry_run:
        tell_facts(found)
        return
    if not is_json():
        tell_facts(found)
    confirm(f"{action}: {found['subjects']} at once?", yes=yes)
    made = server.post("bulk", body={**body, "seen": found["seen"]})
    tell(made, f"order {made['id']} begins in {grace:g} s; windfall bulk undo {made['id']}")


@bulk.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the latest orders."""
    tell_rows(rows_of(server.get("bulk"), "orders"), COLUMNS, "No orders yet.")


@bulk.command("undo")
@click.argument("id", type=int)
@with_server
def undo_command(id: int, server: Client) -> None:
    """Take the order ID back, which has not begun."""
    tell(server.post("bulk", id, "undo"), f"order {id} is undone; nobody was told anything")
