"""Plots as SVG text: lines over time, bars, histograms; made for a phone, and drawn larger.

They take their colours from ``plots.css`` by class, carry each value as a ``<title>``, and say in
words what they show. A drawing is ``width`` wide in units of its own; words are laid out
`web.drawing.SIZE` high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from web.axes import cut, moments, number, rounded, when, width_of
from web.drawing import (
    COLOURS,
    SIZE,
    Frame,
    below,
    finite,
    hint,
    legend,
    nothing,
    num,
    ruled,
    strip,
    strips,
    svg,
    words_at,
)
from web.histograms import histogram
from web.world import world

__all__ = ["Line", "bars", "histogram", "line", "world"]


@dataclass(frozen=True)
class Line:
    """A line of a plot: its name, and its values in steps of time; None where there is none."""

    name: str
    values: Sequence[float | None]


def line(
    series: Sequence[Line],
    *,
    title: str,
    unit: str,
    step_s: float,
    start: float,
    width: float = 360,
    height: float = 190,
    whole: bool = False,
) -> str:
    """Values over time, beginning at ``start`` (Unix), one each ``step_s``; gaps stay gaps.

    ``whole``: the values are of things that are counted, so no tick lies between two integers.
    """
    series = [Line(one.name, [finite(value) for value in one.values]) for one in series]
    steps = max((len(one.values) for one in series), default=0)
    told = _told(series, title, unit, start, step_s, steps)
    known = [value for one in series for value in one.values if value is not None]
    if not known:
        return svg(width, height, told, "line", [nothing(width, height)])
    ticks = rounded(min(0, *known), max(0, *known), whole=whole)
    named, top = legend([one.name for one in series], width)
    end = start + steps * step_s
    left = 6 + max(width_of(tick.words, SIZE) for tick in ticks)
    y = (ticks[0].at, ticks[-1].at)
    frame = Frame(left, top + SIZE + 8, width - 8, height - SIZE - 8, (start, end), y)
    dates = moments(start, end, frame.right - frame.left, SIZE)
    parts = [*named, words_at(2, top + SIZE - 2, unit, "unit"), *ruled(frame, ticks)]
    parts += below(frame, dates, width)
    for place, one in enumerate(series):
        parts += _drawn(frame, one.values, step_s, f"s{place % COLOURS + 1}", len(series) == 1)
    parts.append(_hits(frame, series, step_s, start, steps, unit))
    return svg(width, height, told, "line", parts)


def bars(
    values: Sequence[tuple[str, float]],
    *,
    title: str,
    unit: str,
    width: float = 360,
    most: int = 12,
    ordered: bool = False,
) -> str:
    """A bar for each name, the longest first unless they have an order of their own.

    Beyond ``most`` the rest is added up as others.
    """
    ranked = [(name, finite(value) or 0.0) for name, value in values]
    if not ordered:
        ranked.sort(key=lambda one: (-one[1], one[0]))
    if len(ranked) > most:
        rest = ranked[most - 1 :]
        ranked = [*ranked[: most - 1], (f"{len(rest)} others", sum(value for _, value in rest))]
    said = "; ".join(f"{name} {number(value)}" for name, value in ranked)
    told = f"{title}: {said or 'nothing here'}{f' {unit}' if ranked and unit else ''}."
    if not ranked:
        return svg(width, 3 * SIZE, told, "bars", [nothing(width, 3 * SIZE, "Nothing here")])
    amounts = [number(value) for _, value in ranked]
    right = max(width_of(amount, SIZE) for amount in amounts) + 8
    names = min(0.42 * width, max(width_of(name, SIZE) for name, _ in ranked) + 8)
    room, longest = width - names - right, max(value for _, value in ranked)
    parts = []
    for row, ((name, value), amount) in enumerate(zip(ranked, amounts, strict=True)):
        top = row * 1.75 * SIZE
        wide = room * max(0.0, value) / longest if longest > 0 else 0.0
        y = top + 1.25 * SIZE
        parts.append(
            f"<g>{hint(f'{name}: {amount} {unit}'.strip())}"
            f"{words_at(0, y, cut(name, names - 8, SIZE), 'name')}"
            f"{_beam('track', names, top, room)}{_beam('bar-of', names, top, wide)}"
            f"{words_at(width, y, amount, 'amount')}</g>"
        )
    return svg(width, len(ranked) * 1.75 * SIZE, told, "bars", parts)


def _beam(kind: str, left: float, top: float, wide: float) -> str:
    high = num(1.75 * SIZE - 6)
    return (
        f'<path class="{kind}" d="M{num(left)} {num(top + 3)}h{num(wide)}v{high}h-{num(wide)}z"/>'
    )


def _told(
    series: Sequence[Line], title: str, unit: str, start: float, step_s: float, steps: int
) -> str:
    """What a plot of lines shows, in words."""
    said = []
    for one in series:
        known = [value for value in one.values if value is not None]
        if known:
            name = f"{one.name}: " if len(series) > 1 else ""
            least, most = number(min(known)), number(max(known))
            said.append(f"{name}lowest {least}, highest {most}, last {number(known[-1])} {unit}")
    span = f"{when(start, step_s)} to {when(start + steps * step_s, step_s)} UTC"
    return f"{title}, {span}. {'; '.join(said) or 'Nothing yet'}."


def _drawn(
    frame: Frame, values: Sequence[float | None], step_s: float, colour: str, alone: bool
) -> Iterator[str]:
    """A line with its gaps; what stands alone between gaps is a dot. One alone has a ground."""
    runs, dots, ground = [], [], []
    for first, run in _runs(values):
        places = [
            (frame.across(frame.x[0] + (first + n + 0.5) * step_s), frame.up(value))
            for n, value in enumerate(run)
        ]
        path = f"M{num(places[0][0])} {num(places[0][1])}"
        if len(places) == 1:
            dots.append(f"{path}h0")
            continue
        path += "".join(f"L{num(x)} {num(y)}" for x, y in places[1:])
        runs.append(path)
        ground.append(f"{path}V{num(frame.up(0))}H{num(places[0][0])}z")
    if alone and ground:
        yield f'<path class="fill {colour}" d="{"".join(ground)}"/>'
    if runs:
        yield f'<path class="curve {colour}" d="{"".join(runs)}"/>'
    if dots:
        yield f'<path class="dots {colour}" d="{"".join(dots)}"/>'


def _runs(values: Sequence[float | None]) -> Iterator[tuple[int, list[float]]]:
    """The stretches without a gap, each with the place where it begins."""
    run: list[float] = []
    for place, value in enumerate(values):
        if value is not None:
            run.append(value)
        elif run:
            yield place - len(run), run
            run = []
    if run:
        yield len(values) - len(run), run


def _hits(
    frame: Frame, series: Sequence[Line], step_s: float, start: float, steps: int, unit: str
) -> str:
    """For each step of time a strip that tells its values to who points at it."""
    made = []
    for place in range(steps):
        found = [
            (one.name, one.values[place])
            for one in series
            if place < len(one.values) and one.values[place] is not None
        ]
        if not found:
            continue
        said = "; ".join(
            f"{f'{name} ' if len(series) > 1 else ''}{number(value)}"
            for name, value in found
            if value is not None
        )
        x = frame.across(frame.x[0] + (place + 0.5) * step_s)
        words = f"{when(start + place * step_s, step_s)}: {said} {unit}".rstrip()
        made.append(strip(frame, x, words))
    return strips(made, (frame.right - frame.left) / max(1, steps))
