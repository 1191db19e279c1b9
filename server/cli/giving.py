"""What a site gave, month by month, and benchmarks of machines: they join `site` and `host`."""

from __future__ import annotations

from typing import Any

import click

from server.cli.client import Client
from server.cli.farm import site
from server.cli.host import host
from server.cli.options import with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.domain import spreadsheet

FIGURES = (
    *("events", "cpu_h", "wall_h", "credit", "tasks", "hs06_h", "hepscore23_h"),
    *("hs06_told_h", "hepscore23_told_h", "unmeasured_h"),
)
POWERS = ("name", "core", "whole", "origin", "by", "at", "counts")


@site.command("giving")
@click.argument("name")
@click.option("--month", default="", help="The month told by account and machine: 2026-11.")
@click.option("--csv", "as_csv", is_flag=True, help="The machines of the month as CSV.")
@with_server
def giving_command(name: str, month: str, as_csv: bool, server: Client) -> None:
    """Tell what the site NAME gave: each month, and one month by account and by machine."""
    found = server.get("sites", name, "giving", query={"month": month} if month else {})
    if is_json():
        tell_facts(found)
    elif as_csv:
        head = ("site", "month", "account", "machine", *FIGURES)
        lines = [
            (name, found["month"], one["account"], one["name"],
             *(one["given"][figure] for figure in FIGURES))
            for one in found["machines"]
        ]  # fmt: skip
        click.echo(spreadsheet.as_csv([head, *lines]), nl=False)
    else:
        tell_rows([_row(one, "month") for one in found["months"]], ("month", *FIGURES[:5]), "None.")
        click.echo(f"\n{found['month']} by account:")
        rows = [_row(one, "name", "machines") for one in found["accounts"]]
        tell_rows(rows, ("name", "machines", *FIGURES), "Nothing in this month.")


def _row(one: dict[str, Any], *names: str) -> dict[str, Any]:
    given = dict(one["given"])
    for name in ("hs06", "hepscore23"):
        if not given[f"{name}_share"]:
            given[f"{name}_h"] = "unknown"
    return {**{each: one[each] for each in names}, **given}


@host.command("benchmark")
@click.argument("id", type=int)
@click.option("--hs06", type=float, help="HS06 of the whole machine.")
@click.option("--hepscore23", type=float, help="HEPscore23 of the whole machine.")
@with_server
def benchmark_command(
    id: int, hs06: float | None, hepscore23: float | None, server: Client
) -> None:
    """Keep what a benchmark found of the whole machine ID; without options, show what is known.

    A machine whose site has Machine/Job Features tells its own (origin: machine). One that is kept
    here (origin: operator) counts before it.
    """
    told = {"hs06": hs06, "hepscore23": hepscore23}
    given = {name: value for name, value in told.items() if value is not None}
    if not given:
        found = server.get("hosts", id)["benchmarks"]
        tell_rows(found, POWERS, "No benchmark of it is known.")
        return
    for name, value in given.items():
        server.put("hosts", id, "benchmark", body={"name": name, "value": value})
    words = ", ".join(f"{value:g} {name}" for name, value in given.items())
    tell({"host": id, **given}, f"host {id} has {words}")
