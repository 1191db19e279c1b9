"""What others wrote, before a person's terminal sees it."""

from __future__ import annotations


def printable(text: str, most: int = 2000) -> str:
    """A text as one line without anything that a terminal would obey: no escapes, no controls."""
    cut = text if len(text) <= most else f"{text[:most]}..."
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in cut)


def lines(text: str) -> str:
    """The same for a text of several lines, such as a log: its line ends and tabs stay."""
    kept = ("\n", "\t")
    return "".join(
        sign if sign.isprintable() or sign in kept else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
