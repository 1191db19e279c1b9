"""How much the agent may still write to disk."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from vmagent import files

MIB = 1 << 20


class Room:
    """The disk below the state folder, less a reserve that the agent leaves alone."""

    def __init__(self, home: Path, reserve_mb: int, every_s: float = 1.0) -> None:
        self._home, self.reserve = home, reserve_mb * MIB
        self._every_s = every_s
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._free = 0

    def left(self) -> int:
        """Bytes it may still write; below zero if it is into the reserve. At most a second old."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= self._every_s:
                self._free, self._looked_at = files.free_bytes(self._home), now
            return self._free - self.reserve

    def full(self) -> bool:
        """Whether nothing more is to be written."""
        return self.left() <= 0

    def short(self) -> bool:
        """Whether there is too little to take new work: room for work in hand is kept."""
        return self.left() <= self.reserve // 4
