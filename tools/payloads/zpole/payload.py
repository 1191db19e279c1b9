"""e+ e- -> gamma*/Z -> mu+ mu- around the Z pole, exact at leading order, standard library only.

Event i is a pure function of (seed, i): its random numbers are SHA-256(seed, i, counter). Only
+ - * / and sqrt are used, all correctly rounded in IEEE 754, so the bytes are the same on every
processor, libm and Python: any two hosts can be compared.

Physics: dsigma/dcos = (pi alpha^2 / 2s) (F1 (1 + cos^2) + 2 F2 cos) with photon, Z and interference
(Particle Data Group, review of the electroweak model), massless leptons. Beam energies are the
seven points of a scan; a point is taken as often as its cross-section asks, so the number of
events at each traces the line shape, and the muons give the forward-backward asymmetry.

    payload.py --check N [SEED]    compare N events with the analytic result
    payload.py FIRST LAST [SEED]   events as text on stdout
    payload.py                     as a payload, on the event pipe

Records are HepMC3 Asciiv3 (GeV, mm) with 12 significant digits.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from dataclasses import dataclass
from math import sqrt
from typing import Any

SCAN = (88.0, 89.5, 90.5, 91.1876, 92.0, 93.0, 94.5)  # GeV
M_Z, WIDTH_Z = 91.1876, 2.4952  # GeV
SIN2_W, G_FERMI, ALPHA = 0.23122, 1.1663788e-5, 1 / 128.9  # G_FERMI in GeV^-2, ALPHA at M_Z
G_V, G_A = -0.5 + 2 * SIN2_W, -0.5
PI = 3.141592653589793
NB_GEV2 = 389379.3721  # (hbar c)^2
BATCH = 200
PULL_MOST = 5.0


@dataclass(frozen=True)
class Point:
    """The cross-section at one energy: angular terms F1 and F2, total in nb."""

    energy: float
    f1: float
    f2: float
    sigma: float

    @property
    def asymmetry(self) -> float:
        """Forward-backward asymmetry of the mu-."""
        return 0.75 * self.f2 / self.f1


def point(energy: float) -> Point:
    """The cross-section at a centre-of-mass energy in GeV."""
    s = energy * energy
    off = M_Z * M_Z - s
    distance = sqrt(off * off + M_Z * M_Z * WIDTH_Z * WIDTH_Z)
    chi = G_FERMI / (2 * sqrt(2.0) * PI * ALPHA) * s * M_Z * M_Z / distance
    cos = off / distance
    both = G_V * G_V + G_A * G_A
    f1 = 1 - 2 * chi * G_V * G_V * cos + chi * chi * both * both
    f2 = -2 * chi * G_A * G_A * cos + 4 * chi * chi * G_A * G_A * G_V * G_V
    return Point(energy, f1, f2, 4 * PI * ALPHA * ALPHA / (3 * s) * f1 * NB_GEV2)


POINTS = tuple(point(energy) for energy in SCAN)
SIGMA_MOST = max(each.sigma for each in POINTS)


class Uniform:
    """Doubles in [0, 1) of 53 bits, four from each SHA-256(seed, event, counter)."""

    __slots__ = ("_counter", "_left", "_prefix")

    def __init__(self, seed: int, event: int) -> None:
        self._prefix = b"zpole1" + struct.pack(">QQ", seed, event)
        self._counter = 0
        self._left: list[float] = []

    def __call__(self) -> float:
        """The next one."""
        if not self._left:
            digest = hashlib.sha256(self._prefix + self._counter.to_bytes(4, "big")).digest()
            self._counter += 1
            self._left = [
                (word >> 11) / 9007199254740992.0 for word in struct.unpack(">4Q", digest)
            ]
        return self._left.pop()


def scatter(seed: int, number: int) -> tuple[int, float, float, float]:
    """Event ``number``: which scan point, and the direction of the mu- (unit vector)."""
    u = Uniform(seed, number)
    while True:
        k = int(u() * len(SCAN))
        if u() * SIGMA_MOST < POINTS[k].sigma:
            break
    f1, f2 = POINTS[k].f1, POINTS[k].f2
    most = 2 * (f1 + abs(f2))
    while True:
        cos = 2 * u() - 1
        if u() * most < f1 * (1 + cos * cos) + 2 * f2 * cos:
            break
    while True:  # an azimuth without sine and cosine: twice the angle of a point in the disk
        x, y = 2 * u() - 1, 2 * u() - 1
        r = x * x + y * y
        if 1e-12 < r < 1:
            break
    sin = sqrt(1 - cos * cos)
    return k, sin * (x * x - y * y) / r, sin * (2 * x * y) / r, cos


def record(seed: int, number: int) -> bytes:
    """Event ``number`` as HepMC3 Asciiv3: e- along +z, e+, and the muon pair back to back."""
    k, x, y, z = scatter(seed, number)
    e = SCAN[k] / 2
    minus = f"{e * x:.12g} {e * y:.12g} {e * z:.12g}"
    plus = f"{-e * x:.12g} {-e * y:.12g} {-e * z:.12g}"
    return (
        f"E {number} 1 4\nU GEV MM\nP 1 0 11 0 0 {e:.12g} {e:.12g} 0 4\n"
        f"P 2 0 -11 0 0 {-e:.12g} {e:.12g} 0 4\nV -1 0 [1,2]\n"
        f"P 3 -1 13 {minus} {e:.12g} 0 1\nP 4 -1 -13 {plus} {e:.12g} 0 1\n"
    ).encode()


def check(events: int, seed: int) -> float:
    """Print scan points and asymmetries against the exact ones; the largest pull comes back."""
    counts = [0] * len(SCAN)
    forward = [0] * len(SCAN)
    for number in range(events):
        k, _, _, z = scatter(seed, number)
        counts[k] += 1
        forward[k] += z > 0
    total = sum([each.sigma for each in POINTS])
    worst = 0.0
    print("   Ecm/GeV   events  expected  sigma/nb     A_FB  exact A_FB   pulls")
    for k, exact in enumerate(POINTS):
        n = max(1, counts[k])
        expected = events * exact.sigma / total
        asymmetry = (2 * forward[k] - counts[k]) / n
        pulls = (
            (counts[k] - expected) / sqrt(expected * (1 - exact.sigma / total)),
            (asymmetry - exact.asymmetry) / sqrt((1 - exact.asymmetry * exact.asymmetry) / n),
        )
        worst = max(worst, abs(pulls[0]), abs(pulls[1]))
        print(
            f"{exact.energy:10.4f} {counts[k]:8d} {expected:9.1f} {exact.sigma:9.4f} "
            f"{asymmetry:8.4f} {exact.asymmetry:11.4f}   {pulls[0]:+.2f} {pulls[1]:+.2f}"
        )
    print(f"largest of {2 * len(SCAN)} pulls: {worst:.2f}")
    return worst


def run(channel: Any) -> None:
    """Generate every range the agent gives."""
    granule = channel.granule
    batch = -(-BATCH // granule) * granule
    for current in channel.ranges():
        at = current.first
        while at < (last := current.last):
            end = min(last, at - at % granule + batch)
            records = []
            first = at
            while at < end:
                upto = min(end, at - at % granule + granule)
                records.append(b"".join([record(channel.seed, n) for n in range(at, upto)]))
                at = upto
            channel.events(first, end, records)


def main(arguments: list[str]) -> int:
    """Check, print, or speak with the agent until it has no more ranges or is gone."""
    if arguments[:1] == ["--check"]:
        seed = int(arguments[2]) if len(arguments) > 2 else 1
        return 1 if check(int(arguments[1]), seed) > PULL_MOST else 0
    if arguments:
        seed = int(arguments[2]) if len(arguments) > 2 else 1
        for number in range(int(arguments[0]), int(arguments[1])):
            sys.stdout.buffer.write(record(seed, number))
        return 0
    import evp

    try:
        run(evp.Channel("zpole"))
    except BrokenPipeError:  # nobody is left to work for
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
