"""Teams of people who compare what they give."""

from __future__ import annotations

import click

from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.cli.payload import rows_of

COLUMNS = ("id", "name", "members", "credit", "country", "url", "made_at")


@click.group(cls=House)
def team() -> None:
    """Teams of people who compare what they give; you are in one at most."""


@team.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the teams, the one with most credit first."""
    tell_rows(rows_of(server.get("teams"), "teams"), COLUMNS, "No teams yet.")


@team.command("show")
@click.argument("id", type=int)
@with_server
def show_command(id: int, server: Client) -> None:
    """Show the team ID and its people."""
    found = server.get("teams", id)
    if is_json():
        tell_facts(found)
        return
    tell_facts(found["team"])
    click.echo("")
    tell_rows(found["people"], ("name", "events", "credit", "joined_at", "founder"), "Nobody.")


@team.command("make")
@click.argument("name")
@click.option("--words", default="", help="What it says of itself.")
@click.option("--page", default="", help="Address of its own page.")
@click.option("--country", default="", help="Where its people are.")
@with_server
def make_command(name: str, words: str, page: str, country: str, server: Client) -> None:
    """Make the team NAME, and be in it."""
    body = {"name": name, "words": words, "url": page, "country": country}
    made = server.post("teams", body=body)
    tell(made, f"team {made['team']['id']}: {made['team']['name']}")


@team.command("join")
@click.argument("id", type=int)
@with_server
def join_command(id: int, server: Client) -> None:
    """Be in the team ID."""
    found = server.post("teams", id, "join")
    tell(found, f"you are in {found['team']['name']}")


@team.command("leave")
@with_server
def leave_command(server: Client) -> None:
    """Be in no team."""
    server.post("teams", "leave")
    tell({"team": None}, "you are in no team")
