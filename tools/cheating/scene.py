"""What every run shares: how many hosts and units, how many of them cheat, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from tools.cheating.lies import Cheat


@dataclass(frozen=True)
class Scene:
    """A production on a pool; ``share`` of its hosts, each of its own account, cheat."""

    hosts: int
    units: int
    unit: int
    share: float
    cheat: Cheat
    seed: int

    @property
    def events(self) -> int:
        """Of the whole production."""
        return self.units * self.unit

    @property
    def cheats(self) -> set[int]:
        """The hosts that cheat: at least one if any shall."""
        count = round(self.share * self.hosts)
        return set(range(1, 1 + max(count, 1 if self.share else 0)))


@dataclass(frozen=True)
class Outcome:
    """What came of it, in events.

    ``wrong`` got into the output, ``marked`` of these are known to be doubtful; ``copies`` were
    computed; ``stuck`` events an operator has to look at. ``blamed`` are honest hosts against which
    events were settled.
    """

    wrong: int
    marked: int
    copies: int
    stuck: int
    blamed: int
