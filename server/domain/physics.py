"""Histograms of physics: what is counted of which particles, read from the text of HepMC3 events.

Of an event in HepMC3's Asciiv3 (gitlab.cern.ch/hepmc/HepMC3) the lines of particles are read, ``P
id parent pdg px py pz e m status``: those of status 1 are final, those of status 4 the beams. Codes
are those of the Particle Data Group (PDG, "Monte Carlo particle numbering scheme").
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

QUANTITIES = (
    "multiplicity", "pt", "rapidity", "pseudorapidity", "cos_theta", "energy", "mass",
)  # fmt: skip
BINS_MOST = 400

_PARTICLE = re.compile(
    rb"^P \d+ \S+ (-?\d{1,10}) (\S{1,40}) (\S{1,40}) (\S{1,40}) (\S{1,40}) \S+ ([14])$",
    re.MULTILINE,
)
_MEV = re.compile(rb"^U MEV ", re.MULTILINE)
_CHARGES = {1: -1, 2: 2, 3: -1, 4: 2, 5: -1, 6: 2, 11: -3, 13: -3, 15: -3, 24: 3, 37: 3}
_FINAL = b"1"


class Particle(NamedTuple):
    """A particle: its code; momentum and energy in GeV."""

    code: int
    px: float
    py: float
    pz: float
    e: float


@dataclass(frozen=True)
class Plot:
    """A histogram that a production asks for.

    Of each event the final particles with one of the codes ``particles`` are taken (none: all that
    are charged). ``multiplicity`` counts them and ``mass`` is their invariant mass (GeV), once an
    event; the others are of each of them: ``pt`` and ``energy`` in GeV, ``rapidity`` along z in the
    centre of mass of the beams, ``pseudorapidity`` and ``cos_theta`` (of the angle to z) as they
    are in the event. ``bins`` bins of equal width lie in [low, high). ``reference`` has the height
    expected in each bin, in any scale; ``reference_name`` says where it comes from.
    """

    quantity: str
    low: float
    high: float
    bins: int
    particles: tuple[int, ...] = ()
    title: str = ""
    reference: tuple[float, ...] = ()
    reference_name: str = ""

    @property
    def width(self) -> float:
        """Of a bin."""
        return (self.high - self.low) / self.bins

    @property
    def edges(self) -> list[float]:
        """Where bins begin and end: one more than there are bins."""
        return [self.low + self.width * at for at in range(self.bins)] + [self.high]


@dataclass
class Filled:
    """Entries: in each bin, and below and above them (what is not a number is above)."""

    counts: list[int]
    below: int = 0
    above: int = 0

    @classmethod
    def empty(cls, plot: Plot) -> Filled:
        """None yet."""
        return cls([0] * plot.bins)

    def fill(self, plot: Plot, values: Iterable[float]) -> None:
        """Count values."""
        for value in values:
            if value < plot.low:
                self.below += 1
            elif value < plot.high:
                at = int((value - plot.low) / plot.width)
                self.counts[min(at, plot.bins - 1)] += 1
            else:
                self.above += 1

    def add(self, other: Filled) -> None:
        """Count what another has counted of the same plot."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.below += other.below
        self.above += other.above


@dataclass
class Sheet:
    """The histograms of a production, in the order of its plots, and of how many events."""

    filled: list[Filled]
    events: int = 0

    @classmethod
    def empty(cls, plots: Sequence[Plot]) -> Sheet:
        """Of no event yet."""
        return cls([Filled.empty(plot) for plot in plots])

    def read(self, plots: Sequence[Plot], text: bytes) -> None:
        """Count whole events, as a payload writes them (with or without what is around them)."""
        starts = [found.start() for found in re.finditer(rb"^E ", text, re.MULTILINE)]
        for start, end in pairwise([*starts, len(text)]):
            self.events += 1
            self._event(plots, text[start:end])

    def _event(self, plots: Sequence[Plot], text: bytes) -> None:
        final, beams = _particles(text)
        for plot, filled in zip(plots, self.filled, strict=True):
            chosen = [one for one in final if _is_wanted(plot, one.code)]
            filled.fill(plot, _VALUES[plot.quantity](chosen, beams))

    def add(self, other: Sheet) -> None:
        """Count what another has counted of other events."""
        self.events += other.events
        for own, more in zip(self.filled, other.filled, strict=True):
            own.add(more)


def _particles(text: bytes) -> tuple[list[Particle], list[Particle]]:
    """Those that are final, and the beams."""
    unit = 1e-3 if _MEV.search(text) else 1.0
    final: list[Particle] = []
    beams: list[Particle] = []
    for code, px, py, pz, e, status in _PARTICLE.findall(text):
        try:
            momentum = (float(px) * unit, float(py) * unit, float(pz) * unit, float(e) * unit)
        except ValueError:
            continue
        (final if status == _FINAL else beams).append(Particle(int(code), *momentum))
    return final, beams


def _is_wanted(plot: Plot, code: int) -> bool:
    return code in plot.particles if plot.particles else three_charge(code) != 0


Values = Callable[[list[Particle], list[Particle]], list[float]]


def _rapidity(particles: list[Particle], beams: list[Particle]) -> list[float]:
    shift = _atanh(sum(b.pz for b in beams), sum(b.e for b in beams)) if beams else 0.0
    return [_atanh(one.pz, one.e) - shift for one in particles]


def _mass(particles: list[Particle], _: list[Particle]) -> list[float]:
    if not particles:
        return []
    px, py, pz, e = (sum(one[at] for one in particles) for at in range(1, 5))
    return [math.sqrt(max(0.0, e * e - px * px - py * py - pz * pz))]


def _cosine(one: Particle) -> float:
    size = math.hypot(one.px, one.py, one.pz)
    return one.pz / size if size else math.nan


def _atanh(part: float, whole: float) -> float:
    """Of a quotient; infinite where the quotient is one, and no number where there is none."""
    share = part / whole if whole else math.nan
    return math.atanh(share) if abs(share) < 1 else math.copysign(math.inf, share)


_VALUES: dict[str, Values] = {
    "multiplicity": lambda particles, _: [float(len(particles))],
    "pt": lambda particles, _: [math.hypot(one.px, one.py) for one in particles],
    "rapidity": _rapidity,
    "pseudorapidity": lambda particles, _: [_atanh(_cosine(one), 1.0) for one in particles],
    "cos_theta": lambda particles, _: [_cosine(one) for one in particles],
    "energy": lambda particles, _: [one.e for one in particles],
    "mass": _mass,
}


@lru_cache(maxsize=4096)
def three_charge(code: int) -> int:
    """Three times the electric charge of a particle by its code."""
    number = abs(code)
    sign = 1 if code > 0 else -1
    if number > 1_000_000_000:  # nuclei: 10LZZZAAAI
        return sign * 3 * (number // 10_000 % 1000)
    if number < 100:
        return sign * _CHARGES.get(number, 0)
    first, second, third = number // 1000 % 10, number // 100 % 10, number // 10 % 10
    if first:
        return sign * (_quark(first) + _quark(second) + _quark(third))
    # Mesons: the heavier quark stands first, and it is the antiquark if of down type.
    meson = _quark(second) - _quark(third)
    return sign * (meson if second % 2 == 0 else -meson)


def _quark(digit: int) -> int:
    return 2 if digit % 2 == 0 else -1
