"""The server's time on a machine whose own clock may be wrong: an offset on a monotonic clock."""

from __future__ import annotations

import threading
import time
from typing import Callable


def monotonic() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


class ServerClock:
    """What time it is at the server, as far as its last answer told.

    The wall clock of the machine is never used: volunteers' clocks are wrong by hours and jump.
    """

    def __init__(self, ticks: Callable[[], float] = monotonic) -> None:
        self.ticks = ticks
        self._lock = threading.Lock()
        self._offset = 0.0
        self._error = float("inf")
        self._learned = float("-inf")

    @property
    def known(self) -> bool:
        """Whether the server has told its time yet."""
        return self._error != float("inf")

    def learn(self, server: float, sent: float, received: float) -> None:
        """Take in a time the server stamped between ``sent`` and ``received`` of our ticks.

        A quick answer tells it better than a slow one; after ten minutes, or when the two
        cannot both be right (a restored snapshot), the newest wins.
        """
        error = max(0.0, received - sent) / 2
        offset = server - (sent + received) / 2
        with self._lock:
            old = received - self._learned > 600
            jumped = abs(offset - self._offset) > error + self._error + 1.0
            if error <= self._error or old or jumped:
                self._offset = offset
                self._error, self._learned = error, received

    def now(self) -> float:
        """The server's Unix time by now; 0 before it has told."""
        return self.ticks() + self._offset if self.known else 0.0
