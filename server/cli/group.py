"""Groups of people: made, asked into, left, handed over."""

from __future__ import annotations

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import YES, with_server
from server.cli.output import note, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("name", "title", "standing", "owner", "members", "created_at")
NAME, ACCOUNT = click.argument("name"), click.argument("account")


@click.group(cls=House)
def group() -> None:
    """Groups of people, who share contexts with each other."""


@group.command("list")
@click.option("--all", "everybody", is_flag=True, help="Every group there is (administrators).")
@with_server
def list_command(everybody: bool, server: Client) -> None:
    """List your groups, and those that ask you to join."""
    query = {"all": "1"} if everybody else {}
    rows = rows_of(server.get("groups", query=query), "groups")
    tell_rows(rows, COLUMNS, "You are in no group; `windfall group create NAME` makes one.")


@group.command("show")
@NAME
@with_server
def show_command(name: str, server: Client) -> None:
    """Show the group NAME, and who is in it."""
    found = server.get("groups", name)
    tell_facts({**found.pop("group"), **found})


@group.command("create")
@NAME
@click.option("--title", default="", help="What it is, in a line.")
@with_server
def create_command(name: str, title: str, server: Client) -> None:
    """Make the group NAME; you are its owner."""
    tell(server.post("groups", body={"name": name, "title": title}), f"the group {name} is made")
    note(f"Next: windfall group invite {name} ACCOUNT")


@group.command("rename")
@NAME
@click.argument("new")
@click.option("--title", default=None, help="What it is, in a line; as it was if not given.")
@with_server
def rename_command(name: str, new: str, title: str | None, server: Client) -> None:
    """Call the group NAME NEW; what is shared with it stays so."""
    old = server.get("groups", name)["group"]
    body = {"name": new, "title": old["title"] if title is None else title}
    tell(server.put("groups", name, body=body), f"{name} is called {new} now")


@group.command("remove")
@NAME
@YES
@with_server
def remove_command(name: str, yes: bool, server: Client) -> None:
    """Forget the group NAME; nothing is shared with it any more."""
    confirm(f"Remove {name}, and share nothing with its members any more?", yes=yes)
    server.delete("groups", name)
    tell({"group": name, "removed": True}, f"the group {name} is no more")


@group.command("invite")
@NAME
@ACCOUNT
@with_server
def invite_command(name: str, account: str, server: Client) -> None:
    """Ask ACCOUNT to join the group NAME."""
    server.post("groups", name, "invitations", body={"account": account})
    tell({"group": name, "asked": account}, f"{account} is asked to join {name}")


@group.command("uninvite")
@NAME
@ACCOUNT
@with_server
def uninvite_command(name: str, account: str, server: Client) -> None:
    """Ask ACCOUNT no longer to join the group NAME."""
    server.delete("groups", name, "invitations", account)
    tell({"group": name, "asked": ""}, f"{account} is asked to join {name} no longer")


@group.command("join")
@NAME
@with_server
def join_command(name: str, server: Client) -> None:
    """Join the group NAME, which asked you to."""
    tell(server.post("groups", name, "join"), f"you are in {name} now")


@group.command("decline")
@NAME
@with_server
def decline_command(name: str, server: Client) -> None:
    """Say no to the group NAME, which asked you to join."""
    server.delete("groups", name, "invitations", server.get("me")["name"])
    tell({"group": name, "declined": True}, f"{name} asks you no longer")


@group.command("leave")
@NAME
@with_server
def leave_command(name: str, server: Client) -> None:
    """Leave the group NAME; what you shared with it is yours alone again."""
    server.delete("groups", name, "members", server.get("me")["name"])
    tell({"group": name, "left": True}, f"you are in {name} no longer")


@group.command("add")
@NAME
@ACCOUNT
@with_server
def add_command(name: str, account: str, server: Client) -> None:
    """Put ACCOUNT into the group NAME without asking (administrators)."""
    server.put("groups", name, "members", account)
    tell({"group": name, "member": account}, f"{account} is in {name} now")


@group.command("drop")
@NAME
@ACCOUNT
@with_server
def drop_command(name: str, account: str, server: Client) -> None:
    """Put ACCOUNT out of the group NAME, at once."""
    server.delete("groups", name, "members", account)
    tell({"group": name, "dropped": account}, f"{account} is in {name} no longer")


@group.command("hand-over")
@NAME
@ACCOUNT
@YES
@with_server
def hand_over_command(name: str, account: str, yes: bool, server: Client) -> None:
    """Make the member ACCOUNT the owner of the group NAME; you stay in it."""
    confirm(f"Hand {name} over to {account}?", yes=yes)
    tell(server.post("groups", name, "owner", body={"account": account}),
         f"{account} owns {name} now")  # fmt: skip
