"""Draws what a production brought home, from its merged output: one figure as PNG and as SVG.

python -m tools.plots OUTPUT --kind pp|ee [--title TITLE] [--png FILE] [--svg FILE]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tools.histograms import Hadrons, Muons, PerEvent, chi_square
from tools.payloads.zpole.payload import point
from tools.readback import Ints, Unreadable, batches

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {"pp": Hadrons, "ee": Muons}

BLUE, RED, GREEN, GREY = "#004488", "#BB5566", "#DDAA33", "#777777"  # Tol's high contrast, and grey
STYLE: Any = {
    "svg.hashsalt": "windfall",  # else the ids in an SVG are random
    "font.size": 11.5,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "mathtext.fontset": "dejavusans",
    "axes.linewidth": 1.0,
    "axes.labelsize": 12.5,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
}


@dataclass(frozen=True)
class Summary:
    """What was read: how many events, whether each once and in order, and mean values with errors.

    ``first`` and ``last`` are the least and the greatest event number (-1 if there is no event).
    """

    events: int
    unique: int
    in_order: bool
    first: int
    last: int
    means: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """No event is missing between the first and the last, none is there twice."""
        return self.in_order and self.events == self.unique == self.last - self.first + 1


def summarise(path: Path, png: Path | None, svg: Path | None, title: str, kind: str) -> Summary:
    """Read an output of this kind (pp or ee) and draw its figure; `Unreadable` if it is broken."""
    content = KINDS[kind]()
    numbers: list[Ints] = []
    for batch in batches(path):
        content.fill(batch)
        numbers.append(batch.numbers)
    summary = _summary(numbers, content)
    if summary.events and (png or svg):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()  # nobody's own settings: the same figure on every machine
            matplotlib.rcParams.update(STYLE)
            figure = _figure(content, title, summary.events)
            if png:
                figure.savefig(png, dpi=150, metadata={"Software": None})
            if svg:
                figure.savefig(svg, metadata={"Date": None, "Creator": None})
    return summary


def _summary(numbers: list[Ints], content: Hadrons | Muons) -> Summary:
    if not numbers:
        return Summary(0, 0, in_order=True, first=-1, last=-1)
    every = numpy.concatenate(numbers)
    return Summary(
        events=len(every),
        unique=len(numpy.unique(every)),
        in_order=bool((numpy.diff(every) > 0).all()),
        first=int(every.min()),
        last=int(every.max()),
        means=content.means(),
    )


def _figure(content: Hadrons | Muons, title: str, events: int) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    figure = Figure(figsize=(15.5, 5.2), layout=layout)
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, 3))
    if isinstance(content, Hadrons):
        beams = f"p + p inelastic, $\\sqrt{{s}}$ = {content.sqrt_s:.2f} GeV"
        _draw_multiplicity(axes[0], content)
        _draw_pt(axes[1], content)
        _draw_rapidity(axes[2], content)
    else:
        beams = r"$\mathbf{e^+e^- \to \gamma^*/Z \to \mu^+\mu^-}$"
        _draw_line_shape(axes[0], content)
        _draw_angles(axes[1], content)
        _draw_asymmetry(axes[2], content)
    count = f"{events:,}".replace(",", "\N{THIN SPACE}")
    figure.suptitle(f"{title}      {beams}      {count} events", fontsize=14.5, fontweight="bold")
    return figure


def _draw_multiplicity(axes: Axes, content: Hadrons) -> None:
    events = content.counts.sum()
    share = content.counts / events
    error = numpy.sqrt(share * (1 - share) / events)
    shown = numpy.flatnonzero(content.counts)
    axes.errorbar(
        shown, share[shown], error[shown], fmt="o", ms=4.5, color=BLUE, ecolor=BLUE, elinewidth=1
    )
    axes.vlines(shown, 1e-9, share[shown], color=BLUE, alpha=0.15, lw=5)
    axes.set_yscale("log")
    axes.set_ylim(max(0.3 / events, 1e-7), 2.0 * share.max())
    axes.set_xlim(-0.8, shown.max() + 1.8)
    axes.set_xlabel(r"charged particles $n_{ch}$")
    axes.set_ylabel(r"probability $P(n_{ch})$")
    _note(axes, [_value(r"\langle n_{ch} \rangle", *content.means()["charged"])])


def _draw_pt(axes: Axes, content: Hadrons) -> None:
    _points(axes, content.pt, BLUE, "o", "charged particles")
    axes.set_yscale("log")
    axes.set_xlim(0, content.pt.edges[-1])
    axes.set_xlabel(r"$p_T$  [GeV/$c$]")
    axes.set_ylabel(r"$(1/N)\; dn/dp_T$  [(GeV/$c$)$^{-1}$]")
    axes.legend(loc="upper right")


def _draw_rapidity(axes: Axes, content: Hadrons) -> None:
    _points(axes, content.plus, RED, "s", r"$\pi^+$")
    _points(axes, content.minus, BLUE, "o", r"$\pi^-$")
    for side in (-1, 1):
        axes.axvline(side * content.beam_rapidity, color=GREY, lw=1, ls=(0, (4, 3)))
    top = 1.35 * float(content.plus.density()[0].max())
    axes.text(
        content.beam_rapidity - 0.08,
        0.96 * top,
        "beam",
        color=GREY,
        rotation=90,
        ha="right",
        va="top",
        fontsize=10,
    )
    axes.set_ylim(0, top)
    axes.set_xlim(content.minus.edges[0], content.minus.edges[-1])
    axes.set_xlabel(r"rapidity $y$ in the centre of mass")
    axes.set_ylabel(r"$(1/N)\; dn/dy$")
    axes.legend(loc="upper left")
    _note(axes, [_value(r"\langle \pi^- \rangle", *content.means()["pi-"])], x=0.5, align="center")


def _points(axes: Axes, content: PerEvent, colour: str, marker: str, label: str) -> None:
    value, error = content.density()
    filled = value > 0
    axes.errorbar(
        content.centres[filled],
        value[filled],
        error[filled],
        numpy.diff(content.edges)[filled] / 2,
        fmt=marker,
        ms=3.8,
        color=colour,
        elinewidth=1,
        label=label,
    )


def _draw_line_shape(axes: Axes, content: Muons) -> None:
    energies = numpy.linspace(87.4, 95.1, 300)
    exact = numpy.array([each.sigma for each in content.points])
    value, error = content.sigma()
    at = numpy.array([each.energy for each in content.points])
    axes.plot(energies, [point(e).sigma for e in energies], color=RED, lw=1.6, label="analytic, LO")
    axes.errorbar(at, value, error, fmt="o", ms=5, color=BLUE, elinewidth=1.2, label="events")
    axes.set_ylim(0, 1.28 * exact.max())
    axes.set_xlim(energies[0], energies[-1])
    axes.set_xlabel(r"$\sqrt{s}$  [GeV]")
    axes.set_ylabel(r"$\sigma(e^+e^- \to \mu^+\mu^-)$  [nb]")
    axes.legend(loc="upper left")
    chi2 = chi_square(value, error, exact)
    _note(axes, [rf"$\chi^2/\mathrm{{ndf}}$ = {chi2:.1f} / {len(at) - 1}"])


def _draw_angles(axes: Axes, content: Muons) -> None:
    edges = numpy.linspace(-1, 1, content.bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    cosine = numpy.linspace(-1, 1, 200)
    chosen = ((1, BLUE, "o"), (3, GREEN, "^"), (5, RED, "s"))
    for k, colour, marker in chosen:
        exact = content.points[k]
        counts = content.counts[k]
        n = max(1, counts.sum())
        curve = 3 / 8 * (1 + cosine**2) + exact.asymmetry * cosine
        axes.plot(cosine, curve, color=colour, lw=1.4, alpha=0.8)
        axes.errorbar(
            centres,
            counts / n / numpy.diff(edges),
            numpy.sqrt(counts) / n / numpy.diff(edges),
            fmt=marker,
            ms=4,
            color=colour,
            elinewidth=1,
            label=rf"$\sqrt{{s}}$ = {exact.energy:.1f} GeV",
        )
    axes.set_xlim(-1, 1)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_ylim(0, 1.3)
    axes.set_xlabel(r"$\cos\theta$ of the $\mu^-$")
    axes.set_ylabel(r"$(1/N)\; dN/d\cos\theta$")
    axes.legend(loc="upper center", title="points: events, lines: analytic")


def _draw_asymmetry(axes: Axes, content: Muons) -> None:
    energies = numpy.linspace(87.4, 95.1, 300)
    value, error = content.asymmetry()
    at = numpy.array([each.energy for each in content.points])
    exact = numpy.array([each.asymmetry for each in content.points])
    axes.axhline(0, color=GREY, lw=0.8)
    axes.plot(energies, [point(e).asymmetry for e in energies], color=RED, lw=1.6)
    axes.errorbar(at, value, error, fmt="o", ms=5, color=BLUE, elinewidth=1.2)
    axes.set_xlim(energies[0], energies[-1])
    axes.set_xlabel(r"$\sqrt{s}$  [GeV]")
    axes.set_ylabel(r"forward-backward asymmetry $A_{FB}$")
    chi2 = chi_square(value, error, exact)
    _note(
        axes,
        [
            rf"$\chi^2/\mathrm{{ndf}}$ = {chi2:.1f} / {len(at)}",
            _value("A_{FB}(M_Z)", *content.means()["A_FB at the peak"]),
        ],
        x=0.05,
        align="left",
    )


def _note(axes: Axes, lines: list[str], x: float = 0.95, align: str = "right") -> None:
    axes.text(x, 0.95, "\n".join(lines), transform=axes.transAxes, ha=align, va="top")


def _value(symbol: str, value: float, error: float) -> str:
    digits = 1 - int(numpy.floor(numpy.log10(error))) if error > 0 else 3
    return rf"${symbol} = {value:.{digits}f} \pm {error:.{digits}f}$"


def main(arguments: list[str]) -> int:
    """Draw, print the summary; 1 if events are missing, double or out of order."""
    parser = argparse.ArgumentParser(prog="tools.plots", description=__doc__)
    parser.add_argument("output", type=Path, help="merged HepMC3 output, zstd or plain")
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--title", default="production")
    parser.add_argument("--png", type=Path)
    parser.add_argument("--svg", type=Path)
    given = parser.parse_args(arguments)
    try:
        summary = summarise(given.output, given.png, given.svg, given.title, given.kind)
    except Unreadable as fault:
        print(fault, file=sys.stderr)
        return 1
    once = "each exactly once, in order" if summary.complete else "NOT each exactly once in order"
    print(f"{summary.events} events [{summary.first}, {summary.last}], {once}")
    for name, (value, error) in summary.means.items():
        print(f"{name}: {value:.5g} +- {error:.2g}")
    return 0 if summary.complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
