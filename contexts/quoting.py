"""Quotes for what a shell will read, and a refusal for what quotes cannot hold.

Values are held to strict shapes long before; here is the second lock.
"""

from __future__ import annotations

import base64
import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9._/:,@%+=-]*")
_HELD = re.compile(r"[A-Za-z0-9._/:,@%+=| ;*-]*")


class NotToBeQuoted(ValueError):
    """A value that a shell would read as more than text."""


def plain(value: str) -> str:
    """The value, which a shell takes for one word as it stands; `NotToBeQuoted` if it does not."""
    if not _PLAIN.fullmatch(value):
        raise NotToBeQuoted(f"{value[:40]!r} may only have letters, digits and . _ / : , @ % + = -")
    return value


def quoted(value: str) -> str:
    """The value between double quotes; `NotToBeQuoted` if they would not hold it."""
    if not _HELD.fullmatch(value):
        raise NotToBeQuoted(f"{value[:40]!r} has signs that double quotes do not hold")
    return f'"{value}"'


def fitting(value: str) -> str:
    """As it stands where it is one word, else between double quotes."""
    return value if _PLAIN.fullmatch(value) else quoted(value)


def word(value: str) -> str:
    """Any text as one word of a line of shell (for lines of our own, never for INI values)."""
    return shlex.quote(value)


def coded(text: str) -> str:
    """Base64 in one line."""
    return base64.b64encode(text.encode()).decode("ascii")
