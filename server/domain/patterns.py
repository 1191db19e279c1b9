"""Patterns that logs are read with: what a failure is, and what is to be done about it.

The expressions are those of RE2 (github.com/google/re2): no look-around and no back-references, and
the time of a search grows with the length of the log and never faster, whatever a host sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.domain.errors import BadInput

KINDS = (
    *("payload", "input", "memory", "disk", "network", "environment", "limits", "host"),
    "unknown",
)
ELSEWHERE, MEMORY, HOLD = "retry-elsewhere", "retry-with-more-memory", "hold-production"
BLAME, IGNORE = "blame-host", "ignore"
ACTIONS = (ELSEWHERE, MEMORY, HOLD, BLAME, IGNORE)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
REGEX_MOST = 1000  # characters of one expression
# Instructions of RE2's program: a search takes at most about this times the length of the log, in
# steps of 10 ns. 500 of them and a log of 64 KiB are a third of a second; all together three.
SIZE_MOST, SIZES_MOST = 500, 5000
PATTERNS_MOST = 200
RE2_BYTES = 1 << 20
LOG_MOST = 65_536  # characters of a log that are read: its end
AROUND = 5  # lines before and behind the one that matches
LINE_MOST, AROUND_MOST = 400, 4000  # characters kept of a line, and of all with those around it
AGENT = "[agent] "  # before the agent's own word, which is read as the last line of a log


@dataclass(frozen=True)
class Pattern:
    """One row of the table; rows are tried by ``rank``, then by name, and the first match counts.

    ``most`` is how often a unit may fail with this kind before it is held (of hold-production: on
    how many accounts it is seen before the production is held); 0: only the unit's own bound.
    ``factor`` is by how much memory is raised. A ``payload`` narrows it to bundles of this name.
    """

    name: str
    regex: str
    kind: str
    action: str
    most: int = 0
    factor: float = 2.0
    payload: str = ""
    rank: int = 500
    enabled: bool = True
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """Where a pattern first matched: the line, its number from 1, and the lines around it."""

    pattern: Pattern
    number: int
    line: str
    around: str


def faults(pattern: Pattern) -> list[str]:
    """What is wrong with a pattern: thing, rule and cure; nothing if it can be used."""
    at = f"pattern {pattern.name[:80]!r}"
    found = [
        f"{at}: {thing}"
        for wrong, thing in (
            (
                NAME.fullmatch(pattern.name) is None,
                "a name is 1 to 63 lower-case letters, digits, dots, hyphens and underscores;"
                " write for example no-geometry",
            ),
            (pattern.kind not in KINDS, f"kind {pattern.kind!r}; use one of {', '.join(KINDS)}"),
            (
                pattern.action not in ACTIONS,
                f"action {pattern.action!r}; use one of {', '.join(ACTIONS)}",
            ),
            (not 0 <= pattern.most <= 1000, f"most {pattern.most}; it is from 0 to 1000"),
            (not 1.1 <= pattern.factor <= 10, f"factor {pattern.factor}; it is from 1.1 to 10"),
            (not 0 <= pattern.rank <= 10_000, f"rank {pattern.rank}; it is from 0 to 10000"),
            (
                len(pattern.note) > 500 or len(pattern.payload) > 63,
                "a note has at most 500 characters, a payload's name 63; write less",
            ),
        )
        if wrong
    ]
    wrong = _regex_fault(pattern.regex)
    return [*found, f"{at}: {wrong}"] if wrong else found


def _regex_fault(text: str) -> str:
    if not text or len(text) > REGEX_MOST or "\n" in text or "\0" in text:
        return f"an expression is one line of 1 to {REGEX_MOST} characters; write a shorter one"
    import re2

    try:
        made = _compiled(text)
    except (re2.error, UnicodeError) as error:
        return (
            f"RE2 does not take the expression: {_said(error)};"
            " look-around and back-references are not known, and most repetitions are 1000"
        )
    if max(made.programsize, made.reverseprogramsize) > SIZE_MOST:
        return (
            f"the expression comes to {made.programsize} instructions, and {SIZE_MOST} may be;"
            " use smaller repetitions, or two patterns"
        )
    if made.search(b"") is not None:
        return "the expression matches an empty log, so it would match every one; say what is in it"
    return ""


def _said(error: Exception) -> str:
    what = error.args[0] if error.args else str(error)
    return what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)


def _compiled(text: str) -> Any:
    import re2  # where it is used: what needs no pattern starts without it

    options = re2.Options()
    options.max_mem, options.log_errors = RE2_BYTES, False
    return re2.compile(f"(?m:{text})".encode(), options)


def check(patterns: Sequence[Pattern]) -> None:
    """`BadInput` with every fault of a whole table."""
    found = [fault for pattern in patterns for fault in faults(pattern)]
    if len(patterns) > PATTERNS_MOST:
        found.append(f"patterns: {len(patterns)}, and at most {PATTERNS_MOST} may be; remove some")
    if not found:
        size = sum(_compiled(p.regex).programsize for p in patterns if p.enabled)
        if size > SIZES_MOST:
            found.append(
                f"patterns: together they come to {size} instructions, and {SIZES_MOST} may be;"
                " switch some off, or write smaller ones"
            )
    if found:
        raise BadInput(found)


class Scanner:
    """A table made ready for reading logs."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        """Patterns that cannot be used any more, being of another version, are passed over."""
        usable = sorted(
            (p for p in patterns if p.enabled and not faults(p)), key=lambda p: (p.rank, p.name)
        )
        self._patterns = [(p, _compiled(p.regex)) for p in usable]

    def scan(self, log: str, payload: str, word: str = "") -> Finding | None:
        """What a log, and the agent's own ``word``, first matches."""
        return next(iter(self.matches(log, payload, word)), None)

    def matches(self, log: str, payload: str, word: str = "") -> Iterable[Finding]:
        """Every pattern that matches, in the order of the table, with its first match."""
        text = log[-LOG_MOST:].replace("\r\n", "\n")
        if word:
            text = f"{text.rstrip(chr(10))}\n{AGENT}{word}" if text else f"{AGENT}{word}"
        raw = text.encode("utf-8", "replace")
        for pattern, made in self._patterns:
            if pattern.payload in ("", payload):
                match = made.search(raw)
                if match is not None:
                    yield _finding(pattern, raw, match.start())


def _finding(pattern: Pattern, raw: bytes, at: int) -> Finding:
    number = raw.count(b"\n", 0, at)
    lines = raw.split(b"\n")
    low = max(0, number - AROUND)
    near = [_shown(line) for line in lines[low : number + AROUND + 1]]
    around = "\n".join(near)
    if len(around) > AROUND_MOST:  # long lines: what matters stands in the middle
        around = "\n".join(line[: AROUND_MOST // (2 * AROUND + 1)] for line in near)
    return Finding(pattern, number + 1, near[number - low], around)


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if len(text) <= LINE_MOST else f"{text[: LINE_MOST - 3]}..."
