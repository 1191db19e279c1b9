"""Histograms of a production: means per event with errors from the spread between events."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy

from server.domain.physics import three_charge
from tools.payloads.zpole.payload import POINTS, Point
from tools.readback import BEAM, FINAL, Batch, Floats, Ints

PI_PLUS, PI_MINUS, MU_MINUS = 211, -211, 13


@dataclass
class PerEvent:
    """Entries per event and unit of the axis. Entries of one event hang together, so the error is
    that of the mean over events, not the square root of all entries."""

    edges: Floats
    events: int = 0
    _sum: Floats = field(init=False)
    _squares: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._sum = numpy.zeros(len(self.edges) - 1)
        self._squares = numpy.zeros(len(self.edges) - 1)

    def fill(self, events: int, event: Ints, values: Floats) -> None:
        """Add a batch of ``events``: each value with its event's place in the batch."""
        bins = len(self.edges) - 1
        at = numpy.searchsorted(self.edges, values, side="right") - 1
        inside = (at >= 0) & (at < bins)
        counts = numpy.bincount(event[inside] * bins + at[inside], minlength=events * bins)
        table = counts.reshape(events, bins)
        self.events += events
        self._sum += table.sum(axis=0)
        self._squares += (table * table).sum(axis=0)

    @property
    def centres(self) -> Floats:
        """The middle of each bin."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    def density(self) -> tuple[Floats, Floats]:
        """Mean number per event and unit of the axis, and its standard error."""
        n = max(1, self.events)
        mean = self._sum / n
        spread = numpy.maximum(self._squares / n - mean * mean, 0.0)
        width = numpy.diff(self.edges)
        return mean / width, numpy.sqrt(spread / max(1, n - 1)) / width


@dataclass
class Hadrons:
    """What one looks at first in proton-proton: multiplicity, transverse momentum, rapidity."""

    counts: Ints = field(default_factory=lambda: numpy.zeros(64, numpy.int64))
    pt: PerEvent = field(default_factory=lambda: PerEvent(numpy.linspace(0.0, 2.5, 51)))
    minus: PerEvent = field(default_factory=lambda: PerEvent(numpy.linspace(-3.6, 3.6, 37)))
    plus: PerEvent = field(default_factory=lambda: PerEvent(numpy.linspace(-3.6, 3.6, 37)))
    charged: list[Ints] = field(default_factory=list)
    pions: list[Ints] = field(default_factory=list)
    sqrt_s: float = 0.0
    beam_rapidity: float = 0.0

    def fill(self, batch: Batch) -> None:
        """Add a batch of events."""
        events = len(batch.numbers)
        energy, momentum = batch.beams()
        self.sqrt_s = float(numpy.sqrt(energy[0] ** 2 - momentum[0] ** 2))
        shift = numpy.arctanh(momentum / energy)
        first = batch.status == BEAM
        beams = numpy.arctanh(batch.pz[first] / batch.e[first])
        self.beam_rapidity = float(beams.max() - shift[0])

        final = batch.status == FINAL
        charged = final & _is_charged(batch.pid)
        multiplicity = numpy.bincount(batch.event[charged], minlength=events)
        self.charged.append(multiplicity)
        self.counts += numpy.bincount(numpy.minimum(multiplicity, 63), minlength=64)
        self.pt.fill(events, batch.event[charged], numpy.hypot(batch.px, batch.py)[charged])
        for pid, axis in ((PI_MINUS, self.minus), (PI_PLUS, self.plus)):
            here = final & (batch.pid == pid)
            rapidity = numpy.arctanh(batch.pz[here] / batch.e[here]) - shift[batch.event[here]]
            axis.fill(events, batch.event[here], rapidity)
            if pid == PI_MINUS:
                self.pions.append(numpy.bincount(batch.event[here], minlength=events))

    def means(self) -> dict[str, tuple[float, float]]:
        """Mean multiplicities with their errors."""
        return {"charged": _mean(self.charged), "pi-": _mean(self.pions)}


@dataclass
class Muons:
    """The scan around the Z: how many events at each energy, and where the mu- goes."""

    points: tuple[Point, ...] = POINTS
    bins: int = 20
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.counts = numpy.zeros((len(self.points), self.bins), numpy.int64)

    def fill(self, batch: Batch) -> None:
        """Add a batch of events."""
        energy, _ = batch.beams()
        scan = numpy.array([point.energy for point in self.points])
        nearest = numpy.abs(energy[:, None] - scan[None, :]).argmin(axis=1)
        muon = (batch.status == FINAL) & (batch.pid == MU_MINUS)
        momentum = numpy.sqrt(batch.px**2 + batch.py**2 + batch.pz**2)[muon]
        cosine = batch.pz[muon] / momentum
        at = numpy.clip(((cosine + 1) / 2 * self.bins).astype(numpy.int64), 0, self.bins - 1)
        numpy.add.at(self.counts, (nearest[batch.event[muon]], at), 1)

    def sigma(self) -> tuple[Floats, Floats]:
        """Cross-section in nb at each energy with its error, normalized to the sum of all."""
        per_point = self.counts.sum(axis=1).astype(numpy.float64)
        total = max(1.0, float(per_point.sum()))
        scale = sum(point.sigma for point in self.points) / total
        return per_point * scale, numpy.sqrt(numpy.maximum(per_point, 1.0)) * scale

    def asymmetry(self) -> tuple[Floats, Floats]:
        """Forward-backward asymmetry at each energy with its error."""
        forward = self.counts[:, self.bins // 2 :].sum(axis=1)
        n = numpy.maximum(self.counts.sum(axis=1), 1)
        value = (2.0 * forward - self.counts.sum(axis=1)) / n
        return value, numpy.sqrt((1 - value**2) / n)

    def means(self) -> dict[str, tuple[float, float]]:
        """The peak cross-section in nb and the asymmetry at the peak, with their errors."""
        peak = max(range(len(self.points)), key=lambda k: self.points[k].sigma)
        sigma, asymmetry = self.sigma(), self.asymmetry()
        return {
            "sigma at the peak / nb": (float(sigma[0][peak]), float(sigma[1][peak])),
            "A_FB at the peak": (float(asymmetry[0][peak]), float(asymmetry[1][peak])),
        }


def chi_square(values: Floats, errors: Floats, exact: Floats) -> float:
    """Sum of the squared pulls, over points that have an error."""
    good = errors > 0
    return float((((values[good] - exact[good]) / errors[good]) ** 2).sum())


def _is_charged(pid: Ints) -> numpy.typing.NDArray[numpy.bool_]:
    kinds, where = numpy.unique(pid, return_inverse=True)
    charged = numpy.array([three_charge(int(kind)) != 0 for kind in kinds], numpy.bool_)
    return numpy.asarray(charged[where])


def _mean(parts: list[Ints]) -> tuple[float, float]:
    values = numpy.concatenate(parts) if parts else numpy.zeros(1)
    error = values.std(ddof=1) / numpy.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), float(error)
