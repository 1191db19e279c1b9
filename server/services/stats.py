"""The statistics as pages and programs read them: by time, by what they are of, and as of now.

What fills them are the duties of `server.services.rollups` and `server.services.gauges`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from server.db import figures
from server.db.base import Tx
from server.domain.production import ProductionState
from server.domain.rollup import (
    DAY,
    EVER,
    HOUR,
    MANY,
    MINUTE,
    MONTH,
    SEEN,
    Gauge,
    Kind,
    Measure,
    Span,
    Values,
    Window,
    drawn,
    floor,
    sampled,
    steps_of,
    window,
    zeros,
)
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.hostview import NOW_S, state_of
from server.services.kinds import machine_kind

SAID = (Kind.IMAGE, Kind.AGENT)
WORDS_MOST = 50  # of what hosts say themselves
OTHER = "other"


@dataclass(frozen=True)
class Series:
    """A figure by time; each value is of the ``step_s`` that begins at ``start + n * step_s``.

    Values of counters are sums, those of gauges means (None where nothing was sampled), beside
    which ``low`` and ``high`` tell between what it was.
    """

    measure: Measure | Gauge
    kind: Kind
    key: str
    step_s: int
    start: int
    values: Values
    low: Values = field(default_factory=list)
    high: Values = field(default_factory=list)


@dataclass(frozen=True)
class Month:
    """The counters of a calendar month (UTC), which begins at ``start``."""

    start: int
    values: dict[Measure, int]


@dataclass(frozen=True)
class Now:
    """The pool as it is; machines are those heard of in the last 90 seconds.

    ``by`` has the machines for each word of each kind. Events are those of active productions, each
    copy counted; ages of leases in seconds. ``seen`` are the different machines and accounts of the
    last hour, day and month (30 days), and addresses since the present one began.
    """

    at: float
    machines: int
    working: int
    cores: int
    memory_mb: int
    by: dict[Kind, dict[str, int]]
    hosts: int
    leases: int
    lease_age_oldest_s: float
    lease_age_mean_s: float
    tasks_ready: int
    events_in_hand: int
    events_leased: int
    events_left: int
    seen: dict[Gauge, dict[str, int]] = field(default_factory=dict)


async def series(
    deps: Deps, measure: Measure | Gauge, span: Span, kind: Kind = Kind.POOL, key: str = ""
) -> Series:
    """A figure by time over a span that ends now."""
    now = deps.clock()

    async def read(tx: Tx) -> Series:
        begun = await figures.begun(tx, Kind.POOL, "") if span is Span.ALL else None
        if isinstance(measure, Measure):
            frame = window(span, now, kind, begun)
            return await _counted(tx, measure, kind, key, frame)
        return await _sampled(
            tx, measure, kind, key, _gauge_window(measure, span, now, kind, begun)
        )

    return await deps.store.read(read)


async def _counted(tx: Tx, measure: Measure, kind: Kind, key: str, frame: Window) -> Series:
    place = (frame.start, frame.end)
    rows = await figures.series(tx, measure, kind, key, frame.source, *place)
    if kind in MANY:
        rows += await figures.series(tx, measure, kind, key, MONTH, *place)
    return Series(measure, kind, key, frame.step_s, frame.start, zeros(drawn(frame, rows)))


def _gauge_window(gauge: Gauge, span: Span, now: float, kind: Kind, begun: int | None) -> Window:
    """Words have rows from hours on; of who was seen there are whole hours, days and months."""
    frame = window(span, now, Kind.POOL if kind is Kind.POOL else Kind.COUNTRY, begun)
    if gauge in SEEN and frame.source == MINUTE:
        frame = window(span, now, Kind.COUNTRY, begun)
    if gauge in SEEN:  # they do not add up: each is drawn as it was counted
        frame = Window(frame.source, frame.source, frame.start, frame.end)
    return frame


async def _sampled(tx: Tx, gauge: Gauge, kind: Kind, key: str, frame: Window) -> Series:
    rows = await figures.gauge_series(tx, gauge, kind, key, frame.source, frame.start, frame.end)
    if gauge in SEEN:  # counted up to the end of each: the highest is the number
        values = drawn(frame, ((at, high) for at, _, high, _, _ in rows))
        return Series(gauge, kind, key, frame.step_s, frame.start, values)
    return Series(gauge, kind, key, frame.step_s, frame.start, *sampled(frame, rows))


async def split(deps: Deps, measure: Measure | Gauge, span: Span, kind: Kind) -> dict[str, int]:
    """The total of a span for each key of a kind; of a gauge its latest hour, rounded."""
    now = deps.clock()
    if isinstance(measure, Gauge):
        frame = _gauge_window(measure, Span.DAY, now, Kind.COUNTRY, None)
        at = frame.end - frame.source
        found = await deps.store.read(
            lambda tx: figures.gauge_split(tx, measure, kind, frame.source, at)
        )
        return {key: round(value) for key, value in found.items()}
    if span is Span.ALL:
        return await deps.store.read(lambda tx: figures.split(tx, measure, kind, EVER, 0, 1))
    frame = window(span, now, kind)
    return await deps.store.read(
        lambda tx: figures.split(tx, measure, kind, frame.source, frame.start, frame.end)
    )


async def total(deps: Deps, measure: Measure, kind: Kind = Kind.POOL, key: str = "") -> int:
    """A counter of all time."""
    return (await totals(deps, kind, key))[measure]


async def totals(deps: Deps, kind: Kind = Kind.POOL, key: str = "") -> dict[Measure, int]:
    """Every counter of all time."""
    return await deps.store.read(lambda tx: figures.totals(tx, kind, key))


async def months(deps: Deps, kind: Kind, key: str, start: int = 0) -> list[Month]:
    """Every counter by calendar month, oldest first, from the month that ``start`` lies in."""
    if DAY not in steps_of(kind):
        return []
    end = floor(deps.clock(), DAY) + DAY
    rows = await deps.store.read(lambda tx: figures.months(tx, kind, key, floor(start, MONTH), end))
    found: dict[int, Counter[Measure]] = {}
    for _, at, values in rows:
        found.setdefault(floor(at, MONTH), Counter()).update(values)
    return [Month(at, dict(values)) for at, values in sorted(found.items())]


async def now(deps: Deps) -> Now:
    """The pool as it is, from memory."""
    at, registry = deps.clock(), deps.registry
    here = [card for card in registry.hosts.values() if at - card.seen_at < NOW_S]
    ages = [at - (card.row.leased_at or at) for card in registry.tasks.values()]
    events = _events(deps)
    return Now(
        at,
        len(here),
        sum(1 for card in here if card.running),
        sum(card.facts.cores for card in here),
        sum(card.facts.memory_mb for card in here),
        _words(deps, here, at),
        len(registry.hosts),
        len(ages),
        max(ages, default=0.0),
        sum(ages) / len(ages) if ages else 0.0,
        sum(len(line) for line in deps.lines.values()),
        *events,
        seen=_seen(deps, at),
    )


def _seen(deps: Deps, at: float) -> dict[Gauge, dict[str, int]]:
    hosts = deps.registry.hosts.values()
    recent = {
        word: [card for card in hosts if at - card.seen_at < step]
        for word, step in (("hour", HOUR), ("day", DAY), ("month", MONTH))
    }
    return {
        Gauge.MACHINES_SEEN: {word: len(cards) for word, cards in recent.items()},
        Gauge.ACCOUNTS_SEEN: {
            word: len({card.account for card in cards}) for word, cards in recent.items()
        },
        Gauge.ADDRESSES_SEEN: deps.census.addresses(),
    }


def _words(deps: Deps, here: list[HostCard], at: float) -> dict[Kind, dict[str, int]]:
    """How many machines there are of each word."""
    registry = deps.registry
    found = {
        Kind.STATE: Counter(state_of(card, at) for card in here),
        Kind.SITE: Counter(registry.site_name(card.site) for card in here),
        Kind.COUNTRY: Counter(card.country for card in here),
        Kind.MACHINE: Counter(str(machine_kind(deps, card)) for card in here),
        Kind.IMAGE: Counter(card.system for card in here),
        Kind.AGENT: Counter(card.agent for card in here),
    }
    return {kind: _most(words) if kind in SAID else dict(words) for kind, words in found.items()}


def _most(words: Counter[str]) -> dict[str, int]:
    """The words of most machines: hosts say them, and shall not fill tables with them."""
    shown = dict(words.most_common(WORDS_MOST))
    rest = words.total() - sum(shown.values())
    return {**shown, OTHER: rest + shown.get(OTHER, 0)} if rest else shown


def _events(deps: Deps) -> tuple[int, int, int]:
    """Events in hand of leases that run, leased and not in hand, and not settled yet."""
    leased = deps.registry.tasks.values()
    held = sum(min(card.held.events, card.row.last - card.row.first) for card in leased)
    whole = sum(card.row.last - card.row.first for card in leased)
    left = sum(
        card.events - card.settled
        for card in deps.registry.productions.values()
        if card.state is ProductionState.ACTIVE
    )
    return held, whole - held, left
