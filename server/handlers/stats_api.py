"""The statistics over HTTP: as of now, by time, split, as JSON or CSV; and whether they hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from aiohttp import web

from server.domain.errors import Forbidden
from server.domain.roles import Caller, reaches
from server.domain.rollup import PRIVATE, SEEN, Gauge, Kind, Measure, Span
from server.domain.spreadsheet import as_csv
from server.handlers.access import Access, Public, Role
from server.handlers.errors import BadParameter
from server.handlers.routes import CSV, Query, Route
from server.services import stats, statscheck
from server.services.deps import Deps
from server.services.lately import Lately

R = TypeVar("R")
OPERATOR = "operator"
OPEN = tuple(kind for kind in Kind if kind not in PRIVATE)
KEY_MOST = 128
KEPT_S = 1.0  # the same figures are read so often at most, whoever asks
KEPT = 200  # answers, each of a few hundred numbers


@dataclass(frozen=True)
class NowView:
    """The pool as it is, from the machines heard of in the last 90 seconds.

    ``by`` has machines by kind and word, ``seen`` how many different machines, accounts and
    addresses there were of late. Events are those of active productions, ages seconds.
    """

    at: float
    machines: int
    working: int
    cores: int
    memory_mb: int
    hosts: int
    leases: int
    lease_age_oldest_s: float
    lease_age_mean_s: float
    tasks_ready: int
    events_in_hand: int
    events_leased: int
    events_left: int
    by: dict[str, dict[str, int]] = field(default_factory=dict)
    seen: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesView:
    """A figure by time: each value is of the ``step_s`` that begins at ``start + n * step_s``."""

    measure: str
    kind: str
    key: str
    step_s: int
    start: int
    values: list[float | None]
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class SplitView:
    """What each key of a kind has of a figure over a span."""

    measure: str
    kind: str
    span: str
    values: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TotalsView:
    """Every counter of all time."""

    kind: str
    key: str
    values: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MonthView:
    """Every counter of a calendar month (UTC) that begins at ``start``."""

    start: int
    values: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MonthsView:
    """Every counter by calendar month, oldest first."""

    kind: str
    key: str
    months: list[MonthView] = field(default_factory=list)


@dataclass(frozen=True)
class DiscrepancyView:
    """A total that is not what a ledger says."""

    measure: str
    kind: str
    key: str
    counted: int
    derived: int
    ledger: str


@dataclass(frozen=True)
class StatsCheck:
    """What re-deriving the figures has found; ``ok`` if nothing."""

    ok: bool
    discrepancies: list[DiscrepancyView] = field(default_factory=list)


@dataclass(frozen=True)
class StatsApi:
    """The handlers. ``public`` says whether figures that are nobody's own are for everybody."""

    deps: Deps
    public: bool = True
    kept: Lately[Hashable, Any] = field(default_factory=lambda: Lately(KEPT_S, KEPT))

    async def _lately(self, read: Callable[..., Awaitable[R]], *asked: Hashable) -> R:
        """What is read for these arguments, as it was a moment ago."""
        found: R = await self.kept.of((read, asked), lambda: read(self.deps, *asked))
        return found

    async def now(self, request: web.Request, caller: Caller | None = None) -> NowView:
        """The pool as it is."""
        found = await self._lately(stats.now)
        return NowView(
            found.at, found.machines, found.working, found.cores, found.memory_mb, found.hosts,
            found.leases, found.lease_age_oldest_s, found.lease_age_mean_s, found.tasks_ready,
            found.events_in_hand, found.events_leased, found.events_left,
            {str(kind): words for kind, words in found.by.items()},
            {str(gauge): spans for gauge, spans in found.seen.items()},
        )  # fmt: skip

    async def series(
        self, request: web.Request, caller: Caller | None = None
    ) -> SeriesView | web.Response:
        """A figure by time."""
        kind, key = await self._whose(request, caller)
        asked = (_figure(request, kind), _span(request), kind, key)
        found = await self._lately(stats.series, *asked)
        if _wants_csv(request):
            return _csv(("time", str(found.measure), "low", "high"), _lines(found))
        return SeriesView(
            str(found.measure), str(kind), key, found.step_s, found.start, [*found.values],
            [*found.low], [*found.high],
        )  # fmt: skip

    async def split(
        self, request: web.Request, caller: Caller | None = None
    ) -> SplitView | web.Response:
        """A figure for each key of a kind."""
        kind = _word(request, "kind", _kinds(caller))
        figure, span = _figure(request, kind), _span(request)
        if kind in PRIVATE and not _may_all(caller):
            raise Forbidden(OPERATOR)
        values = await self._lately(stats.split, figure, span, kind)
        if _wants_csv(request):
            return _csv((str(kind), str(figure)), values.items())
        return SplitView(str(figure), str(kind), str(span), values)

    async def totals(self, request: web.Request, caller: Caller | None = None) -> TotalsView:
        """Every counter of all time."""
        kind, key = await self._whose(request, caller)
        found = await self._lately(stats.totals, kind, key)
        return TotalsView(str(kind), key, {str(name): value for name, value in found.items()})

    async def months(
        self, request: web.Request, caller: Caller | None = None
    ) -> MonthsView | web.Response:
        """Every counter by calendar month."""
        kind, key = await self._whose(request, caller)
        found = await self._lately(stats.months, kind, key)
        if _wants_csv(request):
            lines = [(_day(one.start), *(one.values.get(m, 0) for m in Measure)) for one in found]
            return _csv(("month", *map(str, Measure)), lines)
        return MonthsView(
            str(kind), key,
            [MonthView(m.start, {str(k): v for k, v in m.values.items()}) for m in found],
        )  # fmt: skip

    async def check(self, request: web.Request, caller: Caller) -> StatsCheck:
        """Derive the totals anew, and compare."""
        found = await statscheck.check(self.deps)
        return StatsCheck(
            not found,
            [
                DiscrepancyView(str(o.measure), str(o.kind), o.key, o.counted, o.derived, o.ledger)
                for o in found
            ],
        )

    async def _whose(self, request: web.Request, caller: Caller | None) -> tuple[Kind, str]:
        """Of what figures are asked, and allowed. Raises BadParameter, Forbidden."""
        kind = _word(request, "kind", _kinds(caller), Kind.POOL)
        key = request.query.get("key", "")
        if len(key) > KEY_MOST:
            raise BadParameter(f"key: at most {KEY_MOST} characters.")
        if kind in PRIVATE and not _may_all(caller):
            card = self.deps.registry.hosts.get(int(key)) if key.isdecimal() else None
            owner = "" if card is None else str(card.account)
            whose = owner if kind is Kind.HOST else key.partition("/")[0]
            if caller is None or whose != str(caller.account):
                raise Forbidden(OPERATOR)
        return kind, key

    def routes(self) -> list[Route]:
        """Every route of the statistics; figures of a person or his machines have their own."""
        anybody = Public() if self.public else Role("volunteer")
        return [
            *self._routes("/api/v1/stats", anybody, ""),
            *self._routes("/api/v1/stats/own", Role("volunteer"), " One's own, operators any."),
            Route("POST", "/api/v1/stats/check", self.check, Role(OPERATOR),
                  "Derive the totals of the figures anew from the ledgers, and compare.",
                  reply=StatsCheck),
        ]  # fmt: skip

    def _routes(self, base: str, access: Access, more: str) -> list[Route]:
        figure = Query("measure", "string", "A counter or a gauge, see docs/statistics.md.")
        span = Query("span", "string", "hour, day, week, month, year or all.", "day")
        form = Query("format", "string", "csv for comma separated values.")
        whose = (
            Query("kind", "string", "What it is of: pool, production, site, country ..", "pool"),
            Query("key", "string", "Which: a production's or host's number, a site's name ..", ""),
        )
        own = bool(more)
        also = ("bad-parameter", "forbidden") if own else ("bad-parameter",)
        routes = [
            Route("GET", f"{base}/series", self.series, access, f"A figure by time.{more}",
                  reply=SeriesView, query=(figure, span, *whose, form), codes=also),
            Route("GET", f"{base}/split", self.split, access,
                  f"A figure of a span for each key of a kind.{more}",
                  reply=SplitView, query=(figure, span, whose[0], form), codes=also),
            Route("GET", f"{base}/totals", self.totals, access,
                  f"Every counter of all time.{more}", reply=TotalsView, query=whose, codes=also),
            Route("GET", f"{base}/months", self.months, access,
                  f"Every counter by calendar month.{more}", reply=MonthsView,
                  query=(*whose, form), codes=also),
        ]  # fmt: skip
        if not own:
            routes.append(
                Route("GET", f"{base}/now", self.now, access, "The pool as it is.", reply=NowView)
            )
        return routes


W = TypeVar("W", bound=StrEnum)


def _word(request: web.Request, name: str, known: Sequence[W], default: W | None = None) -> W:
    """A word behind the question mark. Raises BadParameter."""
    text = request.query.get(name, default)
    for word in known:
        if text == word:
            return word
    raise BadParameter(f"{name}: must be one of {', '.join(known)}.")


def _may_all(caller: Caller | None) -> bool:
    return caller is not None and reaches(caller.role, OPERATOR)


def _kinds(caller: Caller | None) -> Sequence[Kind]:
    return OPEN if caller is None else tuple(Kind)


def _figure(request: web.Request, kind: Kind) -> Measure | Gauge:
    if request.query.get("measure") in tuple(Gauge):
        gauge = _word(request, "measure", tuple(Gauge))
        if gauge in SEEN and kind is not Kind.POOL:
            raise BadParameter(f"measure: {gauge} is counted of the whole pool alone.")
        return gauge
    return _word(request, "measure", tuple(Measure))


def _span(request: web.Request) -> Span:
    return _word(request, "span", tuple(Span), Span.DAY)


def _wants_csv(request: web.Request) -> bool:
    asked = request.query.get("format")
    if asked not in (None, "csv", "json"):
        raise BadParameter("format: csv or json.")
    return asked == "csv" or (asked is None and CSV in request.headers.get("Accept", ""))


def _lines(found: stats.Series) -> Iterable[Sequence[object]]:
    for place, value in enumerate(found.values):
        extremes = (found.low[place], found.high[place]) if found.low else ("", "")
        at = datetime.fromtimestamp(found.start + place * found.step_s, UTC)
        yield at.strftime("%Y-%m-%dT%H:%M:%SZ"), value, *extremes


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def _csv(head: Sequence[str], lines: Iterable[Sequence[object]]) -> web.Response:
    return web.Response(text=as_csv([head, *lines]), content_type=CSV)
