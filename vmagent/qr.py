"""Draws a QR code in text from its rows of modules, for terminals of every kind; pure."""

from __future__ import annotations

from collections.abc import Sequence

from vmagent.wire.pairing import QR_MOST

QUIET = 2  # modules of light around it; the standard asks for 4, readers need less
LEAST = 21  # modules on a side of the smallest code
# On a dark screen light modules are what is drawn. Upper and lower half of a character each.
HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
REVERSE, PLAIN = "\x1b[7m", "\x1b[0m"


def modules(rows: Sequence[str]) -> list[list[bool]]:
    """The modules with a quiet zone, True where it is light; empty if this is no QR code.

    A server may send what it likes: what is no square of ``0`` and ``1`` is not drawn.
    """
    side = len(rows)
    if not LEAST <= side <= QR_MOST or (side - 17) % 4:
        return []
    if any(len(row) != side or set(row) - {"0", "1"} for row in rows):
        return []
    light = [True] * (side + 2 * QUIET)
    inner = [[True] * QUIET + [sign == "0" for sign in row] + [True] * QUIET for row in rows]
    return [light] * QUIET + inner + [light] * QUIET


def draw(rows: Sequence[str], columns: int, lines: int, plain: bool) -> list[str]:
    """The lines to show, empty if they do not fit in so many columns and lines.

    Half blocks where the terminal has them; else blanks in reverse, which every terminal has.
    """
    found = modules(rows)
    if not found:
        return []
    shown = _reversed(found) if plain else _halves(found)
    width = len(found[0]) * (2 if plain else 1)
    return shown if width <= columns and len(shown) <= lines else []


def _halves(found: list[list[bool]]) -> list[str]:
    below = [*found[1:], [False] * len(found)]
    return [
        "".join(HALVES[pair] for pair in zip(found[at], below[at]))
        for at in range(0, len(found), 2)
    ]


def _reversed(found: list[list[bool]]) -> list[str]:
    lines = []
    for row in found:
        line, lit = "", False
        for light in row:
            if light != lit:
                line, lit = line + (REVERSE if light else PLAIN), light
            line += "  "
        lines.append(line + PLAIN)
    return lines
