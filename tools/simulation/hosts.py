"""The machines: how fast, how many slots, whose, of which class, when there and what for people.

Speeds are log-normal with sigma 0.6 around 1 (notes on event services, 3.6). Slots, hosts of an
account, up-link rates and the share of the second numerical class are our assumptions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from tools.simulation.lives import ON_SHARE, POPULATIONS, Life, first_life, next_life
from tools.simulation.people import COLLUDER, CROWDS, GANG, HONEST, SLEEPER, Person

SIGMA = 0.6
SLOTS = {1: 0.6, 2: 0.25, 4: 0.15}
ALONE = 0.7  # of the accounts have one host; the others have geometrically many, 3 on average
UPLINK_BYTES = (125_000.0, 1.0)  # median of the up-link rates in bytes/s, and sigma of their log
SECOND_CLASS = 0.2
# Most hosts were here for earlier productions of the same payload, if nobody could tell that they
# compute wrongly: so many events of each were agreed with.
VETERANS, EARNED = 0.8, 5000


@dataclass(slots=True, eq=False)
class Host:
    """A machine, with what the server has measured of it (``seconds`` per event).

    ``proven`` counts the leases that it delivered, ``lost`` those that ran out in its hands.
    """

    id: int
    account: int
    kind: str
    speed: float
    slots: int
    uplink: float
    person: Person
    chance: Random
    life: Life
    seconds: float | None = None
    failures: int = 0
    rests_until: float = 0.0
    history: int = 0
    proven: int = 0
    lost: int = 0

    def life_at(self, now: float) -> Life:
        """The stay at this moment, or the next, or the last."""
        life = self.life
        while now >= life.until and life.back is not None and now >= life.back:
            life = self.life = next_life(self.kind, life.back, self.chance)
        return life


@dataclass(frozen=True)
class Crowd:
    """Which hosts there are: how many, when they are there, who they belong to, and classes."""

    hosts: int
    population: str = "mixed"
    people: str = "mixed"
    classes: bool = True
    slots: bool = True


GOOD_SO_FAR = (HONEST, SLEEPER)


def gather(crowd: Crowd, seed: int) -> list[Host]:
    """All hosts; the same seed gives the same."""
    draw = Random(seed)
    kinds, shares = zip(*POPULATIONS[crowd.population].items(), strict=True)
    hosts: list[Host] = []
    account = left = colluders = 0
    for number in range(crowd.hosts):
        if left == 0:
            account += 1
            left = 1 if draw.random() < ALONE else 2 + int(draw.expovariate(1.0))
        left -= 1
        chance = Random(draw.getrandbits(64))
        nature = _nature(crowd.people, draw)
        if nature == COLLUDER:
            colluders += 1
        klass = "b" if crowd.classes and draw.random() < SECOND_CLASS else "a"
        person = Person(number, nature, klass, colluders // GANG, chance)
        kind = draw.choices(kinds, shares)[0]
        slots = draw.choices(list(SLOTS), list(SLOTS.values()))[0] if crowd.slots else 1
        history = EARNED if nature in GOOD_SO_FAR and draw.random() < VETERANS else 0
        if history:
            person.knows_trust()
        hosts.append(
            Host(
                number, account, kind, math.exp(draw.gauss(0.0, SIGMA)), slots,
                UPLINK_BYTES[0] * math.exp(draw.gauss(0.0, UPLINK_BYTES[1])),
                person, chance, first_life(kind, chance),
                history=history,
            )
        )  # fmt: skip
    return hosts


def _nature(people: str, draw: Random) -> str:
    drawn = draw.random()
    for kind, share in CROWDS[people].items():
        if drawn < share:
            return kind
        drawn -= share
    return HONEST


def power(hosts: list[Host]) -> float:
    """Reference seconds of work that honest slots do in a second, on average over a long time."""
    return sum(
        host.speed * host.slots * ON_SHARE[host.kind] for host in hosts if host.person.rush == 1.0
    )
