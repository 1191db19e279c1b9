"""Machine/Job Features (HSF-TN-2016-02): what the site grants this machine, and when it ends.

``$MACHINEFEATURES`` and ``$JOBFEATURES`` are a folder or an address with a file for each key. A key
that is missing or no number is unknown; an address that is away for a while keeps what it said.
Of benchmarks the note names ``hs06`` and ``hs06_job`` alone; ``hepscore23`` and ``hepscore23_job``
are named after them, as sites that have such a key do.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Callable, Optional

from vmagent import monitor
from vmagent.fetch import Away, Fetch, read_key
from vmagent.settings import Settings
from vmagent.wire.messages import POWER_MOST
from vmagent.wishes import STOP, Reading

log = logging.getLogger("vmagent.mjf")

BENCHMARKS = ("hs06", "hepscore23")
MACHINE = ("shutdowntime", "grace_secs", "total_cpu", *BENCHMARKS)
JOB = (
    "shutdowntime_job",
    "grace_secs_job",
    "jobstart_secs",
    "wall_limit_secs",
    "cpu_limit_secs",
    "allocated_cpu",
    "max_rss_bytes",
    *(f"{name}_job" for name in BENCHMARKS),
)
# Older names still met at sites, and what one unit of them is.
OLDER = {
    "wall_limit_secs": ("wall_limit_secs_lrms", 1),
    "cpu_limit_secs": ("cpu_limit_secs_lrms", 1),
    "allocated_cpu": ("allocated_CPU", 1),
    "max_rss_bytes": ("mem_limit_MB", 1_000_000),
    "total_cpu": ("log_cores", 1),
}
NUMBER_MOST = 1e15


def number(text: Optional[str]) -> Optional[float]:
    """The number of a file; None if it holds none that can be meant."""
    try:
        found = float((text or "").strip().replace("_", "?"))  # Python reads 1_0 as ten
    except ValueError:
        return None
    return found if math.isfinite(found) and 0 < found < NUMBER_MOST else None


@dataclass(frozen=True)
class Granted:
    """Times in Unix seconds, lengths in seconds; None is unknown."""

    machine_ends: Optional[float] = None
    job_ends: Optional[float] = None
    wall_ends: Optional[float] = None
    cpu_s: Optional[float] = None
    cores: Optional[int] = None
    memory_bytes: Optional[float] = None
    grace_s: Optional[float] = None


class Features:
    """The two places, looked at again and again.

    ``benchmarks`` is what a core does, 0 if the site does not say; nothing as long as a place never
    answered.
    """

    def __init__(
        self,
        machine: Optional[str],
        job: Optional[str],
        unix: Callable[[], float],
        fetch: Optional[Fetch] = None,
    ) -> None:
        """``unix`` tells the time as well as it is known."""
        self._places = [(place, keys) for place, keys in ((machine, MACHINE), (job, JOB)) if place]
        self._unix, self._fetch = unix, fetch or Fetch()
        self._known: dict[str, float] = {}
        self._strange: set[str] = set()
        self._started = unix()
        self._unheard = {place for place, _ in self._places}
        self.benchmarks: dict[str, float] = {} if self._unheard else dict.fromkeys(BENCHMARKS, 0.0)

    @property
    def given(self) -> bool:
        """Whether the site names a place at all."""
        return bool(self._places)

    def look(self) -> Granted:
        """What is granted by now."""
        for place, keys in self._places:
            for key in keys:
                try:
                    self._learn(place, key)
                except Away as error:
                    log.warning("machine features away", extra={"why": str(error)})
                    break  # a place that does not answer is not asked for every key
            else:
                self._unheard.discard(place)
        if not self._unheard:
            self.benchmarks = {name: self._of_a_core(name) for name in BENCHMARKS}
        return self._granted(self._known)

    def _of_a_core(self, name: str) -> float:
        """The share of the job over its cores, or else that of the machine over all of its."""
        known = self._known
        for value, cores in ((f"{name}_job", "allocated_cpu"), (name, "total_cpu")):
            if value in known and cores in known:
                power = known[value] / known[cores]
                if power <= POWER_MOST:
                    return round(power, 3)
                self._wonder(value)
        return 0.0

    def _wonder(self, key: str) -> None:
        if key not in self._strange:
            self._strange.add(key)
            log.warning("machine feature not understood", extra={"key": key})

    def _learn(self, place: str, key: str) -> None:
        text, unit = read_key(self._fetch, place, key), 1
        if text is None and key in OLDER:
            older, unit = OLDER[key]
            text = read_key(self._fetch, place, older)
        found = number(text)
        if found is None:
            self._known.pop(key, None)
            if text is not None:
                self._wonder(key)
        else:
            self._known[key] = found * unit

    def _granted(self, known: Mapping[str, float]) -> Granted:
        wall = known.get("wall_limit_secs")
        start = known.get("jobstart_secs", self._started)
        cores = known.get("allocated_cpu")
        graces = [known[key] for key in ("grace_secs", "grace_secs_job") if key in known]
        return Granted(
            known.get("shutdowntime"),
            known.get("shutdowntime_job"),
            None if wall is None else start + wall,
            known.get("cpu_limit_secs"),
            None if cores is None or cores < 1 else int(cores),
            known.get("max_rss_bytes"),
            min(graces, default=None),
        )


def readings(
    granted: Granted, now: float, unix: float, cpu_used: float, slots: int
) -> list[Reading]:
    """What the site's word means for us: ``now`` of our ticks is ``unix``, ``cpu_used`` seconds are
    spent. CPU time runs out as fast as all slots can use it up.
    """
    ends = [
        ("machine-shutdown", granted.machine_ends),
        ("job-shutdown", granted.job_ends),
        ("wall-limit", granted.wall_ends),
    ]
    found = [
        Reading(reason, by=now + at - unix, then=STOP) for reason, at in ends if at is not None
    ]
    if granted.cpu_s is not None:
        left = max(0.0, granted.cpu_s - cpu_used) / max(1, slots)
        found.append(Reading("cpu-limit", by=now + left, then=STOP))
    return found


def fit(settings: Settings, granted: Granted) -> Settings:
    """The settings within what the site allocated: slots and memory only ever shrink."""
    if granted.cores is not None and granted.cores < settings.slots:
        settings = replace(settings, slots=granted.cores)
    if granted.memory_bytes is not None:
        memory = max(1, int(granted.memory_bytes) >> 20)
        if memory < monitor.memory_mb(settings.memory_mb):
            settings = replace(settings, memory_mb=memory)
    return settings
