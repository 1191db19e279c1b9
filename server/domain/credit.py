"""What settled events are worth: one credit is one second of one core of the reference host.

So a credit is the same work whatever the payload was: an event is worth the seconds that it takes
on the reference host, times the cores it keeps busy. BOINC fixes the machine too (its Cobblestone
is 1/200 of a day of a 1 GFLOPS host) but derives the work from each host's own benchmark, which
has proved unstable; here it is measured with the payload's own reference events, once per
production. Amounts are whole millionths, so that the books add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MICROS = 1_000_000  # of them make a credit


@dataclass(frozen=True)
class Worth:
    """What an event of a production is worth, and how that is known: by how many hosts."""

    micros: int
    source: str
    hosts: int


def worth(reference_s: float | None, seconds: Sequence[float], cores: int) -> Worth:
    """The worth of an event.

    By the seconds it takes on the reference host, else the median of the ``seconds`` of validated
    hosts: half of them would have to say the same wrong thing to move it far. If nobody has
    measured anything, an event is worth one core-second.
    """
    known = sorted(s for s in seconds if s > 0)
    if reference_s is not None and reference_s > 0:
        found, source, hosts = reference_s, "reference", 1
    elif known:
        found, source, hosts = known[(len(known) - 1) // 2], "median", len(known)
    else:
        found, source, hosts = 1.0, "unmeasured", 0
    return Worth(max(1, round(found * max(1, cores) * MICROS)), source, hosts)


def credits(events: int, micros: int) -> int:
    """The millionths of credit for events settled, each worth so many; never negative."""
    if events < 0 or micros < 0:
        raise ValueError(f"{events} events at {micros} give no credit; both must be 0 or more")
    return events * micros
