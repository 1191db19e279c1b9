"""What is watched, and from when on it is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.alert import Level
from server.domain.telling import Manners

DAY_S = 86_400.0


@dataclass(frozen=True)
class Thresholds:
    """From when on things are wrong: seconds, shares of a disk from 0 to 1."""

    silent_warn_s: float = 300.0
    silent_bad_s: float = 1800.0
    space_warn: float = 0.15
    space_bad: float = 0.05
    expiry_warn_s: float = 21 * DAY_S
    expiry_bad_s: float = 4 * DAY_S
    slow_s: float = 1.0
    keep_s: float = 400 * DAY_S
    manners: Manners = field(default_factory=Manners)

    def silence(self, seconds: float) -> Level | None:
        """How grave it is that nothing was heard for so long; None if it is not."""
        return _beyond(seconds, self.silent_warn_s, self.silent_bad_s)

    def space(self, left: float) -> Level | None:
        """How grave it is that this share of a disk is left."""
        return _beyond(-left, -self.space_warn, -self.space_bad)

    def expiry(self, left_s: float) -> Level | None:
        """How grave it is that something ends in so long."""
        return _beyond(-left_s, -self.expiry_warn_s, -self.expiry_bad_s)


def _beyond(value: float, warn: float, bad: float) -> Level | None:
    if value > bad:
        return Level.BAD
    return Level.WARN if value > warn else None


@dataclass(frozen=True)
class Paper:
    """Something that ends: what it is, which, when (s since 1970), and what is to be done.

    ``refused`` is why what was put in its place is not taken, empty if nothing was or all is well.
    """

    kind: str
    name: str
    ends_at: float
    cure: str
    refused: str = ""


@dataclass(frozen=True)
class Schedule:
    """Backups: every so many seconds (0: never), so many kept; or somebody else makes them.

    ``place`` is the folder or URL as people are told it, without a password.
    """

    every_s: float = 0.0
    keep: int = 7
    place: str = ""
    elsewhere: bool = False

    def late_after(self) -> float:
        """The age of the last backup from which on something is wrong."""
        return 2.0 * self.every_s + 3600.0


@dataclass(frozen=True)
class Space:
    """A disk: the folder it was asked of, its bytes and those left, or why that is not known."""

    path: str
    size: int
    left: int
    why: str = ""

    @property
    def share(self) -> float:
        """The share that is left, from 0 to 1."""
        return self.left / self.size if self.size else 0.0
