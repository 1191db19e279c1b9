"""Plots of productions on pages cost the server little, however many ask for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.handlers import plot_pages
from server.services.plotting import PlotView


def test_a_plot_is_drawn_once_for_all_who_ask_until_its_counts_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[list[float]] = []

    def draw(edges: object, heights: list[float], reference: object, **words: object) -> str:
        drawn.append(list(heights))
        return f"<svg>{words['title']}: {list(heights)}</svg>"

    monkeypatch.setattr(plot_pages, "histogram", draw)
    plot = PlotView(
        "once",
        "Drawn once",
        "pt",
        (),
        [0.0, 1.0, 2.0],
        [1, 3],
        0,
        0,
        [0.5, 1.5],
        [0.5, 0.9],
        [],
        "",
    )
    shown = {plot_pages.draw(replace(plot, heights=[*plot.heights])) for _ in range(5)}
    assert (shown, drawn) == ({"<svg>Drawn once: [0.5, 1.5]</svg>"}, [[0.5, 1.5]])
    more = plot_pages.draw(replace(plot, heights=[0.5, 2.0]))
    assert more == "<svg>Drawn once: [0.5, 2.0]</svg>", "what is kept is never what it was"
    assert plot_pages.draw(replace(plot, title="Another")) != shown.pop()
