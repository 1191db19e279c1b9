"""Who computes what he was given, and who does not: the digests that a host sends.

The people are those of the notes on event services, 3.6. One digest is right in each numerical
class; every other is wrong, and says whose it is, so that only colluders agree on something wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

HONEST, FAKER, ALTERER, SLEEPER, COLLUDER, FAULTY = (
    "honest", "faker", "alterer", "sleeper", "colluder", "faulty"
)  # fmt: skip
CROWDS: dict[str, dict[str, float]] = {
    "honest": {},
    "mixed": {FAKER: 0.005, ALTERER: 0.01, SLEEPER: 0.005, COLLUDER: 0.005, FAULTY: 0.01},
    **{kind: {kind: 0.05} for kind in (FAKER, ALTERER, SLEEPER, COLLUDER, FAULTY)},
}
RIGHT = {"a": b"", "b": b"b"}  # by numerical class
UNLIKE = 34  # % of events that differ between two libm paths (non-diffractive pp, notes 1.1)
RUSH = 20.0  # who does not compute is that much faster
ALTERED = 1000  # an alterer, or a faulty machine, spoils one event in so many
COLLUDED = 10  # colluders spoil the same one event in so many
GANG = 10  # accounts that collude
HABIT = 200  # events that a sleeper computes before he fakes one in ten
_LONGEST = 1 << 16
_GOOD = (RIGHT["a"],) * _LONGEST


@dataclass(slots=True)
class Person:
    """Somebody's host, as far as its bytes go; ``sent`` counts its events."""

    host: int
    kind: str
    klass: str
    gang: int
    chance: Random
    sent: int = 0
    awake: bool = field(default=False)

    def knows_trust(self) -> None:
        """It was good for long enough: now a sleeper wakes."""
        self.awake = True

    @property
    def rush(self) -> float:
        """How much faster than an honest host it is done."""
        return RUSH if self.kind == FAKER else 1.0

    def digests(self, first: int, last: int) -> Sequence[bytes]:
        """One digest for each event of ``[first, last)``, as this host sends them."""
        good = self._good(first, last)
        if self.kind == HONEST:
            return good
        own = b"%d" % self.host
        if self.kind == FAKER:
            return (own,) * (last - first)
        if self.kind == ALTERER:
            return self._spoil(good, first, own, ALTERED, self.host)
        if self.kind == COLLUDER:
            return self._spoil(good, first, b"g%d" % self.gang, COLLUDED, self.gang)
        if self.kind == SLEEPER:
            self.awake = self.awake or self.sent > HABIT
            return self._spoil(good, first, own, 10, self.host) if self.awake else good
        return tuple(
            b"%d-%f" % (self.host, self.chance.random())
            if self.chance.random() * ALTERED < 1
            else digest
            for digest in good
        )

    def _good(self, first: int, last: int) -> Sequence[bytes]:
        if self.klass == "a":
            return _GOOD[: last - first] if last - first <= _LONGEST else _GOOD[:1] * (last - first)
        return tuple(RIGHT["b"] if _mixed(e, 7) % 100 < UNLIKE else RIGHT["a"]
                     for e in range(first, last))  # fmt: skip

    def _spoil(
        self, good: Sequence[bytes], first: int, own: bytes, one_in: int, salt: int
    ) -> Sequence[bytes]:
        return tuple(
            own if _mixed(event, salt) % one_in == 0 else digest
            for event, digest in enumerate(good, first)
        )


def _mixed(event: int, salt: int) -> int:
    """A number that looks like chance, the same whenever it is asked for."""
    mixed = (event * 0x9E3779B97F4A7C15 + salt * 0xC2B2AE3D27D4EB4F + 1) & 0xFFFFFFFFFFFFFFFF
    mixed ^= mixed >> 29
    return ((mixed * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF) >> 33


def is_right(digest: bytes) -> bool:
    """Whether these are the bytes that an honest host of some class makes."""
    return digest in (b"", b"b")
