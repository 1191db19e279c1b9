"""What an owner allows a machine to use: cores, memory, hours, network."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.domain.errors import BadInput

DAYS = "mon|tue|wed|thu|fri|sat|sun"
_TIME = r"([01]?\d|2[0-4])(?::([0-5]\d))?"
_WINDOW = re.compile(rf"(?:(?:{DAYS})(?:[-,](?:{DAYS}))* +)?{_TIME}-{_TIME}")
CORES_MOST, MEMORY_MOST, HOURS_MOST = 4096, 2**30, 200


@dataclass(frozen=True)
class Allowance:
    """The most a machine may use for us; 0 and "" are no limit. Memory in MB.

    ``hours`` are those of the machine's own clock, as the agent's option ``--hours`` has them.
    """

    cores: int = 0
    memory_mb: int = 0
    hours: str = ""
    network: bool = True

    def check(self) -> None:
        """Raises BadInput with every fault."""
        faults = []
        if not 0 <= self.cores <= CORES_MOST:
            faults.append(f"cores {self.cores}: from 0 (no limit) to {CORES_MOST}")
        if not 0 <= self.memory_mb <= MEMORY_MOST:
            faults.append(f"memory_mb {self.memory_mb}: from 0 (no limit) to {MEMORY_MOST}")
        if not reads_hours(self.hours):
            faults.append(
                f"hours {self.hours[:80]!r}: local hours like 22-6, or"
                " mon-fri 18:30-7; sat,sun 0-24; leave it empty for always"
            )
        if faults:
            raise BadInput(faults)


def reads_hours(text: str) -> bool:
    """Whether an agent understands these hours."""
    if not text:
        return True
    if len(text) > HOURS_MOST:
        return False
    for part in text.lower().split(";"):
        found = _WINDOW.fullmatch(part.strip())
        if found is None:
            return False
        first, second = _minute(found[1], found[2]), _minute(found[3], found[4])
        if first == second or max(first, second) > 24 * 60:
            return False
    return True


def _minute(hour: str, minute: str | None) -> int:
    return int(hour) * 60 + int(minute or 0)
