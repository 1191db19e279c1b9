"""Tasks: found among all there ever were, and one of them in full."""

from __future__ import annotations

from typing import Any

import click

from server.cli.client import Client
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import is_json, note, printable, tell_facts, tell_rows
from server.cli.payload import rows_of
from server.cli.production import TASK_STATES

COLUMNS = (
    *("id", "production", "unit", "first", "last", "state", "kind", "host_name", "account"),
    *("site", "held", "leased_at", "ended_at", "cause"),
)
ORDERS = ("newest", "oldest", "ended")


@click.group(cls=House)
def task() -> None:
    """Leases of events to machines."""


@task.command("list")
@click.option("--production", help="Only of this production.")
@click.option("--state", type=click.Choice((*TASK_STATES, "ready", "withdrawn")), help="Only so.")
@click.option("--host", help="Only of this machine, by name or number.")
@click.option("--account", help="Only of this account.")
@click.option("--site", help="Only of this site.")
@click.option("--kind", help="Only with this class of failure.")
@click.option("--since", help="Only what ended at this time or after: 2026-11-21T10:30 (UTC).")
@click.option("--until", help="Only what ended before this time.")
@click.option("--order", type=click.Choice(ORDERS), help="In which order; newest first.")
@click.option("--after", help="Where the page before ended, as it told.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, help="At most so many.")
@with_server
def list_command(limit: int, server: Client, **sought: str | None) -> None:
    """List tasks by what is looked for, and how to see more of them."""
    query = {name: text for name, text in sought.items() if text is not None}
    found = server.get("tasks", query={**query, "limit": str(limit)})
    tell_rows(rows_of(found, "tasks"), COLUMNS, "No such tasks.")
    further = found.get("next") if isinstance(found, dict) else ""
    if further:
        why = "; fewer were found than asked for, more may follow" if found["looked_short"] else ""
        note(f"more: --after {further}{why}")


@task.command("show")
@click.argument("id", type=int)
@with_server
def show_command(id: int, server: Client) -> None:
    """Show the task ID: its copies, its log and what was found in it, and its steps."""
    found: dict[str, Any] = server.get("tasks", id, "story")
    if is_json():
        tell_facts(found)
        return
    told = found.get("finding") or {}
    tell_facts({**found["task"], "finding": told.get("line") or told.get("kind") or ""})
    for title, rows, columns in (
        ("its steps", found["steps"], ("at", "source", "target", "cause")),
        ("who else has or had these events", found["copies"], COLUMNS),
    ):
        if rows:
            click.echo(f"\n{title}:")
            tell_rows(rows, columns, "")
    said = told.get("around") or found.get("log")
    if said:
        click.echo(f"\nwhat it said:\n{printable(said)}")
