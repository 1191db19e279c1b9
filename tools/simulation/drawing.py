"""Draws runs: how much was done when, for each policy, and where the CPU went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tools.plots import STYLE
from tools.simulation.run import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Tol's muted scheme: told apart by people who do not see all colours.
COLOURS = ("#332288", "#117733", "#88CCEE", "#DDCC77", "#CC6677", "#AA4499", "#882255")
PARTS = {
    "useful": ("one copy of each event", "#332288"),
    "checked": ("copies that agreed with it", "#88CCEE"),
    "surplus": ("copies too late for anything", "#DDCC77"),
    "lost": ("lost by stops", "#CC6677"),
    "rejected": ("copies rejected", "#882255"),
    "set_up": ("set-up", "#777777"),
}
FARTHEST = 12.0  # times the ideal that are drawn


def draw(runs: Sequence[Figures], title: str, png: Path | None, svg: Path | None) -> None:
    """One figure of these runs, one curve for each policy (of its first seed)."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(13.5, 5.4), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        names = list(dict.fromkeys(one.policy for one in runs))
        _draw_curves(left, [next(r for r in runs if r.policy == name) for name in names])
        _draw_bars(right, runs, names)
        figure.suptitle(title, fontsize=14, fontweight="bold")
        if png:
            figure.savefig(png, dpi=150, metadata={"Software": None})
        if svg:
            figure.savefig(svg, metadata={"Date": None, "Creator": None})


def _draw_curves(axes: Axes, runs: Sequence[Figures]) -> None:
    for colour, run in zip(COLOURS, runs, strict=False):
        at = [0.0, *(point[0] for point in run.curve)]
        done = [0.0, *(100 * point[1] for point in run.curve)]
        axes.plot(at, done, color=colour, lw=2, label=run.policy)
        if at[-1] <= FARTHEST and done[-1] >= 100:
            axes.plot(at[-1:], done[-1:], "o", color=colour, ms=6)
    axes.axvline(1.0, color="#777777", lw=1, ls=":")
    axes.set_xlim(0, min(FARTHEST, 1.05 * max(run.curve[-1][0] for run in runs)))
    axes.set_ylim(0, 103)
    axes.set_xlabel("time / ideal time of one copy of each event")
    axes.set_ylabel("events decided (%)")
    axes.legend(loc="lower right")


def _draw_bars(axes: Axes, runs: Sequence[Figures], names: Sequence[str]) -> None:
    """CPU spent for each event, in units of what one copy of it takes."""
    rows = list(range(len(names)))[::-1]
    left = [0.0] * len(names)
    for part, (label, colour) in PARTS.items():
        widths = [
            fmean(r.cpu[part] / r.cpu["useful"] for r in runs if r.policy == name) for name in names
        ]
        axes.barh(rows, widths, left=left, color=colour, label=label, height=0.62)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(rows, labels=list(names))
    axes.minorticks_off()
    axes.set_xlim(0, 1.05 * max(left))
    axes.set_xlabel("CPU spent / CPU of one copy of each event")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.13), ncol=3)
