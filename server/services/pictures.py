"""The plots of the statistics: what each shows, and its lines over a span, ready to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean

from server.db import figures
from server.domain.errors import NotFound
from server.domain.picture import coarser, rates, shares
from server.domain.rollup import (
    DAY,
    HOUR,
    SEEN,
    Gauge,
    Kind,
    Measure,
    Span,
    Values,
    floor,
    window,
)  # fmt: skip
from server.services import stats
from server.services.deps import Deps
from server.services.stats import Series

POINTS = 60
"""Steps of time in a plot: each is told to who points at it, and a page has many plots."""

KEYS = 6
"""Lines of a plot that has one for each key: those with most."""

A_SECOND, AN_HOUR, A_DAY = 1.0, 3600.0, 86_400.0
ENDS = (
    ("delivered", Measure.TASKS_DELIVERED),
    ("returned", Measure.TASKS_RETURNED),
    ("expired", Measure.TASKS_EXPIRED),
    ("failed", Measure.TASKS_FAILED),
    ("aborted", Measure.TASKS_ABORTED),
)


@dataclass(frozen=True)
class Plot:
    """A plot: its name in addresses, its title, what its axis counts, and its lines.

    ``per_s``: counters are drawn as amounts in so many seconds. ``scale``: what values are
    multiplied by. ``wholes``: the lines are shares of these, in per cent. ``kind``: the one measure
    has a line for each key of it. ``whole``: values are counted things.
    """

    name: str
    group: str
    title: str
    unit: str
    lines: tuple[tuple[str, Measure | Gauge], ...]
    per_s: float = A_SECOND
    scale: float = 1.0
    wholes: tuple[Measure, ...] = ()
    kind: Kind = Kind.POOL
    whole: bool = False


def _gauge(name: str, group: str, title: str, unit: str, *lines: tuple[str, Gauge]) -> Plot:
    return Plot(name, group, title, unit, lines, whole=True)


MACHINES, COUNTRIES, EVENTS = "machines", "countries", "events"
TASKS, QUEUE, TROUBLE = "tasks", "queue", "trouble"
GROUPS = (MACHINES, COUNTRIES, EVENTS, TASKS, QUEUE, TROUBLE)
_BY = ("", Gauge.MACHINES_CONNECTED)

PLOTS = (
    _gauge("machines", MACHINES, "Machines connected", "machines",
           ("connected", Gauge.MACHINES_CONNECTED), ("working", Gauge.MACHINES_WORKING)),
    _gauge("cores", MACHINES, "Cores connected", "cores", ("cores", Gauge.CORES)),
    Plot("memory", MACHINES, "Memory connected", "GB", (("memory", Gauge.MEMORY_MB),), scale=1e-3),
    _gauge("seen", MACHINES, "Different machines, accounts and addresses", "different ones",
           ("machines", Gauge.MACHINES_SEEN), ("accounts", Gauge.ACCOUNTS_SEEN),
           ("addresses", Gauge.ADDRESSES_SEEN)),
    Plot("kinds", MACHINES, "Machines by kind", "machines", (_BY,), kind=Kind.MACHINE, whole=True),
    Plot("sites", MACHINES, "Machines by site", "machines", (_BY,), kind=Kind.SITE, whole=True),
    Plot("countries", COUNTRIES, "Machines by country", "machines", (_BY,), kind=Kind.COUNTRY,
         whole=True),
    Plot("events", EVENTS, "Events settled", "events/s", (("settled", Measure.EVENTS_SETTLED),)),
    Plot("copies", EVENTS, "Copies of events", "events/s",
         (("received", Measure.EVENTS_RECEIVED), ("validated", Measure.EVENTS_VALIDATED))),
    _gauge("held", QUEUE, "Events on machines", "events", ("in hand", Gauge.EVENTS_IN_HAND),
           ("leased, not in hand", Gauge.EVENTS_LEASED)),
    _gauge("left", QUEUE, "Events left of running productions", "events",
           ("left", Gauge.EVENTS_LEFT)),
    Plot("bytes", EVENTS, "Bytes received", "B/s", (("received", Measure.BYTES_RECEIVED),)),
    Plot("credit", EVENTS, "Credit given", "core-hours/h", (("credit", Measure.CREDIT_MICROS),),
         per_s=AN_HOUR, scale=1e-6 / 3600),
    Plot("tasks", TASKS, "Ends of tasks", "tasks/h", ENDS, per_s=AN_HOUR),
    Plot("leased", TASKS, "Tasks leased", "tasks/h", (("leased", Measure.TASKS_LEASED),),
         per_s=AN_HOUR),
    _gauge("queue", QUEUE, "Tasks that wait and that run", "tasks",
           ("waiting", Gauge.TASKS_READY), ("leased", Gauge.LEASES)),
    Plot("ages", QUEUE, "Age of leases", "minutes", (("oldest", Gauge.LEASE_AGE_OLDEST_S),
         ("mean", Gauge.LEASE_AGE_MEAN_S)), scale=1 / 60),
    Plot("cpu", TASKS, "Cores at work", "cores", (("CPU time", Measure.CPU_MS),
         ("wall time", Measure.WALL_MS)), scale=1e-3),
    Plot("success", TASKS, "Tasks that delivered", "% of those that ended",
         (("delivered", Measure.TASKS_DELIVERED),), wholes=tuple(measure for _, measure in ENDS)),
    Plot("failures", TROUBLE, "Failed tasks by class", "tasks/h", (("", Measure.TASKS_FAILED),),
         per_s=AN_HOUR, kind=Kind.FAILURE),
    Plot("preemptions", TROUBLE, "Preemptions", "preemptions/h",
         (("preemptions", Measure.PREEMPTIONS),), per_s=AN_HOUR),
    Plot("recomputed", TROUBLE, "What preemptions cost", "% of events recomputed",
         (("recomputed", Measure.EVENTS_RECOMPUTED),), wholes=(Measure.EVENTS_RECEIVED,)),
    Plot("rejected", TROUBLE, "Copies rejected", "events/h",
         (("rejected", Measure.EVENTS_REJECTED),), per_s=AN_HOUR),
    Plot("aside", TROUBLE, "Events set aside", "events/h",
         (("set aside", Measure.EVENTS_SET_ASIDE),), per_s=AN_HOUR),
)  # fmt: skip
"""Every plot, in the order of the pages."""

OF_HOST = (
    Plot("given", MACHINES, "Its events", "events/day", (("agreed with", Measure.EVENTS_VALIDATED),
         ("rejected", Measure.EVENTS_REJECTED)), per_s=A_DAY),
    Plot("used", MACHINES, "Its cores at work", "cores", (("CPU time", Measure.CPU_MS),
         ("wall time", Measure.WALL_MS)), scale=1e-3),
)  # fmt: skip
"""What is drawn of one machine; its figures are kept by day."""

_NAMED = {plot.name: plot for plot in PLOTS}
WHOLE_POOL = (Kind.POOL, "")


@dataclass(frozen=True)
class Picture:
    """A plot over a span: its lines by name, each with a value every ``step_s`` from ``start``."""

    plot: Plot
    start: int
    step_s: int
    lines: tuple[tuple[str, Values], ...]


def named(name: str) -> Plot:
    """A plot by its name. Raises NotFound."""
    plot = _NAMED.get(name)
    if plot is None:
        raise NotFound("plot", name)
    return plot


async def exact(
    deps: Deps, plot: Plot, span: Span, of: tuple[Kind, str] = WHOLE_POOL
) -> list[tuple[str, Series]]:
    """The figures behind a plot as they are kept, each with its name."""
    if plot.kind is Kind.POOL:
        return [
            (name, await stats.series(deps, measure, span, *of)) for name, measure in plot.lines
        ]
    measure = plot.lines[0][1]
    keys = sorted(await _most(deps, measure, plot.kind, span))
    return [(key, await stats.series(deps, measure, span, plot.kind, key)) for key in keys]


async def _most(deps: Deps, measure: Measure | Gauge, kind: Kind, span: Span) -> list[str]:
    """The keys of a kind that have most over a span."""
    if isinstance(measure, Measure):
        split = await stats.split(deps, measure, span, kind)
        return sorted(split, key=lambda key: (-split[key], key))[:KEYS]
    frame = window(span, deps.clock(), kind, 0)
    begin = floor(frame.start, DAY)
    return await deps.store.read(
        lambda tx: figures.gauge_keys(tx, measure, kind, DAY, begin, frame.end, KEYS)
    )


async def picture(deps: Deps, plot: Plot, span: Span, of: tuple[Kind, str] = WHOLE_POOL) -> Picture:
    """A plot over a span that ends now, ready to be drawn, of the pool or of one thing in it."""
    found, now = await exact(deps, plot, span, of), deps.clock()
    if not found:
        return Picture(plot, int(now), HOUR, ())
    if plot.wholes:
        whole = [await stats.series(deps, measure, span) for measure in plot.wholes]
        drawn = [_fewer(one) for one in whole]
        parts = [_fewer(one) for _, one in found]
        line = shares([one.values for one in parts], [one.values for one in drawn])
        return Picture(plot, parts[0].start, parts[0].step_s, ((found[0][0], line),))
    lines = [(name, _fewer(one)) for name, one in found]
    first = lines[0][1]
    return Picture(
        plot, first.start, first.step_s, tuple((name, _said(plot, one, now)) for name, one in lines)
    )


def _fewer(one: Series) -> Series:
    put: Callable[[list[float]], float] = fmean if isinstance(one.measure, Gauge) else sum
    if one.measure in SEEN:  # different ones of several steps do not add up: the most are shown
        put = max
    values, start, step_s = coarser(one.values, one.start, one.step_s, POINTS, put)
    return replace(one, values=values, start=start, step_s=step_s)


def _said(plot: Plot, one: Series, now: float) -> Values:
    """The values of a line in the unit of its plot."""
    values = one.values
    if isinstance(one.measure, Measure):
        values = rates(values, one.start, one.step_s, now, plot.per_s)
    if plot.scale == 1.0:
        return values
    return [None if value is None else value * plot.scale for value in values]
