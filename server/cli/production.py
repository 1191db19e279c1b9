"""Productions on the server: looked at, steered, re-read, and their output fetched."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from server.cli.asking import confirm
from server.cli.client import Client
from server.cli.create import create_command, sign_command
from server.cli.exits import CheckFailed, WrongUse
from server.cli.groups import House
from server.cli.options import PATH, YES, with_server
from server.cli.output import (
    emit,
    is_json,
    note,
    printable,
    shown,
    size,
    span,
    tell,
    tell_facts,
    tell_rows,
)
from server.cli.pattern import tell_failures
from server.cli.payload import rows_of
from server.cli.transfer import fetch
from server.domain.patterns import KINDS
from server.domain.task import TaskState

COLUMNS = ("id", "name", "state", "events", "settled", "units", "units_settled", "created_at")
TASKS = ("id", "unit", "first", "last", "state", "host_name", "held", "cause", "leased_at")
# Those that a lease can have: what nobody was given is not listed.
TASK_STATES = tuple(s.value for s in TaskState if s not in (TaskState.READY, TaskState.WITHDRAWN))
PLOTS = ("name", "title", "quantity", "entries", "below", "above")
BINS = ("from", "to", "entries", "height", "error", "reference")
LOGS_MOST = 10
LOG_LETTERS = 200
OVER = ("done", "aborted")
LONG = ("strip",)
VERIFY_MOST_S = 6 * 3600.0


@click.group(cls=House)
def production() -> None:
    """Productions: what is to be computed, and how far it is."""


production.add_command(sign_command)
production.add_command(create_command)


@production.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the productions."""
    rows = rows_of(server.get("productions"), "productions")
    tell_rows(rows, COLUMNS, "No productions yet.")


@production.command("show")
@click.argument("id")
@click.option("--watch", is_flag=True, help="Follow it until it is over.")
@click.option("--every", type=click.FloatRange(min=0.2), default=2.0, help="Seconds between looks.")
@with_server
def show_command(id: str, watch: bool, every: float, server: Client) -> None:
    """Show the production ID (number or name)."""
    found = server.get("productions", id)
    if watch:
        found = _watched(server, id, found, every)
    if is_json():
        emit(found)
    else:
        tell_facts(for_people(found))


def for_people(found: dict[str, Any]) -> dict[str, Any]:
    """A production without what only a page can draw; times in words, a line for each host."""
    short = {name: fact for name, fact in found.items() if name not in LONG}
    if (left := short.pop("eta_s", None)) is not None:
        short["time_left"] = span(left)
    if failures := found.get("failures"):
        short["failures"] = [_failure(one) for one in failures]
    if rejected := found.get("rejected_hosts"):
        short["rejected_hosts"] = [{"host": name, "events": events} for name, events in rejected]
    return short


def _failure(one: dict[str, Any]) -> str:
    """A kind of failures in one line."""
    tasks, hosts = one["tasks"], one["hosts"]
    where = f"{tasks} task{'s' * (tasks > 1)} on {hosts} host{'s' * (hosts > 1)}"
    end = "" if one["outcome"] == "failed" else f" ({one['outcome']})"
    return f"{one['kind']}{end}, {one['pattern'] or 'no pattern'}, {where}: {one['line']}"


def _line(found: dict[str, Any]) -> str:
    settled, events = (shown(name, found.get(name)) for name in ("settled", "events"))
    return printable(f"{found.get('name')}: {found.get('state')}, {settled} of {events} events")


def _lines(server: Client, id: str, found: dict[str, Any], every: float) -> dict[str, Any]:
    """Follow a production where no bar can move: a line for each change."""
    told = ""
    while True:
        line = _line(found)
        if line != told and not is_json():
            click.echo(line)
            told = line
        if found.get("state") in OVER:
            return found
        time.sleep(every)
        found = server.get("productions", id)


def _watched(server: Client, id: str, found: dict[str, Any], every: float) -> dict[str, Any]:
    """Follow a production; as it was when it ended."""
    if is_json() or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return _lines(server, id, found, every)
    from rich import progress as bars
    from rich.console import Console

    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("", total=found.get("events"))
        while True:
            title = printable(f"{found.get('name', id)}: {found.get('state')}")
            bar.update(task, completed=found.get("settled", 0), description=title)
            if found.get("state") in OVER:
                return found
            time.sleep(every)
            found = server.get("productions", id)


@production.command("tasks")
@click.argument("id")
@click.option("--host", type=int, help="Only those of this host.")
@click.option("--state", type=click.Choice(TASK_STATES), help="Only those in this state.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.")
@with_server
def tasks_command(id: str, host: int | None, state: str | None, limit: int, server: Client) -> None:
    """List the latest leases of the production ID: whose, which events, how they ended."""
    query = {"limit": str(limit)}
    if host is not None:
        query["host"] = str(host)
    if state is not None:
        query["state"] = state
    rows = rows_of(server.get("productions", id, "tasks", query=query), "tasks")
    tell_rows(rows, TASKS, "No leases yet." if query.keys() == {"limit"} else "No such leases.")
    if not is_json():
        tell_logs([row for row in rows if row.get("state") == "failed" and row.get("log")])


def tell_logs(failed: list[dict[str, Any]]) -> None:
    """The last line of what each failed task has said."""
    for row in failed[:LOGS_MOST]:
        last = str(row["log"]).strip().splitlines()[-1:] or [""]
        click.echo(printable(f"task {row.get('id')}, {row.get('cause')}: {last[0][-LOG_LETTERS:]}"))
    if failed:
        click.echo("(the last line of each log; --json has the logs)")


def _steer(server: Client, id: str, deed: str) -> None:
    answer = server.post("productions", id, deed)
    state = answer.get("state", "") if isinstance(answer, dict) else ""
    tell(answer, f"production {id}: {state or deed}")


@production.command("pause")
@click.argument("id")
@with_server
def pause_command(id: str, server: Client) -> None:
    """Give out no more work of the production ID; what is out may come in."""
    _steer(server, id, "pause")


@production.command("resume")
@click.argument("id")
@with_server
def resume_command(id: str, server: Client) -> None:
    """Give out work of the production ID again."""
    _steer(server, id, "resume")


@production.command("release")
@click.argument("id")
@with_server
def release_command(id: str, server: Client) -> None:
    """Let the production ID go on that the server has held; its reason says why."""
    _steer(server, id, "release")


@production.command("abort")
@click.argument("id")
@YES
@with_server
def abort_command(id: str, yes: bool, server: Client) -> None:
    """End the production ID for good; what is not finished is dropped."""
    confirm(f"End production {id} for good?", yes=yes)
    _steer(server, id, "abort")


@production.command("failures")
@click.argument("id")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option("--pattern", help="Only what this pattern found.")
@click.option("-n", "--limit", type=click.IntRange(1, 200), default=3, help="Logs to show.")
@with_server
def failures_command(
    id: str, kind: str | None, pattern: str | None, limit: int, server: Client
) -> None:
    """Show what was found in the logs of the production ID, the latest with lines around."""
    query = {"limit": str(limit), **({"kind": kind} if kind else {})}
    query.update({"pattern": pattern} if pattern else {})
    tell_failures(server.get("productions", id, "failures", query=query))


@production.command("plots")
@click.argument("id")
@click.argument("plot", required=False)
@with_server
def plots_command(id: str, plot: str | None, server: Client) -> None:
    """List the histograms of the production ID, or show the bins of one PLOT."""
    found = server.get("productions", id, "plots")
    plots = rows_of(found, "plots")
    if plot is None:
        rows = [{**one, "entries": sum(one["counts"])} for one in plots]
        tell_rows(rows, PLOTS, "This production asks for no plots.")
        if not is_json():
            note(f"from {found['events']:,} of {found['settled']:,} settled events")
        return
    chosen = next((one for one in plots if one["name"] == plot), None)
    if chosen is None:
        listed = ", ".join(one["name"] for one in plots) or "none"
        raise WrongUse(f"production {id} has no plot {plot}; there are: {listed}")
    tell_rows(bins_of(chosen), BINS, "No bins.")


def bins_of(plot: dict[str, Any]) -> list[dict[str, Any]]:
    """The bins of a histogram, one a row."""
    edges, expected = plot["edges"], plot["reference"] or [None] * len(plot["counts"])
    columns = (edges, edges[1:], plot["counts"], plot["heights"], plot["errors"], expected)
    return [dict(zip(BINS, values, strict=True)) for values in zip(*columns, strict=False)]


@production.command("give-back")
@click.argument("id")
@click.option("--event", type=click.IntRange(min=0), help="This event; all if not given.")
@with_server
def give_back_command(id: str, event: int | None, server: Client) -> None:
    """Have events that were set aside in the production ID tried again."""
    answer = server.post("productions", id, "give-back", body={"event": event})
    count = answer["events"]
    tell(answer, f"production {id}: {count} event{'' if count == 1 else 's'} to be tried again")


@production.command("verify")
@click.argument("id")
@with_server
def verify_command(id: str, server: Client) -> None:
    """Have the server read the output of the production ID again and compare it."""
    answer = server.post("productions", id, "verify", timeout_s=VERIFY_MOST_S)
    faults = [str(fault) for fault in answer.get("faults", [])]
    if faults or answer.get("ok") is False:
        raise CheckFailed(f"the output of production {id} is not as it should be", faults)
    tell_facts(answer)


@production.command("output")
@click.argument("id")
@click.option("-o", "--output", "out", type=PATH, required=True, help="The file to write.")
@with_server
def output_command(id: str, out: Path, server: Client) -> None:
    """Fetch the merged output (zstd) of the production ID; a broken fetch is gone on with."""
    count, digest = fetch(server, ("productions", id, "output"), out)
    tell(
        {"file": str(out), "size": count, "digest": digest},
        f"{out}: {size(count)}, sha-256 {digest}",
    )
