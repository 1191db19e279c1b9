"""The statistics as pages: the pool now and over time, each plot as CSV and as SVG."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web

from server.domain.roles import Caller
from server.domain.rollup import Gauge, Kind, Measure, Span
from server.domain.spreadsheet import as_csv
from server.handlers import params
from server.handlers.access import Visitor
from server.handlers.drawings import Drawings, said
from server.handlers.errors import BadParameter, SignedOut
from server.handlers.routes import CSV, HTML, SVG, Query, Route
from server.handlers.showing import HEADERS, show, to_sign_in
from server.handlers.sse import MEDIA, Live
from server.services import pictures, sofar
from server.services.deps import Deps
from server.services.lately import Lately
from server.services.look import Look
from server.services.sofar import SoFar
from server.services.stats import Series
from web.axes import number
from web.filters import stamp
from web.plots import bars, world
from web.render import page
from web.standalone import standalone

KEPT_S = 3.0  # figures that are read for anybody are read so often at most
TABLES = len(pictures.PLOTS) * len(Span)
FIRST = ("machines", "events", "tasks")
"""The plots of the first of the pages."""

WORDS: dict[Gauge | Measure, str] = {
    Gauge.MACHINES_SEEN: "different machines",
    Gauge.ACCOUNTS_SEEN: "different accounts",
    Gauge.ADDRESSES_SEEN: "different addresses",
    Measure.EVENTS_SETTLED: "events settled",
    Measure.EVENTS_RECEIVED: "events received, each copy",
    Measure.EVENTS_REJECTED: "events of copies rejected",
    Measure.TASKS_DELIVERED: "tasks delivered",
    Measure.TASKS_FAILED: "tasks failed",
    Measure.PREEMPTIONS: "preemptions",
    Measure.BYTES_RECEIVED: "bytes received",
}
"""The rows of the table of what there was so far."""

BARS = (
    ("By state", Kind.STATE),
    ("By kind", Kind.MACHINE),
    ("By site", Kind.SITE),
    ("By image", Kind.IMAGE),
    ("By version of the agent", Kind.AGENT),
)
# A drawing opened by itself has its style inside, and nothing else.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
RANGE = Query("range", "string", "hour, day, week, month, year or all.", "day")
GROUP = Query("group", "string", "Which of the pages; the first if empty.", "")


@dataclass(frozen=True)
class StatisticsPages:
    """The handlers. Unless ``public``, who looks has to be signed in."""

    deps: Deps
    look: Look
    public: bool = True
    drawings: Drawings = field(init=False)
    so_far: Lately[None, list[SoFar]] = field(default_factory=lambda: Lately(KEPT_S))
    tables: Lately[tuple[str, Span], str] = field(default_factory=lambda: Lately(KEPT_S, TABLES))

    def __post_init__(self) -> None:
        object.__setattr__(self, "drawings", Drawings(self.deps))

    async def show(self, request: web.Request, caller: Caller | None) -> web.StreamResponse:
        """The pool as it is and the plots that tell most, or those of a group."""
        if self._hidden(caller):
            return to_sign_in(request)
        group = request.path.removeprefix("/statistics").strip("/")
        span = params.query_span(request)
        groups = [("Now", f"/statistics?range={span}", not group)] + [
            (each.capitalize(), f"/statistics/{each}?range={span}", each == group)
            for each in pictures.GROUPS
        ]
        return show(
            request, caller, "statistics", here="statistics", groups=groups,
            heading=f"Statistics: {group}" if group else "Statistics",
            **await self._facts(group, span),
        )  # fmt: skip

    async def follow(self, request: web.Request, caller: Caller | None) -> Live:
        """The same, live."""
        if self._hidden(caller):
            raise SignedOut()
        group, span = request.query.get("group", ""), params.query_span(request)
        if group not in ("", *pictures.GROUPS):
            words = ", ".join(pictures.GROUPS)
            raise BadParameter(f"group: one of {words} is wanted here, not {group[:40]!r}.")

        async def render() -> str:
            return page("statistics_live", **await self._facts(group, span))

        return Live(("statistics", group, span), render, KEPT_S)

    async def _facts(self, group: str, span: Span) -> dict[str, Any]:
        """What one of the pages shows, which is the same for everybody."""
        names = tuple(plot.name for plot in pictures.PLOTS if plot.group == group) or FIRST
        base = f"/statistics/{group}" if group else "/statistics"
        facts: dict[str, Any] = {
            "group": group, "range": str(span), "map": "", "bars": [],
            "ranges": [(str(each), f"{base}?range={each}", each is span) for each in Span],
            "figures": [await self.drawings.of(pictures.named(name), span) for name in names],
        }  # fmt: skip
        if group == pictures.COUNTRIES:
            return facts | await self._countries()
        return facts if group else facts | await self._pool()

    async def _pool(self) -> dict[str, Any]:
        now, sizes = await self.look.now(), sofar.sizes(self.deps)
        counted = await self.so_far.of(None, lambda: sofar.so_far(self.deps))
        return {
            "now": now, "rate": (await self.look.front()).events_per_s,
            "sites": await self.look.sites(),
            "so_far": [(WORDS[one.of], one) for one in counted],
            "bars": [
                *(_bars(title, kind, now.by.get(kind, {})) for title, kind in BARS),
                _sizes("By cores", "", sizes.cores),
                _sizes("By memory", " GiB", sizes.memory),
            ],
        }  # fmt: skip

    async def _countries(self) -> dict[str, Any]:
        here = (await self.look.now()).by.get(Kind.COUNTRY, {})
        known = {key: value for key, value in here.items() if key}
        shown = known or self.look.countries()
        # The outlines are read when the first map is drawn: not on the loop.
        return {
            "known_here": bool(known),
            "map": await asyncio.to_thread(world, shown, unit="machines") if shown else "",
            "bars": [_bars("Machines here now", Kind.COUNTRY, here)] if here else [],
        }

    async def send_csv(self, request: web.Request, caller: Caller | None) -> web.StreamResponse:
        """The figures of a plot as they are kept, not put together."""
        if self._hidden(caller):
            return to_sign_in(request)
        plot, span = pictures.named(request.match_info["plot"]), params.query_span(request)

        async def made() -> str:
            found = await pictures.exact(self.deps, plot, span)
            return table([(said(plot.kind, name), one) for name, one in found])

        text = await self.tables.of((plot.name, span), made)
        return _file(text, CSV, f"windfall-{plot.name}-{span}.csv")

    async def send_svg(self, request: web.Request, caller: Caller | None) -> web.StreamResponse:
        """A plot as a drawing of its own."""
        if self._hidden(caller):
            return to_sign_in(request)
        plot, span = pictures.named(request.match_info["plot"]), params.query_span(request)
        drawing = await self.drawings.of(plot, span)
        return _file(standalone(drawing.svg), SVG, f"windfall-{plot.name}-{span}.svg")

    def _hidden(self, caller: Caller | None) -> bool:
        return caller is None and not self.public

    def routes(self) -> list[Route]:
        """The pages, their stream and their files."""
        plot = "/statistics/{plot:[a-z]+}"
        coded = ("bad-parameter",)
        return [
            Route("GET", "/statistics", self.show, Visitor(), "The statistics as a page",
                  media=HTML, head=True, query=(RANGE,), codes=coded),
            Route("GET", "/statistics/live", self.follow, Visitor(), "The same, live",
                  media=MEDIA, query=(RANGE, GROUP), codes=(*coded, "too-many-listeners")),
            *(
                Route("GET", f"/statistics/{group}", self.show, Visitor(),
                      f"Plots of {group} as a page", media=HTML, head=True, query=(RANGE,),
                      codes=coded)
                for group in pictures.GROUPS
            ),
            Route("GET", f"{plot}.csv", self.send_csv, Visitor(), "The figures of a plot",
                  media=CSV, query=(RANGE,), codes=(*coded, "plot-unknown")),
            Route("GET", f"{plot}.svg", self.send_svg, Visitor(), "A plot as a drawing",
                  media=SVG, query=(RANGE,), codes=(*coded, "plot-unknown")),
        ]  # fmt: skip


def _bars(title: str, kind: Kind, counts: dict[str, int]) -> tuple[str, str, list[tuple[str, str]]]:
    """A drawing of what is here now by words, and its table."""
    named = [(said(kind, key), value) for key, value in counts.items()]
    ranked = sorted(named, key=lambda one: (-one[1], one[0]))
    svg = bars(named, title=f"Machines {title.lower()}", unit="machines", most=8)
    return title, svg, [(name, number(value)) for name, value in ranked[:60]]


def _sizes(
    title: str, unit: str, counts: list[tuple[float, int]]
) -> tuple[str, str, list[tuple[str, str]]]:
    """A drawing of how many machines there are of each size, and its table."""
    named = [(_up_to(bound, unit), value) for bound, value in counts]
    svg = bars(named, title=f"Machines {title.lower()}", unit="machines", ordered=True, most=16)
    return title, svg, [(name, number(value)) for name, value in named]


def _up_to(bound: float, unit: str) -> str:
    """What is above the half of a bound and up to it; what has no unit comes in whole numbers."""
    if not unit:
        return f"{bound:g}" if bound <= 2 else f"{bound / 2 + 1:g} to {bound:g}"
    return f"over {bound / 2:g} to {bound:g}{unit}"


def table(found: list[tuple[str, Series]]) -> str:
    """Figures as comma-separated values (RFC 4180): when each step begins, and each line."""
    rows: list[list[object]] = [
        ["begins", "seconds", *(name or str(one.measure) for name, one in found)]
    ]
    if found:
        first = found[0][1]
        for place in range(len(first.values)):
            at = first.start + place * first.step_s
            values = [one.values[place] for _, one in found]
            cells = ["" if value is None else f"{value:g}" if isinstance(value, float) else value
                     for value in values]  # fmt: skip
            rows.append([stamp(at), first.step_s, *cells])
    return as_csv(rows)


def _file(text: str, media: str, name: str) -> web.Response:
    headers = {
        **HEADERS,
        "Content-Security-Policy": FILE_POLICY,
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        hdrs.CACHE_CONTROL: "no-cache",
    }
    return web.Response(text=text, content_type=media, charset="utf-8", headers=headers)
