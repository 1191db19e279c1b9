"""The statistics of the pool: as of now, by time, and whether they hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from server.cli.client import Client
from server.cli.exits import CheckFailed, WrongUse
from server.cli.groups import House
from server.cli.options import with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.cli.payload import rows_of
from server.domain.rollup import PRIVATE, Kind, Span

CHECK_MOST_S = 3600.0
SHOWN = 50  # discrepancies that are told one by one
SPAN = click.option(
    "--span",
    type=click.Choice(tuple(map(str, Span))),
    default=str(Span.DAY),
    show_default=True,
    help="How far back.",
)
KIND = click.option(
    "--kind",
    type=click.Choice(tuple(map(str, Kind))),
    default=str(Kind.POOL),
    show_default=True,
    help="What the figure is of; hosts and accounts one's own, operators any.",
)
KEY = click.option("--key", default="", help="Which: a number, or the name of a site or word.")


@click.group(cls=House)
def stats() -> None:
    """Figures of the pool, counted from the ledgers; docs/statistics.md tells what each counts."""


@stats.command("show")
@KIND
@KEY
@with_server
def show_command(server: Client, kind: str, key: str) -> None:
    """Show the pool as it is, and every counter of all time."""
    query = _of(kind, key)
    found = server.get(*_base(kind), "totals", query=query)["values"]
    now = server.get("stats", "now") if kind == Kind.POOL else {}
    tell_facts({**now, **(found if is_json() else _in_words(found))})


@stats.command("series")
@click.argument("measure", metavar="FIGURE")
@SPAN
@KIND
@KEY
@with_server
def series_command(server: Client, measure: str, span: str, kind: str, key: str) -> None:
    """Show a FIGURE (such as events_settled or machines_connected) by time."""
    query = {"measure": measure, "span": span, **_of(kind, key)}
    found = server.get(*_base(kind), "series", query=query)
    tell_rows([*_points(found)], ("at", "value", "low", "high"), "Nothing.")


@stats.command("split")
@click.argument("measure", metavar="FIGURE")
@SPAN
@click.option(
    "--kind",
    type=click.Choice([str(kind) for kind in Kind if kind is not Kind.POOL]),
    required=True,
    help="Split by what; hosts and accounts one's own, operators any.",
)
@with_server
def split_command(server: Client, measure: str, span: str, kind: str) -> None:
    """Show what each site, country, production .. (--kind) has of a FIGURE over a span."""
    query = {"measure": measure, "span": span, "kind": kind}
    values = server.get(*_base(kind), "split", query=query)["values"]
    rows = sorted(values.items(), key=lambda one: -one[1])
    tell_rows([{"key": name, "value": value} for name, value in rows], ("key", "value"), "None.")


@stats.command("check")
@with_server
def check_command(server: Client) -> None:
    """Derive the totals anew from the ledgers, and name every one that differs; then exit 1."""
    answer = server.post("stats", "check", timeout_s=CHECK_MOST_S)
    if not answer.get("ok"):
        found = rows_of(answer, "discrepancies")
        lines = [
            f"{one['measure']} of {one['kind']} {one['key']}: {one['counted']} counted,"
            f" {one['derived']} in {one['ledger']}"
            for one in found[:SHOWN]
        ]
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise CheckFailed("the figures are not what the ledgers say", [*lines, *more])
    tell(answer, "the figures are what the ledgers say")


def _of(kind: str, key: str) -> dict[str, str]:
    """What a figure is of, as it is asked for. Raises WrongUse."""
    if kind == Kind.POOL and key:
        raise WrongUse(f"--key {key}: say of what kind it is, as --kind site")
    if kind != Kind.POOL and not key:
        raise WrongUse(f"--kind {kind}: say which with --key; `windfall stats split` lists them")
    return {"kind": kind, "key": key}


def _in_words(found: dict[str, int]) -> dict[str, Any]:
    """Counters in units that people read: times in hours, credit in whole ones."""
    return {
        **{name: value for name, value in found.items() if not name.endswith(("_ms", "_micros"))},
        "cpu_h": found["cpu_ms"] / 3_600_000,
        "wall_h": found["wall_ms"] / 3_600_000,
        "credit": round(found["credit_micros"] / 1_000_000),
    }


def _base(kind: str) -> tuple[str, ...]:
    return ("stats", "own") if kind in PRIVATE else ("stats",)


def _points(found: Any) -> list[dict[str, Any]]:
    rows = []
    for place, value in enumerate(found["values"]):
        at = datetime.fromtimestamp(found["start"] + place * found["step_s"], UTC)
        row = {"at": f"{at:%Y-%m-%d %H:%M}", "value": value}
        if found.get("low"):
            row |= {"low": found["low"][place], "high": found["high"][place]}
        rows.append(row)
    return rows
