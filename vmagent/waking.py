"""Notices that the machine slept, was paused or moved: by clocks that disagree, by a new address.

Three clocks are compared: one that stands still while the system sleeps (MONOTONIC), one that goes
on (BOOTTIME), and the wall clock, which alone shows that a virtual machine was paused or its
snapshot restored. Which of them lies does not matter: whatever happened, the server is asked.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from vmagent import clock

# Less is clock steering, or a machine under load.
SLEPT_S, JUMPED_S, STALLED_S = 2.0, 5.0, 30.0
Address = tuple[Optional[str], ...]


@dataclass(frozen=True)
class Now:
    """What three clocks say at one moment, in seconds."""

    monotonic: float
    boot: float
    wall: float


def read_clocks() -> Now:
    """The clocks of this machine."""
    return Now(time.monotonic(), clock.monotonic(), time.time())


@dataclass(frozen=True)
class Woke:
    """Something happened to the machine: a word for it, and how many seconds it was away."""

    word: str
    away_s: float


class Waking:
    """Compares each look with the one before."""

    def __init__(self, clocks: Callable[[], Now] = read_clocks, every_s: float = 1.0) -> None:
        """It is going to be looked at every ``every_s`` seconds."""
        self._clocks, self._every_s = clocks, every_s
        self._before = clocks()
        self._address: Optional[Address] = None

    def look(self) -> Optional[Woke]:
        """What happened since the last look."""
        now, before = self._clocks(), self._before
        self._before = now
        ran = now.monotonic - before.monotonic
        slept = now.boot - before.boot - ran
        jumped = now.wall - before.wall - (now.boot - before.boot)
        if slept > SLEPT_S:
            return Woke("slept", slept)
        if abs(jumped) > JUMPED_S:
            return Woke("clock-jumped", abs(jumped))
        if ran > STALLED_S + self._every_s:
            return Woke("stalled", ran)
        return None

    def moved(self, address: Address) -> Optional[Woke]:
        """Whether this address is another than the one before; none at all is waited out."""
        if not any(address) or address == self._address:
            return None
        first, self._address = self._address is None, address
        return None if first else Woke("address-changed", 0.0)


def addresses() -> Address:
    """The machine's own addresses towards the world (IPv4, IPv6). Nothing is sent for it."""
    found: list[Optional[str]] = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        mine = None
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            mine = str(probe.getsockname()[0])
        found.append(mine)
    return tuple(found)
