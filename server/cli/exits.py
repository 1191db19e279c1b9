"""Exit codes in one table, and the faults that end a command with one of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import IO, Any

import click

from server.cli.output import emit, is_json, printable
from vmagent.wire.messages import Problem

EXITS = (
    (0, "done"),
    (1, "a check failed: what was looked at is not as it should be"),
    (2, "wrong use of the command"),
    (3, "a file or a setting that was read is at fault"),
    (4, "the server refused"),
    (5, "the server cannot be reached"),
    (6, "there is no such thing"),
    (7, "not signed as it must be, or trouble with a key"),
    (130, "interrupted, or answered with no"),
)


# What the server's decoder says of a field: "AckRequest: Expected `int` >= 1 - at `$.alert`".
_FIELD = re.compile(r"\w+: (?P<rule>[^:]+) - at `\$\.(?P<field>[^`]+)`")
_TYPE = re.compile(r"`([a-z]+)`")
_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


class Fault(click.ClickException):
    """A command ends here, and its user is told why."""

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, faults: Sequence[str] = (), **facts: Any) -> None:
        super().__init__(message)
        self.faults = list(faults)
        self.facts = facts
        # When it is shown, the command's context is gone already.
        self.as_json = is_json()

    def show(self, file: IO[str] | None = None) -> None:
        """Say it on standard error; with ``--json`` as the one document on standard output."""
        if self.as_json:
            fault = {"code": self.code, "exit": self.exit_code, "detail": self.message}
            emit({"error": {**fault, "faults": self.faults, **self.facts}})
            return
        click.echo(printable(f"Error: {self.message}"), file=file or sys.stderr)
        for line in self.faults:
            click.echo(printable(f"  - {line}"), file=file or sys.stderr)


class CheckFailed(Fault):
    """What was looked at is not as it should be."""

    code = "check-failed"


class WrongUse(Fault):
    """The command was not meant to be used so."""

    exit_code = 2
    code = "wrong-use"


class BadFile(Fault):
    """A file or a setting that was read is at fault."""

    exit_code = 3
    code = "bad-file"


class Refused(Fault):
    """The server refused."""

    exit_code = 4
    code = "refused"


class NotReached(Fault):
    """The server cannot be reached."""

    exit_code = 5
    code = "not-reached"


class Missing(Fault):
    """There is no such thing."""

    exit_code = 6
    code = "missing"


class NotSigned(Fault):
    """Not signed as it must be, or trouble with a key."""

    exit_code = 7
    code = "not-signed"


class Interrupted(Fault):
    """Interrupted, or answered with no."""

    exit_code = 130
    code = "interrupted"


def _in_words(detail: str) -> str:
    """A field that a message may not have so, without the words of JSON: "value: expected .."."""
    found = _FIELD.fullmatch(detail)
    if found is None:
        return detail
    rule = _TYPE.sub(lambda kind: _TYPES.get(kind[1], kind[1]), found["rule"])
    return f"{found['field']}: {rule[:1].lower()}{rule[1:]}"


def refusal(problem: Problem, retry_after: str | None = None) -> Fault:
    """The fault for a problem that the server answered with."""
    detail = _in_words(problem.detail or problem.title)
    if problem.faults and detail == "; ".join(problem.faults):
        detail = "the server does not take it as it is"
    if retry_after and "again in" not in detail:
        detail += f" (try again in {retry_after} s)"
    if problem.status == 404:
        kind: type[Fault] = Missing
    elif problem.code == "unsigned":
        kind = NotSigned
    else:
        kind = Refused
    return kind(detail, problem.faults, status=problem.status, problem=problem.code)


def epilog() -> str:
    """The table, for the end of a help text."""
    rows = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS)
    return f"\b\nExit codes:\n{rows}"
