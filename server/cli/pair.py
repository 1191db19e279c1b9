"""Pairing: a PIN to type at a machine, or a code that it shows; words compared, then confirmed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import click

from server.cli import documents
from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.exits import Interrupted, Refused
from server.cli.groups import House
from server.cli.options import Call, with_server
from server.cli.output import is_json, note, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

WAIT_S = 25
COLUMNS = (
    *("id", "way", "state", "name", "context_name", "site", "host", "created_at"),
    *("failed_attempts", "alarms"),
)


@click.group(cls=House)
def pair() -> None:
    """Machines that are paired by a PIN or a code."""


def _wishes(function: Call) -> Call:
    """Give a command ``wishes``: what the machine shall become."""

    @click.option("--context", "context_id", default="", help="The context for it: id or name.")
    @click.option("--revision", default=0, help="A revision of it (0: the newest).")
    @click.option("--site", default="", help="The site it belongs to.")
    @click.option("--name", default="", help="What it is called (its own name).")
    @functools.wraps(function)
    def run(*args: Any, context_id: str, revision: int, site: str, name: str, **more: Any) -> Any:
        context_id = documents.identify(more["server"], context_id) if context_id else ""
        wishes = {"context_id": context_id, "revision": revision, "site": site, "name": name}
        return function(*args, wishes=wishes, **more)

    return run  # type: ignore[return-value]


@pair.command("start")
@click.option("--no-wait", is_flag=True, help="Only show the PIN.")
@with_server
@_wishes
def start_command(wishes: Mapping[str, Any], no_wait: bool, server: Client) -> None:
    """Show a PIN, wait for the machine, compare words, confirm."""
    made = server.post("pairings", body=wishes)
    tell(
        made,
        f"PIN  {made['pin_display']}   good for {made['expires_in']:.0f} s",
        f"Type it at the machine: windfall-agent pair --server {server.url} (or its console).",
    )
    if not no_wait and not is_json():
        _follow(server, made)


@pair.command("code")
@click.argument("code")
@click.option("--no-wait", is_flag=True, help="Do not ask: confirm later.")
@with_server
@_wishes
def code_command(code: str, wishes: Mapping[str, Any], no_wait: bool, server: Client) -> None:
    """Pair the machine that shows the CODE (XXXX-XXXX)."""
    made = server.post("pairings", "code", body={"code": code, **wishes})
    tell(made, f"pairing {made['id']}")
    if not no_wait and not is_json():
        _follow(server, made)


def _follow(server: Client, view: Mapping[str, Any]) -> None:
    """Follow a pairing on a terminal until it is over."""
    asked: set[str] = set()
    failed = alarms = 0
    while view["state"] in ("waiting", "claimed", "confirmed"):
        if view["failed_attempts"] > failed:
            failed = view["failed_attempts"]
            note(f"{failed} wrong PINs came from your network")
        if view["state"] == "claimed":
            fresh = [one for one in view["machines"] if one["id"] not in asked]
            asked |= {one["id"] for one in fresh}
            for one in fresh:
                if _is_mine(one):
                    view = server.post(
                        "pairings", view["id"], "confirm", body={"machine": one["id"]}
                    )
                    note("confirmed; the machine fetches what it needs")
                    break
        query = {"wait": str(WAIT_S), "since": str(view["changes"])}
        view = server.get("pairings", str(view["id"]), query=query)
        if view["alarms"] > alarms:
            alarms = view["alarms"]
            note("ALARM: somebody else tried to collect what is for your machine")
    if view["state"] != "delivered":
        raise Refused(f"the pairing is {view['state']}; begin anew with `windfall pair start`")
    tell(view, f"paired: machine {view['host']}; see `windfall machine show {view['host']}`")


def _is_mine(one: Mapping[str, Any]) -> bool:
    """Whether these words are on the machine, says the person."""
    tell_facts(
        {
            "words": one["words"],
            "address": one["address"],
            "name": one["hostname"],
            "image": f"{one['image']} {one['version']}".strip(),
            "machine": f"{one['cores']} cores, {one['memory_mb']} MB, {one['arch']}",
        }
    )
    try:
        confirm("Does your machine show exactly these three words?", yes=False)
    except Interrupted:
        note("left alone; the PIN stays good until its time is over")
        return False
    return True


@pair.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the last pairings."""
    tell_rows(rows_of(server.get("pairings"), "pairings"), COLUMNS, "Nothing was paired yet.")


@pair.command("show")
@click.argument("id")
@with_server
def show_command(id: str, server: Client) -> None:
    """Show the pairing ID with the machines that wait in it."""
    tell_facts(server.get("pairings", id))


@pair.command("confirm")
@click.argument("id")
@click.argument("machine")
@with_server
def confirm_command(id: str, machine: str, server: Client) -> None:
    """Confirm the MACHINE (its id, or its three words) of the pairing ID."""
    seen = server.get("pairings", id)["machines"]
    words = " ".join(machine.replace("-", " ").split()).lower()
    found = [one["id"] for one in seen if machine == one["id"] or words == one["words"]]
    if not found:
        raise Refused("no machine of this pairing shows these words; do not confirm another")
    answer = server.post("pairings", id, "confirm", body={"machine": found[0]})
    tell(answer, f"pairing {id} is confirmed")


@pair.command("reject")
@click.argument("id")
@with_server
def reject_command(id: str, server: Client) -> None:
    """Say that what waits in the pairing ID is not yours."""
    tell(server.post("pairings", id, "reject"), f"pairing {id} is rejected")


@pair.command("cancel")
@click.argument("id")
@with_server
def cancel_command(id: str, server: Client) -> None:
    """Take the PIN of the pairing ID back."""
    server.delete("pairings", id)
    tell({"id": id, "cancelled": True}, f"pairing {id} is cancelled")
