"""What a run comes to: where the CPU went, when which share was done, and what must never happen.

CPU is counted in seconds of the reference host, so that a slow host's seconds weigh as much as the
work they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Broken(Exception):
    """A rule that holds whatever happens does not."""


@dataclass(eq=False)
class Ledger:
    """The books of one run; ``curve`` is (seconds, events settled) at every change of 0.1 %."""

    events: int
    busy: float = 0.0
    set_up: float = 0.0
    lost: float = 0.0
    rejected: float = 0.0
    checked: float = 0.0
    useful: float = 0.0
    settled: int = 0
    set_aside: int = 0
    wrong: int = 0
    leases: int = 0
    asks: float = 0.0
    polls: float = 0.0
    frames: float = 0.0
    reports: float = 0.0
    beats: float = 0.0
    bytes: float = 0.0
    locked_s: float = 0.0
    most_copies: int = 0
    curve: list[tuple[float, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def settle(self, now: float, first: int, last: int, work: float, copies: int) -> None:
        """Events are settled by so many copies that agree; of each event this is said once."""
        self.settled += last - first
        self.useful += work
        self.checked += work * (copies - 1)
        self._mark(now)

    def put_aside(self, now: float, events: int) -> None:
        """Events that the production goes on without, until a person looks."""
        self.set_aside += events
        self._mark(now)

    def _mark(self, now: float) -> None:
        over = self.settled + self.set_aside
        before = self.curve[-1][1] if self.curve else 0
        if over - before >= self.events / 1000 or over >= self.events:
            self.curve.append((now, over))

    def lock(self, seconds: float) -> None:
        """An event was leased for so long until it was settled; the longest is kept."""
        self.locked_s = max(self.locked_s, seconds)

    def fault(self, what: str) -> None:
        """Something happened that must not; the first few are kept."""
        if len(self.faults) < 10:
            self.faults.append(what)

    def at_share(self, share: float) -> float | None:
        """The second at which this share of all events was settled or set aside, if it was."""
        wanted = share * self.events
        return next((at for at, done in self.curve if done >= wanted), None)

    @property
    def surplus(self) -> float:
        """Work of copies that settled nothing and contradicted nothing: they came too late."""
        spent = self.useful + self.checked + self.lost + self.rejected + self.set_up
        return max(0.0, self.busy - spent)
