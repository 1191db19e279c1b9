"""Figures of the pool: what is counted and sampled, of what, and how time is cut for them.

Times are seconds since 1970 (UTC), and every span begins at a multiple of its step, but months,
which are those of the calendar. Counters are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MINUTE = 60
HOUR = 3600
DAY = 86_400
MONTH = 2_592_000  # the name of a calendar month's step, whose length differs
EVER = 0  # the step of the one row that holds all time

# How long rows of a step are kept; days, months and totals are kept for ever, but for MANY.
KEPT_S = {MINUTE: 48 * HOUR, HOUR: 90 * DAY}
MANY_KEPT_S = 400 * DAY  # days of hosts and accounts; then their months are left


class Measure(StrEnum):
    """What is counted; each is a column of the figures. docs/statistics.md tells the ledgers."""

    EVENTS_SETTLED = "events_settled"
    EVENTS_VALIDATED = "events_validated"
    EVENTS_REJECTED = "events_rejected"
    EVENTS_SET_ASIDE = "events_set_aside"
    EVENTS_RECEIVED = "events_received"
    EVENTS_RECOMPUTED = "events_recomputed"
    FRAMES = "frames"
    BYTES_RECEIVED = "bytes_received"
    TASKS_LEASED = "tasks_leased"
    TASKS_DELIVERED = "tasks_delivered"
    TASKS_RETURNED = "tasks_returned"
    TASKS_EXPIRED = "tasks_expired"
    TASKS_FAILED = "tasks_failed"
    TASKS_ABORTED = "tasks_aborted"
    PREEMPTIONS = "preemptions"
    CPU_MS = "cpu_ms"
    WALL_MS = "wall_ms"
    CREDIT_MICROS = "credit_micros"


class Gauge(StrEnum):
    """What is sampled each minute; the last three are how many different ones were here."""

    MACHINES_CONNECTED = "machines_connected"
    MACHINES_WORKING = "machines_working"
    CORES = "cores"
    MEMORY_MB = "memory_mb"
    EVENTS_IN_HAND = "events_in_hand"
    EVENTS_LEASED = "events_leased"
    EVENTS_LEFT = "events_left"
    TASKS_READY = "tasks_ready"
    LEASES = "leases"
    LEASE_AGE_OLDEST_S = "lease_age_oldest_s"
    LEASE_AGE_MEAN_S = "lease_age_mean_s"
    MACHINES_SEEN = "machines_seen"
    ACCOUNTS_SEEN = "accounts_seen"
    ADDRESSES_SEEN = "addresses_seen"


SEEN = (Gauge.MACHINES_SEEN, Gauge.ACCOUNTS_SEEN, Gauge.ADDRESSES_SEEN)


class Kind(StrEnum):
    """What a figure is of.

    Keys are ids as text of productions, hosts and accounts (``account/production`` of what one gave
    to the other), names of sites, the words themselves of the rest, empty for the pool.
    """

    POOL = "pool"
    PRODUCTION = "production"
    HOST = "host"
    ACCOUNT = "account"
    CONTRIBUTION = "contribution"
    SITE = "site"
    COUNTRY = "country"
    MACHINE = "machine"
    FAILURE = "failure"
    STATE = "state"
    IMAGE = "image"
    AGENT = "agent"


PRIVATE = (Kind.HOST, Kind.ACCOUNT, Kind.CONTRIBUTION)
"""Of whom each figure is about a person or a machine of one: for him, and operators."""


class MachineKind(StrEnum):
    """What kind of machine a host is."""

    VOLUNTEER = "volunteer"
    CLUSTER = "cluster"
    CLOUD = "cloud"
    TRIGGER_FARM = "trigger-farm"


# Of those that are many, days are kept for a year, then folded into months; and a total.
MANY = frozenset({Kind.HOST, Kind.ACCOUNT})
_FINE = (MINUTE, HOUR, DAY, EVER)
_STEPS = {
    Kind.HOST: (DAY, EVER),
    Kind.ACCOUNT: (DAY, EVER),
    Kind.CONTRIBUTION: (EVER,),
    Kind.COUNTRY: (HOUR, DAY, EVER),
    Kind.MACHINE: (HOUR, DAY, EVER),
    Kind.FAILURE: (HOUR, DAY, EVER),
}


def steps_of(kind: Kind) -> tuple[int, ...]:
    """The steps to which counters of a kind are added as facts come."""
    return _STEPS.get(kind, _FINE)


class Span(StrEnum):
    """How far back a picture goes."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True)
class Window:
    """Which rows make a picture: of a step, ``start`` to ``end``, one value every ``step_s``."""

    source: int
    step_s: int
    start: int
    end: int

    @property
    def points(self) -> int:
        """How many values the picture has."""
        return (self.end - self.start) // self.step_s


# Rows of which step, drawn how often, how many of these.
_SPANS = {
    Span.HOUR: (MINUTE, MINUTE, 60),
    Span.DAY: (MINUTE, 600, 144),
    Span.WEEK: (HOUR, HOUR, 168),
    Span.MONTH: (HOUR, 4 * HOUR, 186),
    Span.YEAR: (DAY, DAY, 366),
}


def window(span: Span, now: float, kind: Kind = Kind.POOL, begun: int | None = None) -> Window:
    """The window of a span that ends with the step which ``now`` is in.

    ``begun`` is where the oldest figure begins, for all time. A kind that has no rows as fine as a
    span is drawn with gets the finest that it has.
    """
    kept = [step for step in steps_of(kind) if step != EVER]
    if span is Span.ALL:
        end = floor(now, DAY) + DAY
        start = floor(now if begun is None else begun, MONTH if kind in MANY else DAY)
        return Window(DAY, DAY, min(end - DAY, start), end)
    source, step, points = _SPANS[span]
    if source not in kept:
        finest = min((each for each in kept if each >= source), default=DAY)
        source, step, points = finest, max(step, finest), -(-points * step // max(step, finest))
        points = max(points, 1)
    end = floor(now, step) + step
    return Window(source, step, end - points * step, end)


def floor(at: float, step: int) -> int:
    """Where what a time lies in begins, of this step."""
    if step == EVER:
        return 0
    whole = int(at // 1)
    if step == MONTH:
        day = whole // DAY
        return (day - _day_of_month(day)) * DAY
    return whole - whole % step


def end_of(at: int, step: int) -> int:
    """Where the span ends that begins at ``at``."""
    return floor(at + 32 * DAY, MONTH) if step == MONTH else at + step


def _day_of_month(day: int) -> int:
    """The day of the month, from 0, of a day since 1970.

    The Gregorian calendar repeats after 400 years; counted from March, each month begins at
    ``(153 * month + 2) // 5`` (H. Hinnant, "chrono-compatible low-level date algorithms").
    """
    era_day = (day + 719_468) % 146_097
    year = (era_day - era_day // 1460 + era_day // 36_524 - era_day // 146_096) // 365
    year_day = era_day - (365 * year + year // 4 - year // 100)
    month = (5 * year_day + 2) // 153
    return year_day - (153 * month + 2) // 5


Key = tuple[Kind, str, int, int]
Values = list[int | float | None]


class Tally:
    """Figures added up before they are written: kind, key, step, at -> measure -> value."""

    def __init__(self, now: float = 0.0) -> None:
        """Nothing was counted; what would be thinned out at ``now`` at once is left out."""
        self.rows: dict[Key, dict[Measure, int]] = {}
        self._oldest = {step: floor(now - kept, step) for step, kept in KEPT_S.items()}

    def add(self, of: Iterable[tuple[Kind, str]], at: float, facts: dict[Measure, int]) -> None:
        """Count facts of a moment for each of what they are of, in every step that is kept."""
        rows, begins = self.rows, self._begins(at)
        for kind, key in of:
            for step in _STEPS.get(kind, _FINE):
                begin = begins.get(step)
                if begin is None:
                    continue
                place = (kind, key, step, begin)
                row = rows.get(place)
                if row is None:
                    rows[place] = facts.copy()  # most of what is old stands alone
                    continue
                for measure, value in facts.items():
                    row[measure] = row.get(measure, 0) + value

    def _begins(self, at: float) -> dict[int, int]:
        """Where what a time lies in begins, for each step that is kept so long."""
        whole = int(at // 1)
        found = {DAY: whole - whole % DAY, EVER: 0}
        for step, oldest in self._oldest.items():
            begin = whole - whole % step
            if begin >= oldest:
                found[step] = begin
        return found


def drawn(frame: Window, rows: Iterable[tuple[int, float]]) -> Values:
    """The values of a picture from rows of (at, value), added up; None where there is no row."""
    values: Values = [None] * frame.points
    for at, value in rows:
        place = (at - frame.start) // frame.step_s
        if 0 <= place < len(values):
            before = values[place]
            values[place] = value if before is None else before + value
    return values


def zeros(values: Values) -> Values:
    """Counters where nothing was counted stood still."""
    return [0 if value is None else value for value in values]


def sampled(
    frame: Window, rows: Iterable[tuple[int, float, float, float, int]]
) -> tuple[Values, Values, Values]:
    """The mean, lowest and highest of a gauge, from rows of at, low, high, total, samples."""
    sums: dict[int, tuple[float, float, float, int]] = {}
    for at, low, high, total, samples in rows:
        place = (at - frame.start) // frame.step_s
        before = sums.get(place, (low, high, 0.0, 0))
        sums[place] = (
            min(low, before[0]), max(high, before[1]), total + before[2], samples + before[3],
        )  # fmt: skip
    found = [sums.get(place) for place in range(frame.points)]
    return (
        [None if one is None else one[2] / one[3] for one in found],
        [None if one is None else one[0] for one in found],
        [None if one is None else one[1] for one in found],
    )
