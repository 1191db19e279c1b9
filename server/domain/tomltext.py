"""On which line of a TOML text a key stands, which the parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

# Strings come first, so that what looks like a header or a key inside one is passed over.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[A-Za-z0-9_-]+"
    r"|[\[\]{}=.\n]"
    r"|.",
    re.DOTALL,
)
_OPEN, _CLOSE = ("[", "{"), ("]", "}")

Path = tuple[str, ...]


def deepest(text: str) -> int:
    """The most dots in one key, of any text; parsers take a time that grows with their square."""
    most = dots = 0
    after_dot = True
    for part in _TOKEN.findall(text):
        if part in " \t":
            continue
        if part == ".":
            dots += 1
            after_dot = True
        elif not after_dot or part in "\n=[]{}":
            dots, after_dot = 0, part in "\n=[]{}"
        else:
            after_dot = False
        most = max(most, dots)
    return most


def key_lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every table and key of a text that is valid TOML.

    Keys inside inline tables are not listed: look for the key that holds the table.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        if statement[0] == "[":
            table = _path(part for part in statement if part not in _OPEN + _CLOSE)
            found.setdefault(table, line)
        else:
            path = table + _path(statement[: statement.index("=")])
            for length in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:length], line)
    return found


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """The parts of each header or assignment with its line; blanks and comments left out."""
    line = start = 1
    depth = 0
    statement: list[str] = []
    for part in _TOKEN.findall(f"{text}\n"):
        if part == "\n" and depth == 0 and statement:
            yield start, statement
            statement = []
        elif not part.isspace() and not part.startswith("#"):
            start = start if statement else line
            statement.append(part)
            depth += (part in _OPEN) - (part in _CLOSE)
        line += part.count("\n")


def _path(parts: Iterator[str] | list[str]) -> Path:
    return tuple(_plain(part) for part in parts if part != ".")


def _plain(part: str) -> str:
    """A key without its quotes."""
    if part[0] not in "\"'":
        return part
    name: str = tomllib.loads(f"k = {part}")["k"]
    return name
