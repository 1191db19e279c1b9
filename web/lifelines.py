"""A machine's life as a strip: when it worked, its gaps, what it was told, what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from web.axes import moments
from web.drawing import SIZE, Frame, below, escaped, hint, nothing, num, svg, words_at

ROW = 2.1 * SIZE  # from one row to the next
TOP = 4.0


@dataclass(frozen=True)
class Worked:
    """It had leases from ``start`` to ``end`` (Unix)."""

    start: float
    end: float
    words: str


@dataclass(frozen=True)
class Mark:
    """Something at a moment."""

    at: float
    words: str


@dataclass(frozen=True)
class Row:
    """A row of marks under a name."""

    name: str
    marks: Sequence[Mark]


def lifeline(
    worked: Sequence[Worked],
    rows: Sequence[Row],
    *,
    start: float,
    end: float,
    title: str,
    width: float = 360,
) -> str:
    """The strip: a row of work, where gaps stay gaps, and a row of marks for each of ``rows``."""
    height = TOP + ROW * (1 + len(rows)) + 2 * SIZE
    told = _told(worked, rows, title, end - start)
    if end <= start:
        return svg(width, height, told, "lifeline", [nothing(width, height)])
    left = max(6 * SIZE, *(0.62 * SIZE * len(row.name) for row in rows), 0.0) if rows else 6 * SIZE
    frame = Frame(left, TOP, width - 6, height - 2 * SIZE, (start, end), (0, 1))
    room = frame.right - frame.left
    parts = [words_at(0, _low(0) - 4, "worked", "name"), _track(frame, 0)]
    parts += [_beam(frame, one) for one in worked if one.end >= start and one.start <= end]
    for place, row in enumerate(rows, 1):
        parts += [words_at(0, _low(place) - 4, row.name, "name"), _track(frame, place)]
        parts += [_mark(frame, place, one) for one in row.marks if start <= one.at <= end]
    return svg(
        width,
        height,
        told,
        "lifeline",
        [*parts, *below(frame, moments(start, end, room, SIZE), width)],
    )


def _told(worked: Sequence[Worked], rows: Sequence[Row], title: str, seconds: float) -> str:
    spent = sum(one.end - one.start for one in worked)
    share = f"{100 * min(1.0, spent / seconds):.0f} % of the time" if seconds > 0 else "nothing yet"
    counts = "; ".join(f"{row.name} {len(row.marks)}" for row in rows)
    return f"{title}: worked {share}; {counts}."


def _low(place: int) -> float:
    return TOP + ROW * (place + 1) - 6


def _track(frame: Frame, place: int) -> str:
    low = num(_low(place))
    return f'<path class="rule" d="M{num(frame.left)} {low}H{num(frame.right)}"/>'


def _beam(frame: Frame, one: Worked) -> str:
    left, right = frame.across(one.start), frame.across(one.end)
    high = ROW - 10
    wide = num(max(1.0, right - left))
    return (
        f'<path class="bar-of" d="M{num(left)} {num(_low(0) - high)}h{wide}v{num(high)}h-{wide}z">'
        f"{hint(one.words)}</path>"
    )


def _mark(frame: Frame, place: int, one: Mark) -> str:
    x, low = frame.across(one.at), _low(place)
    colour = f"s{place + 1}"
    return (
        f'<path class="key-of {colour}" d="M{num(x - 3)} {num(low)}l3 -9l3 9z">'
        f"<title>{escaped(one.words)}</title></path>"
    )
