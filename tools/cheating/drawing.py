"""Draws what got in: a panel for each way to cheat, a line for each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import PercentFormatter

from tools.plots import BLUE, GREEN, GREY, RED, STYLE

LINES: Mapping[str, tuple[str, str, str]] = {
    "quorum 2": (GREY, "-", "o"),
    "quorum 3": (GREY, "--", "s"),
    "BOINC adaptive": (RED, "-", "^"),
    "adaptive, 2% checked": (GREEN, ":", "v"),
    "adaptive, 5% checked": (BLUE, "-", "D"),
    "adaptive, 20% checked": (BLUE, ":", "d"),
    "adaptive, quorum 3, 5% checked": (BLUE, "--", "s"),
}
LEAST = 1e-6  # below one event in a million nothing is told apart from none


def draw(cells: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> None:
    """One figure of all cells, written to each of these files (PNG, SVG)."""
    cheats = list(dict.fromkeys(cell["cheat"] for cell in cells))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 6.4), layout=ConstrainedLayoutEngine())
        FigureCanvasAgg(figure)
        axes = figure.subplots(2, -(-len(cheats) // 2), sharex=True, sharey=True, squeeze=False)
        for place, cheat in zip(axes.flat, cheats, strict=False):
            _panel(place, cheat, [cell for cell in cells if cell["cheat"] == cheat])
        for place in axes[-1]:
            place.set_xlabel("hosts that cheat")
        for place in axes[:, 0]:
            place.set_ylabel("events that are wrong")
        handles: dict[str, Any] = {}
        for place in axes.flat:
            drawn, labels = place.get_legend_handles_labels()
            handles |= dict(zip(labels, drawn, strict=True))
        lines = list(handles.values())
        figure.legend(lines, list(handles), loc="outside lower center", ncols=3)
        for file in files:
            meta: dict[str, Any] = {"Date": None} if file.suffix == ".svg" else {}
            figure.savefig(file, dpi=110, metadata=meta)


def _panel(place: Any, cheat: str, cells: Sequence[Mapping[str, Any]]) -> None:
    place.set_title(cheat, fontsize=12)
    for rule, (colour, line, marker) in LINES.items():
        told = [(cell["share"], cell["wrong_share"]) for cell in cells if cell["rule"] == rule]
        if told:
            shares, wrong = zip(*told, strict=True)
            place.plot(shares, wrong, color=colour, ls=line, marker=marker, ms=4.5, label=rule)
    place.set_yscale("symlog", linthresh=LEAST)
    place.set_ylim(0, 1)
    place.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    place.grid(visible=True, color="#dddddd", lw=0.6)
