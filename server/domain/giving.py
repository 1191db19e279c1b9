"""What gifts come to: normalised CPU by benchmark, and the badges that a ledger bears out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

BENCHMARKS = ("hs06", "hepscore23")
CORE_MOST = 100.0  # no core does so much: the best in HEPiX's table of HEPscore23 does 35.3
MS_PER_HOUR = 3_600_000
_DAY_S = 86_400.0


class Power(NamedTuple):
    """What a core of a machine does in each benchmark; 0 is unknown."""

    hs06: float = 0.0
    hepscore23: float = 0.0

    def of(self, name: str) -> float:
        """That of one benchmark."""
        return self.hs06 if name == "hs06" else self.hepscore23


def of_a_core(power: float, cores: int) -> float:
    """What a core does of a machine that does ``power``; how many cores it has is its own word."""
    return min(power / max(1, cores), CORE_MOST)


def normalised_hours(cpu_ms: int, core: float) -> float:
    """CPU time in benchmark-hours; ``core`` is the benchmark for a core.

    A machine of 16 cores and 320 HS06 gives 20 HS06-hours with each hour of CPU.
    """
    return cpu_ms / MS_PER_HOUR * core


@dataclass(frozen=True)
class Deeds:
    """What the ledgers say of an account: counts, hours of CPU, days since its first event.

    ``studies`` are finished productions in which events of it stand.
    """

    validated: int
    rejected: int
    cpu_hours: float
    days: float
    studies: int
    machines: int


@dataclass(frozen=True)
class Badge:
    """A true thing: its name, and the rule in words, with the figure that it was reached by."""

    name: str
    words: str


_EVENTS = ((10**9, "a billion"), (10**6, "a million"), (10**3, "a thousand"), (1, "the first"))
_HOURS = ((876_600, "a century"), (8_766, "a year"), (168, "a week"), (24, "a day"))
_YEARS = ((3652.5, "ten years"), (1826.0, "five years"), (365.0, "a year"))


def _grouped(number: float) -> str:
    """A number in groups of three digits, with narrow blanks between (ISO 80000-1)."""
    return f"{number:,.0f}".replace(",", "\u202f")


def badges(deeds: Deeds) -> list[Badge]:
    """The badges that are true of an account; each of a ladder only the highest."""
    found: list[Badge] = []
    for least, words in _EVENTS:
        if deeds.validated >= least:
            word = "event" if least == 1 else "events"
            found.append(
                Badge(f"{words.capitalize()} {word}", f"{_grouped(deeds.validated)} were agreed on")
            )
            break
    for hours, words in _HOURS:
        if deeds.cpu_hours >= hours:
            found.append(
                Badge(
                    f"{words.capitalize()} of CPU", f"{_grouped(deeds.cpu_hours)} hours were given"
                )
            )
            break
    for days, words in _YEARS:
        if deeds.validated and deeds.days >= days:
            found.append(
                Badge(
                    f"With us for {words}", f"the first event came {_grouped(deeds.days)} days ago"
                )
            )
            break
    if deeds.studies >= 1:
        ended = "production was" if deeds.studies == 1 else "productions were"
        found.append(
            Badge("In a finished study", f"{_grouped(deeds.studies)} {ended} finished with events")
        )
    if deeds.validated >= 10_000 and not deeds.rejected:
        found.append(
            Badge("Nothing wrong", f"{_grouped(deeds.validated)} events and none rejected")
        )
    if deeds.machines >= 10:
        found.append(Badge("A fleet", f"{_grouped(deeds.machines)} machines gave events"))
    return found


def average_credit(credits: list[tuple[float, float]], now: float) -> float:
    """The recent average credit per day that BOINC's statistics know, from (time, credit).

    An exponential average with a half-life of a week (BOINC's `update_average`): each credit counts
    with ln 2 / 7 days, halved with every week since.
    """
    week = 7 * _DAY_S
    halves = (credit * math.pow(0.5, (now - at) / week) for at, credit in credits if at <= now)
    return math.log(2) / 7 * sum(halves)
