"""Boards on which the machines of a cluster find each other."""

from __future__ import annotations

import click

from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import note, tell, tell_facts, tell_rows
from server.cli.payload import rows_of


@click.group(cls=House)
def cluster() -> None:
    """Boards on which the head of a CernVM cluster leaves its address for the others."""


@cluster.command("list")
@with_server
def list_command(server: Client) -> None:
    """List your boards and what is on them."""
    rows = rows_of(server.get("clusters"), "clusters")
    columns = ("pin", "note", "expiry_time", "keys")
    tell_rows(rows, columns, "No boards: `windfall cluster create` makes one for a day.")


@cluster.command("create")
@click.option("--note", "about", default="", help="What it is for, in a line.")
@click.option(
    "--length",
    type=click.IntRange(12, 64),
    default=12,
    show_default=True,
    help="Letters and digits of its PIN; stock CernVM takes any length.",
)
@with_server
def create_command(server: Client, about: str, length: int) -> None:
    """Make a board, and print its PIN for `cvm_cluster_pin` of the user data."""
    made = server.post("clusters", query={"note": about, "length": str(length)})
    tell(made, made["pin"])
    note(f"Until {made['expiry_time']}. In the [ucernvm-begin] block of every machine:")
    note(f"  cvm_cluster_pin={made['pin']}\n  cvm_service_url={server.url}")
    note("and for the head alone: cvm_cluster_master=yes")


@cluster.command("show")
@click.argument("pin")
@with_server
def show_command(pin: str, server: Client) -> None:
    """Show what is on the board of PIN."""
    found = server.get("clusters", pin)
    keys = {each["key"]: each["value"] for each in found.pop("keys")}
    tell_facts({**found, "keys": keys})


@cluster.command("remove")
@click.argument("pin")
@with_server
def remove_command(pin: str, server: Client) -> None:
    """Take the board of PIN away."""
    server.delete("clusters", pin)
    tell({"removed": pin}, "removed")
