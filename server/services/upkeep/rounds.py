"""The rounds of the background duties: when each was made last, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WHY_MOST = 300  # characters
LATE_FACTOR = 3.0  # a duty is late after so many of its rounds
LATE_LEAST_S = 60.0  # and never sooner: a loaded machine is slow without being broken
SLOW_S = 600.0  # what a round may take, unless something else is said


@dataclass(slots=True, eq=False)
class Round:
    """A duty: its name, how long it rests at most, and how its rounds went; times in s.

    A round may take ``slow_s``. ``failures`` counts those in a row, ``failed`` all of them.
    ``working`` says that a round is being made since ``began_at``.
    """

    name: str
    every_s: float
    slow_s: float
    started_at: float
    began_at: float = 0.0
    done_at: float = 0.0
    took_s: float = 0.0
    made: int = 0
    failed: int = 0
    failures: int = 0
    failed_at: float = 0.0
    why: str = ""
    working: bool = False

    def late_by(self, now: float) -> float:
        """How much longer it has been silent than it may; 0 if it is in time."""
        if self.working:
            return max(0.0, now - self.began_at - self.slow_s)
        last = max(self.done_at, self.failed_at, self.started_at)
        return max(0.0, now - last - max(LATE_LEAST_S, LATE_FACTOR * self.every_s))


@dataclass(eq=False)
class Rounds:
    """Every duty of this server by its name."""

    clock: Callable[[], float] = time.time
    known: dict[str, Round] = field(default_factory=dict)

    def add(self, name: str, every_s: float, slow_s: float = SLOW_S) -> Round:
        """A duty begins; an infinite ``every_s`` is one that waits until it is called."""
        made = self.known[name] = Round(name, every_s, slow_s, self.clock())
        return made

    @contextmanager
    def round(self, one: Round) -> Iterator[None]:
        """A round of it is made; what it throws is noted, and thrown on."""
        one.began_at, one.working = self.clock(), True
        began = time.perf_counter()
        try:
            yield
        except Exception as error:
            one.failed += 1
            one.failures += 1
            one.failed_at = self.clock()
            one.why = (str(error) or type(error).__name__).splitlines()[0][:WHY_MOST]
            raise
        else:
            one.made += 1
            one.failures, one.done_at = 0, self.clock()
            one.took_s = time.perf_counter() - began
        finally:
            one.working = False
