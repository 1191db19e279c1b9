"""What plots are drawn with: a frame with axes, words, legends, strips that tell values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from web.axes import Tick, cut, width_of

SIZE = 12.0
"""How high words are laid out; `plots.css` draws them smaller where a plot is shown large."""

_UNFIT = re.compile(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]")

COLOURS = 8
"""Lines have the classes s1 to s8, and then again from s1."""


@dataclass(frozen=True)
class Frame:
    """Where a plot is drawn, and from what to what its axes go."""

    left: float
    top: float
    right: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = False

    def across(self, value: float) -> float:
        """The place of a value of the horizontal axis."""
        return self._place(value, self.x, self.left, self.right)

    def up(self, value: float) -> float:
        """The place of a value of the vertical axis."""
        if self.log:
            low, high = math.log10(self.y[0]), math.log10(self.y[1])
            value = math.log10(value) if value > 0 else low
            return self._place(value, (low, high), self.bottom, self.top)
        return self._place(value, self.y, self.bottom, self.top)

    @staticmethod
    def _place(value: float, axis: tuple[float, float], low: float, high: float) -> float:
        part = (value - axis[0]) / (axis[1] - axis[0])
        return low + min(1.0, max(0.0, part)) * (high - low)


def finite(value: float | None) -> float | None:
    """A value that can be drawn, or None."""
    return value if value is not None and math.isfinite(value) else None


def strip(frame: Frame, x: float, words: str) -> str:
    """A strip of the frame that tells words to who points at it; one of `strips`."""
    return f'<path d="M{num(x)} {num(frame.top)}V{num(frame.bottom)}">{hint(words)}</path>'


def strips(made: Sequence[str], wide: float) -> str:
    """Strips of this width."""
    return f'<g class="hits" stroke-width="{num(wide)}">{"".join(made)}</g>'


def ruled(frame: Frame, ticks: Sequence[Tick]) -> list[str]:
    """A line across for each tick, and its words at the left."""
    rules = "".join(f"M{num(frame.left)} {num(frame.up(t.at))}H{num(frame.right)}" for t in ticks)
    words = [
        words_at(frame.left - 4, frame.up(t.at) + 0.35 * SIZE, t.words, "amount") for t in ticks
    ]
    zero = frame.up(0) if not frame.log else frame.bottom
    base = f'<path class="base" d="M{num(frame.left)} {num(zero)}H{num(frame.right)}"/>'
    return [f'<path class="rule" d="{rules}"/>', base, *words]


def below(frame: Frame, ticks: Sequence[Tick], width: float) -> list[str]:
    """A mark and words below the frame for each tick; those at its ends are moved inwards."""
    if not ticks:
        return []
    drawn = "".join(f"M{num(frame.across(t.at))} {num(frame.bottom)}v4" for t in ticks)
    parts = [f'<path class="base" d="{drawn}"/>']
    for tick in ticks:
        half = width_of(tick.words, SIZE) / 2
        x = min(max(frame.across(tick.at), half), width - half)
        parts.append(words_at(x, frame.bottom + SIZE + 5, tick.words, "middle"))
    return parts


def legend(names: Sequence[str], width: float) -> tuple[list[str], float]:
    """The names of several lines beside their colours, and how high that is."""
    if len(names) < 2:
        return [], 0.0
    parts, x, y = [], 0.0, 0.0
    for place, name in enumerate(names):
        words = cut(name, width - 2 * SIZE, SIZE)
        wide = width_of(words, SIZE) + 2 * SIZE
        if x and x + wide - 0.5 * SIZE > width:
            x, y = 0.0, y + 1.4 * SIZE
        colour = f"s{place % COLOURS + 1}"
        parts.append(f'<path class="key-of {colour}" d="M{num(x)} {num(y + 3)}h8v8h-8z"/>')
        parts.append(words_at(x + SIZE, y + SIZE - 1, words, "name"))
        x += wide
    return parts, y + 1.6 * SIZE


def nothing(width: float, height: float, words: str = "Nothing yet") -> str:
    """What stands where there is nothing to draw yet."""
    return words_at(width / 2, height / 2 + SIZE / 3, words, "middle")


def words_at(x: float, y: float, words: str, kind: str) -> str:
    """Words at a place; their class says which of their ends stands there."""
    return (
        f'<text class="{kind}" x="{num(x)}" y="{num(y)}">{escaped(words)}</text>' if words else ""
    )


def hint(words: str) -> str:
    """What browsers show to who points at it."""
    return f"<title>{escaped(words)}</title>"


def svg(width: float, height: float, told: str, kind: str, parts: Sequence[str]) -> str:
    """The whole drawing, with what it shows in words."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot {kind}" role="img"'
        f' viewBox="0 0 {num(width)} {num(height)}" aria-label="{escaped(told)}">'
        f"{''.join(parts)}</svg>"
    )


def escaped(words: str) -> str:
    """Text that XML may hold: no control characters, no halves of surrogate pairs."""
    return escape(_UNFIT.sub(" ", words))


def num(value: float) -> str:
    """A coordinate to the tenth, as short as it can be said."""
    return f"{value:.1f}".removesuffix(".0")
