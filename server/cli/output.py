"""What a command says: one JSON document for programs, tables and lines for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from vmagent.wire import codec

JSON_FLAG = "server.cli.json"
TIMES = ("_at", "until", "since", "not_before", "not_after", "last_seen", "time")
GROUPED = 10_000  # from here on, what comes after the point is of no use to the eye


def is_json() -> bool:
    """Whether the command now running was asked for JSON."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(JSON_FLAG))


def printable(text: str) -> str:
    """What others wrote, without anything that a terminal would obey; line ends stay."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def emit(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(codec.plain(value), indent=2, ensure_ascii=False)
    click.echo("".join(s if s.isprintable() or s == "\n" else json.dumps(s)[1:-1] for s in text))


def tell(value: Any, *lines: str) -> None:
    """The result of a command: ``value`` for programs, ``lines`` for people."""
    if is_json():
        emit(value)
    for line in () if is_json() else lines:
        click.echo(printable(line))


def note(line: str) -> None:
    """Something by the way, on standard error."""
    click.echo(printable(line), err=True)


def tell_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
    """A list: as it is for programs, as a table of these columns for people."""
    if is_json():
        emit(list(rows))
    elif not rows:
        click.echo(empty)
    else:
        _print(_table(rows, [name for name in columns if any(name in row for row in rows)]))


def tell_facts(value: Mapping[str, Any]) -> None:
    """One thing: as it is for programs, a line for each of its facts for people."""
    if is_json():
        emit(value)
        return
    width = max((len(name) for name in value), default=0)
    for name, fact in value.items():
        for number, line in enumerate(_lines(name, fact)):
            head = name.replace("_", " ") if number == 0 else ""
            click.echo(printable(f"{head:<{width}}  {line}".rstrip()))


def _lines(name: str, fact: Any) -> list[str]:
    """A fact in lines; of a thing with parts, one for each."""
    if isinstance(fact, dict) and fact:
        return [
            printable(f"{key.replace('_', ' ')}: {shown(key, one)}") for key, one in fact.items()
        ]
    return shown(name, fact).splitlines() or [""]


def _is_time(name: str) -> bool:
    """Whether a fact of this name is a time; "at" alone is one, but no ending."""
    return name == "at" or name.endswith(TIMES)


def shown(name: str, fact: Any) -> str:
    """A fact as people read it: times in UTC, counts with thin groups, lists in a row."""
    match fact:
        case None | "":
            return "-"
        case list() | dict() if not fact:  # as a pattern, {} is any dictionary
            return "-"
        case bool():
            return "yes" if fact else "no"
        case int() | float() if _is_time(name):
            return datetime.fromtimestamp(fact, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case int() if name.endswith("bytes") or name == "size":
            return size(fact)
        case int() if name not in {"id", "port"}:
            return f"{fact:,}".replace(",", " ")
        case float():
            return _real(name, fact)
        case list() if not any(isinstance(one, (dict, list)) for one in fact):
            return ", ".join(shown(name, one) for one in fact)
        case list():
            return "\n".join(shown(name, one) for one in fact)
        case dict():
            pairs = (f"{key}: {shown(str(key), one)}" for key, one in fact.items())
            return printable(", ".join(pairs))
        case _:
            return printable(str(fact))


def _real(name: str, fact: float) -> str:
    """A number with a point: hours to a tenth, large ones whole and in groups."""
    if name.endswith("_h") and not 0 < abs(fact) < 1:
        return f"{fact:,.1f}".replace(",", " ")
    if GROUPED <= abs(fact) < 1e15:
        return f"{fact:,.0f}".replace(",", " ")
    return f"{fact:.2g}" if name.endswith("_h") else f"{fact:.6g}"


def span(seconds: float) -> str:
    """A time as people read it: below two hours in minutes, below two minutes in seconds."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{_figure(seconds / length)} {unit}"
    return f"{_figure(seconds)} seconds"


def _figure(number: float) -> str:
    """Two figures, or every whole one, with thin groups."""
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}".replace(",", " ")


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("the loop ends with TB")


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        figures = all(isinstance(row.get(name), (int, float)) for row in rows)
        right = figures and not _is_time(name) and name != "id"
        table.add_column(name.replace("_", " "), justify="right" if right else "left")
    for row in rows:
        cells = (shown(name, row.get(name)) for name in columns)
        # A name with a line end in it would make a row of its own.
        table.add_row(*(Text(cell.replace("\n", "\N{REPLACEMENT CHARACTER}")) for cell in cells))
    return table


def _print(thing: Any) -> None:
    from rich.console import Console

    # A pipe has no width: cutting cells there would lose what the reader came for.
    width = None if sys.stdout.isatty() else 240
    Console(width=width, highlight=False).print(thing)
