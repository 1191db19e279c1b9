"""What a fleet has done so far: events confirmed, asked for again, and dropped."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Tally:
    """Counts of all agents together.

    ``confirmed`` has a byte for each event, 1 once the server has confirmed it. ``again`` are
    events leased to somebody although they were confirmed before, ``dropped`` those that were
    finished and refused.
    """

    events: int
    confirmed: bytearray = field(init=False)
    frames: int = 0
    asks: int = 0
    leases: int = 0
    retries: int = 0
    refused: int = 0
    again: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        self.confirmed = bytearray(self.events)

    @property
    def done(self) -> int:
        """How many events are confirmed."""
        return self.confirmed.count(1)

    def lease(self, first: int, last: int) -> None:
        """A lease was taken."""
        self.leases += 1
        self.again += self.confirmed.count(1, first, last)

    def frame(self, first: int, last: int) -> None:
        """A frame was confirmed."""
        self.frames += 1
        self.confirmed[first:last] = b"\1" * (last - first)
