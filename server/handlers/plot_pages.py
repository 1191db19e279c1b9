"""The physics of productions as plots: drawn for pages, as files, and as figures for programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web

from server.domain.spreadsheet import as_csv
from server.handlers.access import Public
from server.handlers.routes import CSV, SVG, Route
from server.handlers.showing import HEADERS
from server.services import plotting
from server.services.deps import Deps
from server.services.plotting import PlotsView, PlotView
from web.filters import count
from web.histograms import histogram
from web.standalone import standalone

AXES = {
    "multiplicity": "particles in an event",
    "pt": "transverse momentum (GeV)",
    "rapidity": "rapidity",
    "pseudorapidity": "pseudorapidity",
    "cos_theta": "cos θ",
    "energy": "energy (GeV)",
    "mass": "invariant mass (GeV)",
}
DRAWN = 128  # drawings that are kept, of 50 kB at most
Row = tuple[float, ...]
COLUMNS = ("from", "up to", "entries", "per event and unit", "error", "reference")


@dataclass(frozen=True)
class Figure:
    """A plot on a page: its drawing, the rows behind it, and its words."""

    name: str
    title: str
    drawing: str
    rows: list[tuple[str, ...]]
    note: str


def draw(plot: PlotView) -> str:
    """One histogram, beside its reference if it has one; drawn once, whoever asks."""
    figures = (plot.edges, plot.heights, plot.reference, plot.errors)
    return _drawn(plot.title, plot.quantity, *map(tuple, figures))


@lru_cache(maxsize=DRAWN)
def _drawn(title: str, quantity: str, edges: Row, heights: Row, reference: Row, errors: Row) -> str:
    """Milliseconds of the loop's CPU for each."""
    return histogram(
        edges,
        heights,
        reference or None,
        title=title,
        unit="per event and unit",
        axis=AXES[quantity],
        errors=errors,
    )


def figures(found: PlotsView) -> list[Figure]:
    """What a page shows of a production; nothing before the first event is counted."""
    return [
        Figure(plot.name, plot.title, draw(plot), rows_of(plot), _note(found, plot))
        for plot in found.plots
        if found.events
    ]


def rows_of(plot: PlotView) -> list[tuple[str, ...]]:
    """The table behind a histogram, by `COLUMNS`."""
    reference: list[float | None] = [*plot.reference] or [None] * len(plot.counts)
    bins = zip(
        plot.edges, plot.edges[1:], plot.counts, plot.heights, plot.errors, reference, strict=False
    )
    return [
        (f"{low:g}", f"{high:g}", str(entries), f"{height:.6g}", f"{error:.3g}",
         "" if expected is None else f"{expected:.6g}")
        for low, high, entries, height, error, expected in bins
    ]  # fmt: skip


def _note(found: PlotsView, plot: PlotView) -> str:
    said = [f"{count(found.events)} of {count(found.settled)} settled events"]
    if outside := plot.below + plot.above:
        said.append(f"{count(outside)} entries outside of the axis")
    if plot.reference:
        said.append(f"line: {plot.reference_name or 'reference'}")
    return "; ".join(said)


@dataclass(frozen=True)
class PlotPages:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request) -> PlotsView:
        """The figures of all plots of a production."""
        return await plotting.show(self.deps, request.match_info["name"])

    async def file(self, request: web.Request) -> web.Response:
        """One plot as a file."""
        found = await plotting.show(self.deps, request.match_info["name"])
        plot = plotting.named(found, request.match_info["plot"])
        if request.match_info["form"] == "svg":
            return web.Response(text=standalone(draw(plot)), content_type=SVG, headers=HEADERS)
        text = as_csv([COLUMNS, *rows_of(plot)])
        return web.Response(text=text, content_type=CSV, headers=HEADERS)

    def routes(self) -> list[Route]:
        """Every route of plots; productions are shown to anybody, and so are their plots."""
        name = "{name:[a-zA-Z0-9_.-]{1,100}}"
        file = "{plot:[a-z][a-z0-9_-]{0,62}}.{form:svg|csv}"
        return [
            Route("GET", f"/api/v1/productions/{name}/plots", self.show, Public(),
                  "Histograms of its settled events.", reply=PlotsView,
                  codes=("production-unknown",)),
            Route("GET", f"/productions/{name}/plots/{file}", self.file, Public(),
                  "One histogram as a file.", media=SVG, head=True,
                  codes=("production-unknown", "plot-unknown")),
        ]  # fmt: skip
