"""Patterns that logs are read with: listed, tried on logs, written, taken away."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from server.cli.client import Client
from server.cli.exits import BadFile, WrongUse
from server.cli.groups import House
from server.cli.options import PATH, Call, with_server
from server.cli.output import is_json, note, printable, tell, tell_facts, tell_rows
from server.cli.payload import rows_of
from server.domain.patterns import ACTIONS, KINDS, LOG_MOST, Pattern

COLUMNS = (
    *("rank", "name", "kind", "action", "most", "payload", "enabled", "built_in"),
    *("matches", "hosts", "productions", "last_at"),
)
FIELDS = tuple(Pattern.__dataclass_fields__)


@click.group(cls=House)
def pattern() -> None:
    """Patterns that logs are read with, and what is done about what they find."""


def _fields(function: Call) -> Call:
    """Options for every field of a pattern but its name; None is not said."""
    for option in reversed(
        (
            click.option("--kind", type=click.Choice(KINDS), help="What it is a failure of."),
            click.option("--action", type=click.Choice(ACTIONS), help="What is done about it."),
            click.option("--most", type=int, help="Failures of this kind before a unit is held."),
            click.option("--factor", type=float, help="By how much memory is raised."),
            click.option("--payload", help="Only for bundles of this name; '' for all."),
            click.option("--rank", type=int, help="Lower is tried first."),
            click.option("--note", help="What it is, for people."),
            click.option("--on/--off", "enabled", default=None, help="Whether it is tried."),
        )
    ):
        function = option(function)
    return function


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _only(found: dict[str, Any]) -> dict[str, Any]:
    """What of a shown pattern can be written."""
    return {name: found[name] for name in FIELDS}


@pattern.command("list")
@with_server
def list_command(server: Client) -> None:
    """List the patterns in the order in which they are tried, with what they found."""
    rows = rows_of(server.get("patterns"), "patterns")
    shown = rows if is_json() else [{**row, "last_at": row["last_at"] or None} for row in rows]
    tell_rows(shown, COLUMNS, "No patterns.")


@pattern.command("show")
@click.argument("name")
@with_server
def show_command(name: str, server: Client) -> None:
    """Show the pattern NAME."""
    found = server.get("patterns", name)
    times = {} if is_json() else {t: found[t] or None for t in ("changed_at", "last_at")}
    tell_facts({**found, **times})


@pattern.command("add")
@click.argument("name")
@click.argument("regex")
@_fields
@with_server
def add_command(name: str, regex: str, server: Client, **facts: Any) -> None:
    """Add the pattern NAME with the expression REGEX (RE2); try it first with `pattern test`."""
    answer = server.post("patterns", body={"name": name, "regex": regex, **_said(facts)})
    tell(answer, f"pattern {name}: {answer['kind']}, {answer['action']}")


@pattern.command("edit")
@click.argument("name")
@click.option("--regex", help="Another expression.")
@_fields
@with_server
def edit_command(name: str, server: Client, **facts: Any) -> None:
    """Change what is said of the pattern NAME; built-in ones can be changed and switched off."""
    new = _said(facts)
    if not new:
        raise WrongUse("say what is to change, for example --off")
    body = {**_only(server.get("patterns", name)), **new}
    answer = server.post("patterns", name, "edit", body=body)
    state = "on" if answer["enabled"] else "off"
    tell(answer, f"pattern {name}: {answer['kind']}, {answer['action']}, {state}")


@pattern.command("remove")
@click.argument("name")
@with_server
def remove_command(name: str, server: Client) -> None:
    """Take the pattern NAME away; a built-in one that was changed is as it came."""
    server.post("patterns", name, "remove")
    tell({"pattern": name, "removed": True}, f"pattern {name} is removed")


@pattern.command("test")
@click.argument("name", required=False)
@click.option("--regex", help="The expression to try, or another one for the pattern NAME.")
@_fields
@click.option("--log", type=PATH, help="A log to read; - for standard input.")
@click.option("--word", default="", help="The agent's word for the end, such as memory.")
@click.option("--production", help="Read the logs kept of this production instead.")
@with_server
def test_command(
    name: str | None,
    regex: str | None,
    log: Path | None,
    word: str,
    production: str | None,
    server: Client,
    **facts: Any,
) -> None:
    """Read a log with the table, and with a pattern that is not saved in it.

    With --log: which patterns match, where; the first counts. With --production: which of its logs
    would be read otherwise. NAME is a pattern there is, or the name of a new one.
    """
    if (log is None) == (production is None):
        raise WrongUse("say what is to be read: --log FILE or --production NAME")
    body: dict[str, Any] = {"word": word, "production": production or ""}
    if name or regex:
        body["pattern"] = _candidate(server, name or "new", regex, _said(facts))
    body["payload"] = facts["payload"] or ""
    if log is not None:
        body["log"] = _text(log)
    answer = server.post("patterns", "test", body=body)
    tell(answer, *(_of_log(answer) if log is not None else _of_production(answer)))


def _candidate(
    server: Client, name: str, regex: str | None, facts: dict[str, Any]
) -> dict[str, Any]:
    known = {one["name"]: one for one in rows_of(server.get("patterns"), "patterns")}
    if name not in known and regex is None:
        raise WrongUse(f"there is no pattern {name}; say its expression with --regex")
    # A new one is asked first of all, so that it is seen what it matches.
    base = _only(known[name]) if name in known else {"name": name, "rank": 0}
    return {**base, **({"regex": regex} if regex is not None else {}), **facts}


def _text(log: Path) -> str:
    raw = sys.stdin.buffer.read() if str(log) == "-" else log.read_bytes()
    return raw[-LOG_MOST:].decode("utf-8", "replace")


def _of_log(answer: dict[str, Any]) -> list[str]:
    found = answer["matches"]
    if not found:
        return ["No pattern matches: it would be tried elsewhere, as unknown."]
    first, *others = found
    said = f"{first['pattern']} ({first['kind']}, {first['action']}), line {first['number']}:"
    lines = [said, *_quoted(first)]
    if others:
        lines.append("Others that match behind it:")
    lines += [f"  {o['pattern']}, line {o['number']}: {o['line']}" for o in others]
    return lines


def _quoted(found: dict[str, Any]) -> list[str]:
    """The lines around a match, the line itself marked."""
    lines = str(found["around"]).split("\n")
    return [f"{'>' if line == found['line'] else ' '} {line}" for line in lines]


def _of_production(answer: dict[str, Any]) -> list[str]:
    lines = [f"{answer['logs']} logs read, {answer['matched']} match a pattern."]
    for change in answer["changes"]:
        way = f"{change['before'] or 'unknown'} -> {change['after'] or 'unknown'}"
        action = f" ({change['action']})" if change["action"] else ""
        lines.append(f"task {change['task']}: {way}{action}: {change['line']}")
    return lines if answer["changes"] else [*lines, "Nothing would be read otherwise."]


@pattern.command("export")
@click.option("-o", "--output", "out", type=PATH, help="The file to write, else standard output.")
@click.option("--all", "whole", is_flag=True, help="Built-in ones that nobody changed as well.")
@with_server
def export_command(out: Path | None, whole: bool, server: Client) -> None:
    """Write the patterns as JSON that `pattern import` reads."""
    rows = rows_of(server.get("patterns"), "patterns")
    kept = [_only(row) for row in rows if whole or not row["built_in"] or row["changed_by"]]
    text = json.dumps({"patterns": kept}, indent=2, ensure_ascii=True)
    if out is None:
        click.echo(text)
        return
    out.write_text(text + "\n", encoding="ascii")
    tell({"file": str(out), "patterns": len(kept)}, f"{out}: {len(kept)} patterns")


@pattern.command("import")
@click.argument("file", type=PATH)
@with_server
def import_command(file: Path, server: Client) -> None:
    """Take the patterns of FILE in, all or none; others of their names are replaced."""
    try:
        found = json.loads(file.read_bytes())
        rows = [{name: row[name] for name in row if name in FIELDS} for row in found["patterns"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(
            f'{file}: it is not {{"patterns": [...]}} in JSON ({error}); see `pattern export`'
        ) from error
    answer = server.post("patterns", "import", body={"patterns": rows})
    tell(answer, f"{answer['patterns']} patterns taken in")


def tell_failures(answer: dict[str, Any]) -> None:
    """The failures of a production: its groups, then the latest with the lines around."""
    columns = ("kind", "pattern", "outcome", "tasks", "hosts", "accounts", "action", "line")
    if is_json():
        tell(answer)
        return
    tell_rows(answer["groups"], columns, "Nothing was found in the logs.")
    for one in answer["latest"]:
        head = f"task {one['task']}, unit {one['unit']}, host {one['host_name']}: {one['word']}"
        named = one["pattern"] or "no pattern matches"
        click.echo("")
        click.echo(printable(f"{head} ({named})"))
        for line in _quoted(one):
            click.echo(printable(line))
    if answer["groups"]:
        note("What these mean and how to change it: docs/errors.md")
