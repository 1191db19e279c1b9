"""Figures, sizes and times in the words that people read on the pages."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import TypeVar

Host = TypeVar("Host")

_GAP = "\u202f"  # narrow and unbreakable: what ISO 80000-1 puts between groups of three digits
_NBSP = "\u00a0"
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_AGES = ((86_400, "day"), (3_600, "hour"), (60, "minute"))

STRIP_COLUMNS = 40
STRIP_CELL = 10

PRODUCTION_WORDS = {
    "active": "running",
    "paused": "paused",
    "held": "needs an operator",
    "merging": "writing the output",
    "done": "done",
    "aborted": "given up",
}


def count(number: float) -> str:
    """A number in groups of three digits."""
    return f"{round(number):,}".replace(",", _GAP)


def plural(number: float, word: str) -> str:
    """A number and its word, which takes an s unless there is one."""
    return f"{count(number)}{_NBSP}{word}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that they fill."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in _SPANS:
        amount, left = divmod(left, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount}{_NBSP}{unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


def size(amount: float) -> str:
    """Bytes in decimal units, three digits."""
    step = 0
    while amount >= 999.5 and step < len(_SIZES) - 1:
        amount, step = amount / 1000, step + 1
    digits = 0 if step == 0 or amount >= 99.95 else 1 if amount >= 9.995 else 2
    return f"{amount:.{digits}f}{_NBSP}{_SIZES[step]}"


def ago(then: float, now: float) -> str:
    """How long ago, in its largest unit, so that the words change seldom."""
    passed = now - then
    for length, word in _AGES:
        if passed >= length:
            return f"{plural(passed // length, word)} ago"
    return "just now"


def moment(at: float) -> str:
    """A Unix time as date and time of day (UTC)."""
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%d %H:%M:%S}{_NBSP}UTC"


def day(at: float) -> str:
    """A Unix time as its date (UTC)."""
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%d}"


def stamp(at: float) -> str:
    """A Unix time as the ``datetime`` attribute of a time element."""
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def rate(per_s: float) -> str:
    """Events per second, minute or hour, whichever can be read."""
    for factor, unit in ((1, "s"), (60, "min"), (3600, "h")):
        amount = per_s * factor
        if amount >= 1 or unit == "h":
            digits = 1 if 0 < amount < 10 else 0
            text = count(amount) if digits == 0 else f"{amount:.1f}"
            return f"{text}{_NBSP}events/{unit}"
    raise AssertionError  # the last unit always returns


def percent(part: float, whole: float) -> str:
    """A share, cut and not rounded: it says 100 only when nothing is missing."""
    tenths = 1000 if whole <= 0 or part >= whole else int(1000 * part / whole)
    return f"{tenths / 10:g}{_NBSP}%"


def share(part: float, whole: float) -> str:
    """A share from 0 to 100 as an attribute of a drawing."""
    return f"{100 * min(1.0, max(0.0, part / whole)) if whole > 0 else 0:.2f}"


def production_state(production: object) -> str:
    """The state of a production in words."""
    state: str = getattr(production, "state", "")
    if state == "active" and not getattr(production, "leased", 0):
        return "waiting for machines"
    return PRODUCTION_WORDS.get(state, state)


def host_state(host: object, now: float) -> str:
    """What a host does, and when it was last heard of, in words."""
    state: str = getattr(host, "state", "")
    last_seen: float = getattr(host, "last_seen", 0.0)
    if not last_seen:
        return "never checked in"
    why: str = getattr(host, "why", "")
    return f"{state}{f' ({why})' if why else ''}, checked in {ago(last_seen, now)}"


def host_lamp(host: object) -> str:
    """The lamp of a host: on if it is here, off if it is refused, hollow if it is away or rests."""
    look = HOST_LOOKS.get(getattr(host, "state", ""), "good")
    return {"good": "on", "bad": "off"}.get(look, "")


HOST_LOOKS = {
    "working": "good",
    "banned": "bad",
    "revoked": "bad",
    "cloned": "bad",
    "away": "off",
    "suspended": "off",
    "switched off": "off",
    "resting": "off",
}


def host_look(host: object) -> str:
    """The colour of a host's state, which is never its only sign."""
    return HOST_LOOKS.get(getattr(host, "state", ""), "")


SITE_WORDS = {
    "announced": "leaving: announced",
    "draining": "leaving",
    "drained": "empty",
    "overdue": "overdue",
}
SITE_LOOKS = {"open": "active", "drained": "done", "overdue": "held"}


def machine_look(machine: object) -> str:
    """How the state of a person's own machine looks."""
    looks = {"working": "good", "waiting for work": "cool", "not heard of": "off", "paused": "off"}
    return looks.get(str(getattr(machine, "state", "")), "warn")


def site_state(site: object) -> str:
    """How a site stands, in words: what its machines do, or how far its switch is."""
    stage: str = getattr(site, "stage", "")
    if getattr(site, "mode", "") == "online":
        if not getattr(site, "hosts_now", 0):
            return "nobody here"
        return "working" if getattr(site, "working", 0) else "waiting for work"
    if getattr(site, "how", "") == "suspend":
        return "suspended" if stage == "drained" else f"suspending: {stage}"
    return SITE_WORDS.get(stage, stage)


def site_look(site: object) -> str:
    """The colour of a site's state, which is never its only sign."""
    stage: str = getattr(site, "stage", "")
    if stage == "open" and not getattr(site, "working", 0):
        return "cool" if getattr(site, "hosts_now", 0) else "off"
    return SITE_LOOKS.get(stage, "paused")


def seconds(amount: float | None) -> str:
    """A short time to the hundredth; a dash if it is not known."""
    return "\N{EN DASH}" if amount is None else f"{amount:.2f} s"


def millis(amount: float) -> str:
    """A time that a computer takes, in milliseconds to three digits."""
    return f"{float(f'{1000 * amount:.3g}'):g}{_NBSP}ms"


def in_order(hosts: Sequence[Host]) -> list[Host]:
    """Hosts that work, then those that wait, then the rest; by name, so that rows stay put."""
    ranks = {"working": 0, "waiting for work": 1, "away": 2}

    def rank(host: Host) -> tuple[int, str]:
        return ranks.get(getattr(host, "state", ""), 3), getattr(host, "name", "")

    return sorted(hosts, key=rank)


def strip_paths(strip: Sequence[str]) -> Mapping[str, str]:
    """One SVG path per state: a square for each cell, `STRIP_COLUMNS` in a row."""
    found: dict[str, list[str]] = {}
    side = STRIP_CELL - 2
    for number, state in enumerate(strip):
        row, column = divmod(number, STRIP_COLUMNS)
        square = f"M{column * STRIP_CELL} {row * STRIP_CELL}h{side}v{side}h-{side}z"
        found.setdefault(state, []).append(square)
    return {state: "".join(squares) for state, squares in found.items()}


def strip_height(strip: Sequence[str]) -> int:
    """The height of the drawing of a strip."""
    return -(-len(strip) // STRIP_COLUMNS) * STRIP_CELL


def in_words(value: object) -> str:
    """A value of a context as people read it: lists and rows with commas and semicolons."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(in_words(item) for item in value) or "nothing"
        case dict():
            return ", ".join(f"{key} {said}" for key, said in value.items() if said)
        case _:
            return str(value) or "nothing"
