"""Alerts and the state of the pool's server, for operators."""

from __future__ import annotations

import re
from typing import Any

import click

from server.cli.client import Client
from server.cli.exits import CheckFailed, WrongUse
from server.cli.groups import Deed, House
from server.cli.options import with_server
from server.cli.output import is_json, tell, tell_facts, tell_rows
from server.cli.payload import rows_of
from server.domain.alert import MUTE_MOST_S

COLUMNS = ("id", "level", "state", "cause", "since", "count", "acked_by", "muted_until")
PAST = ("id", "level", "cause", "first_at", "over_at", "count", "acked_by")
_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


@click.group(cls=House)
def alert() -> None:
    """What is wrong with the pool: seen, taken on, muted."""


@alert.command("list")
@click.option("--over", is_flag=True, help="Those that are over, newest first.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, help="At most so many.")
@with_server
def list_command(over: bool, limit: int, server: Client) -> None:
    """List the alerts that stand, what wants somebody first."""
    query = {"over": str(int(over)), "limit": str(limit)}
    rows = rows_of(server.get("alerts", query=query), "alerts")
    tell_rows(rows, PAST if over else COLUMNS, "None was ever over." if over else "All well.")


@alert.command("show")
@click.argument("number", type=click.IntRange(1))
@with_server
def show_command(number: int, server: Client) -> None:
    """Show the alert NUMBER, what to do about it, and every step it took."""
    found = server.get("alerts", number)
    if is_json():
        tell_facts(found)
        return
    tell_facts(found["alert"])
    click.echo("")
    tell_rows(found["steps"], ("at", "source", "target", "cause"), "No steps.")


@alert.command("ack")
@click.argument("number", type=click.IntRange(1))
@with_server
def ack_command(number: int, server: Client) -> None:
    """Take the alert NUMBER on: others see that somebody does, and no more is sent of it."""
    found = server.post("alerts", number, "ack")
    tell(found, f"alert {number} is acknowledged by {found['acked_by']}")


@alert.command("mute")
@click.argument("number", type=click.IntRange(1))
@click.option("--for", "span", default="1d", help="For how long, as in 30m, 4h, 7d; 0 ends it.")
@with_server
def mute_command(number: int, span: str, server: Client) -> None:
    """Let nobody be told of the alert NUMBER for a while, also if it comes back meanwhile."""
    found = server.post("alerts", number, "mute", body={"seconds": seconds_of(span)})
    until = "speaks again" if found["muted_until"] is None else f"is mute for {span}"
    tell(found, f"alert {number} {until}")


@alert.command("test")
@with_server
def test_command(server: Client) -> None:
    """Send a test message by every way in which people are told of alerts."""
    ways = rows_of(server.post("alerts", "test"), "ways")
    failed = [f"{one['way']}: {one['why']}" for one in ways if one["why"]]
    if failed:
        raise CheckFailed("not everybody can be told", failed)
    tell({"ways": ways}, *(f"{one['way']}: the message has arrived" for one in ways))


def seconds_of(span: str) -> float:
    """The seconds of a time as people type it. Raises WrongUse."""
    if span == "0":
        return 0.0
    found = re.fullmatch(r"(\d{1,6})([mhd])", span, re.ASCII)
    if found is None:
        raise WrongUse(f"--for {span}: a number and m, h or d, as in 30m, 4h, 7d; or 0")
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > MUTE_MOST_S:
        raise WrongUse(f"--for {span}: {MUTE_MOST_S / 86_400:.0f}d at most")
    return seconds


@click.command("operations", cls=Deed)
@click.option("--check", is_flag=True, help="End with exit code 1 unless all is well.")
@with_server
def operations_command(check: bool, server: Client) -> None:
    """Tell whether all is well, how each part and site is, and what is wrong."""
    found = server.get("operations")
    if check and found["look"] != "good":
        raise CheckFailed(found["said"], [one["cause"] for one in found["alerts"]])
    lines = [found["said"]]
    lines += [_box(box) for box in (*found["parts"], *found["sites"])]
    lines += [f"  {one['id']:>5}  {one['level']:<5} {one['cause']}" for one in found["alerts"]]
    tell(found, *lines)


def _box(box: dict[str, Any]) -> str:
    more = f" ({box['more']})" if box["more"] else ""
    return f"{box['name']:<20} {box['look']:<5} {box['words']}{more}"
