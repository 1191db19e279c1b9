"""Histograms as SVG text: counts in bins, beside a reference."""

from __future__ import annotations

from collections.abc import Sequence

from web.axes import Tick, cut, decades, number, rounded, width_of
from web.drawing import (
    SIZE,
    Frame,
    below,
    finite,
    legend,
    nothing,
    num,
    ruled,
    strip,
    strips,
    svg,
    words_at,
)


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    reference: Sequence[float] | None = None,
    *,
    title: str,
    unit: str = "",
    axis: str = "",
    errors: Sequence[float] | None = None,
    log: bool = False,
    width: float = 360,
    height: float = 230,
) -> str:
    """Counts between edges (one more than counts), beside a reference drawn as a line of steps.

    ``errors`` are standard deviations of the counts, drawn as bars; ``axis`` says what is below.
    """
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{len(counts)} counts need {len(counts) + 1} edges, not {len(edges)}")
    counts = [finite(value) or 0.0 for value in counts]
    others = [finite(value) or 0.0 for value in reference or ()]
    spread = [finite(value) or 0.0 for value in errors or [0.0] * len(counts)]
    tops = [n + e for n, e in zip(counts, spread, strict=False)] + others
    log = log and any(value > 0 for value in tops)
    told = f"{title}: {number(sum(counts))} {unit} in {len(counts)} bins".replace("  ", " ")
    told += f", most in the bin from {number(edges[_highest(counts)])}" if any(counts) else ""
    told += ", beside the reference." if others else "."
    if not any(tops):
        return svg(width, height, told, "histogram", [nothing(width, height)])
    ticks = (
        decades(min(value for value in tops if value > 0), max(tops))
        if log
        else rounded(min(0, *tops), max(tops))
    )
    named, top = legend(["this pool", "reference"] if others else [], width)
    left = 6 + max(width_of(tick.words, SIZE) for tick in ticks)
    frame = Frame(
        *(left, top + SIZE + 8, width - 8, height - 2 * SIZE - 12),
        *((edges[0], edges[-1]), (ticks[0].at, ticks[-1].at), log),
    )
    values = _fitting(edges[0], edges[-1], frame.right - frame.left)
    parts = [*named, words_at(2, top + SIZE - 2, unit, "unit"), *ruled(frame, ticks)]
    parts += below(frame, values, width)
    parts.append(words_at(frame.right, height - 3, cut(axis, frame.right - 2, SIZE), "amount axis"))
    parts.append(f'<path class="fill s1" d="{_steps(frame, edges, counts)}V{num(frame.bottom)}z"/>')
    parts.append(f'<path class="curve s1" d="{_steps(frame, edges, counts)}"/>')
    if others:
        parts.append(f'<path class="curve s2" d="{_steps(frame, edges, others)}"/>')
    parts += _errors(frame, edges, counts, spread)
    parts.append(_bins(frame, edges, counts, others))
    return svg(width, height, told, "histogram", parts)


def _highest(counts: Sequence[float]) -> int:
    return max(range(len(counts)), key=lambda place: counts[place])


def _fitting(low: float, high: float, room: float) -> list[Tick]:
    """Round values from low to high, as many as have room beside each other."""
    for most in (6, 5, 4, 3, 2):
        found = [tick for tick in rounded(low, high, most) if low <= tick.at <= high]
        widest = max((width_of(tick.words, SIZE) for tick in found), default=0)
        if (1.5 * widest + SIZE / 2) * max(0, len(found) - 1) <= room:
            return found
    return []


def _bins(
    frame: Frame, edges: Sequence[float], counts: Sequence[float], others: Sequence[float]
) -> str:
    made = []
    for place, value in enumerate(counts):
        middle = (edges[place] + edges[place + 1]) / 2
        words = f"{number(edges[place])} to {number(edges[place + 1])}: {number(value)}"
        words += f", reference {number(others[place])}" if place < len(others) else ""
        made.append(strip(frame, frame.across(middle), words))
    return strips(made, (frame.right - frame.left) / max(1, len(counts)))


def _steps(frame: Frame, edges: Sequence[float], counts: Sequence[float]) -> str:
    parts = [f"M{num(frame.across(edges[0]))} {num(frame.bottom)}"]
    for place, value in enumerate(counts):
        parts.append(f"V{num(frame.up(value))}H{num(frame.across(edges[place + 1]))}")
    return "".join(parts)


def _errors(
    frame: Frame, edges: Sequence[float], counts: Sequence[float], spread: Sequence[float]
) -> list[str]:
    drawn = [
        f"M{num(frame.across((edges[n] + edges[n + 1]) / 2))} {num(frame.up(counts[n] + error))}"
        f"V{num(frame.up(counts[n] - error))}"
        for n, error in enumerate(spread)
        if error > 0
    ]
    return [f'<path class="error-of" d="{"".join(drawn)}"/>'] if drawn else []
