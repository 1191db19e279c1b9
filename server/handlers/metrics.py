"""Figures for Prometheus: counters of the pool, gauges of what is in memory, routes, duties.

Names and units are those of its conventions (seconds, bytes, ``_total``); docs/operations.md lists
them, and docs/grafana.json draws them.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from server.domain.errors import Forbidden
from server.domain.rollup import Kind, Measure
from server.handlers.access import Gate, Public
from server.handlers.errors import NothingHere
from server.handlers.mount import admit
from server.handlers.routes import Route
from server.handlers.strangers import Strangers
from server.services import stats
from server.services.deps import Deps
from server.services.lately import Lately
from server.services.stats import Now
from server.services.upkeep.boxes import heard_by_site
from server.services.upkeep.meter import EDGES, Tally

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily, Metric

KEPT_S = 1.0  # however often it is asked for, it is made once a second
FORMS = 2  # in which it may be asked for
MEDIA = "text/plain"
OPENMETRICS = "application/openmetrics-text"
VERSION = "; version=1.0.0"  # of it, whichever is asked for
_SCALE = 1000.0
COUNTERS = {
    Measure.EVENTS_SETTLED: ("events_settled", "Events settled.", 1.0),
    Measure.EVENTS_VALIDATED: ("events_validated", "Copies of events that were credited.", 1.0),
    Measure.EVENTS_REJECTED: ("events_rejected", "Copies of events that disagreed.", 1.0),
    Measure.EVENTS_SET_ASIDE: ("events_set_aside", "Events set aside.", 1.0),
    Measure.EVENTS_RECEIVED: ("events_received", "Copies of events received.", 1.0),
    Measure.EVENTS_RECOMPUTED: ("events_recomputed", "Events computed again.", 1.0),
    Measure.FRAMES: ("frames", "Frames received.", 1.0),
    Measure.BYTES_RECEIVED: ("received_bytes", "Bytes of frames received.", 1.0),
    Measure.TASKS_LEASED: ("tasks_leased", "Leases given.", 1.0),
    Measure.TASKS_DELIVERED: ("tasks_delivered", "Leases delivered.", 1.0),
    Measure.TASKS_RETURNED: ("tasks_returned", "Leases given back.", 1.0),
    Measure.TASKS_EXPIRED: ("tasks_expired", "Leases that ran out.", 1.0),
    Measure.TASKS_FAILED: ("tasks_failed", "Leases that failed.", 1.0),
    Measure.TASKS_ABORTED: ("tasks_aborted", "Leases aborted.", 1.0),
    Measure.PREEMPTIONS: ("preemptions", "Leases that ended early, with work left.", 1.0),
    Measure.CPU_MS: ("cpu_seconds", "Processor time of payloads.", _SCALE),
    Measure.WALL_MS: ("wall_seconds", "Wall time of leases.", _SCALE),
    Measure.CREDIT_MICROS: ("credit", "Credit given.", 1e6),
}
"""The counters of the pool: name, help, and by what a figure is divided."""
WORDS = {
    Kind.SITE: "site",
    Kind.COUNTRY: "country",
    Kind.STATE: "state",
    Kind.MACHINE: "kind",
    Kind.AGENT: "agent",
}
"""By what machines are told apart, and the label."""


class NotFromHere(Forbidden):
    """Figures are read from the server's own machine alone (metrics.access = loopback)."""

    def __init__(self) -> None:
        """Without a role that would help."""
        super().__init__("operator")
        self.args = (self.__doc__,)


@dataclass(frozen=True)
class Metrics:
    """The handler; ``access`` is off, loopback, token or public."""

    deps: Deps
    gate: Gate
    strangers: Strangers
    version: str
    access: str = "token"
    kept: Lately[str, bytes] = field(default_factory=lambda: Lately(KEPT_S, FORMS))

    async def show(self, request: web.Request) -> web.Response:
        """The figures."""
        await self._admit(request)
        from prometheus_client.exposition import choose_encoder

        # One of two forms: who makes up versions would have it made anew each time.
        asked = OPENMETRICS in request.headers.get(hdrs.ACCEPT, "")
        encode, media = choose_encoder(OPENMETRICS + VERSION if asked else "")

        async def made() -> bytes:
            return encode(Families(await families(self.deps, self.version)))

        text = await self.kept.of(media, made)
        headers = {"Content-Type": media, "Cache-Control": "no-store",
                   "X-Content-Type-Options": "nosniff"}  # fmt: skip
        return web.Response(body=text, headers=headers)

    async def _admit(self, request: web.Request) -> None:
        """Raises NothingHere, Forbidden, and what a wrong token does."""
        if self.access == "off":
            raise NothingHere("There are no figures here (metrics.access = off).")
        if self.access == "token":
            await admit(request, self.gate, "operator", "read", self.strangers)
        if self.access == "loopback" and not is_near(request):
            raise NotFromHere()

    def routes(self) -> list[Route]:
        """Its route."""
        return [
            Route("GET", "/metrics", self.show, Public(), "Figures for Prometheus.", media=MEDIA,
                  codes=("not-found", "forbidden", "token-missing", "token-unknown",
                         "token-revoked", "token-expired", "scope-missing", "too-many")),
        ]  # fmt: skip


def is_near(request: web.Request) -> bool:
    """Whether a request comes from this machine, and by no proxy."""
    passed_on = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via"))
    try:
        return not passed_on and ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


class Families:
    """What the official client writes: a collector of these families."""

    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """Each of them."""
        return self._found


async def families(deps: Deps, version: str) -> list[Metric]:
    """Every figure as it is now."""
    from prometheus_client import PROCESS_COLLECTOR

    now, totals = await stats.now(deps), await stats.totals(deps)
    return [
        *_pool(now),
        *_counters(totals),
        *_routes(list(deps.upkeep.meter.tallies.values())),
        *_upkeep(deps, version),
        *PROCESS_COLLECTOR.collect(),
    ]


def _counters(totals: dict[Measure, int]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for measure, (name, told, scale) in COUNTERS.items():
        yield CounterMetricFamily(f"windfall_{name}", told, value=totals.get(measure, 0) / scale)


def _pool(now: Now) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    for name, told, value in (
        ("hosts", "Machines that are paired.", now.hosts),
        ("machines", "Machines heard of in the last 90 s.", now.machines),
        ("machines_working", "Machines that work.", now.working),
        ("cores", "Cores of the machines that are here.", now.cores),
        ("memory_bytes", "Memory of the machines that are here.", now.memory_mb * 2**20),
        ("leases", "Leases that run.", now.leases),
        ("lease_age_oldest_seconds", "Age of the oldest lease.", now.lease_age_oldest_s),
        ("lease_age_mean_seconds", "Mean age of leases.", now.lease_age_mean_s),
        ("tasks_ready", "Tasks in memory that wait for a machine.", now.tasks_ready),
        ("events_in_hand", "Events in hand of leases that run.", now.events_in_hand),
        ("events_leased", "Events leased and not in hand.", now.events_leased),
        ("events_left", "Events of active productions not settled.", now.events_left),
    ):
        yield GaugeMetricFamily(f"windfall_{name}", told, value=value)
    for kind, label in WORDS.items():
        told = f"Machines heard of in the last 90 s, by {label}."
        family = GaugeMetricFamily(f"windfall_machines_by_{label}", told, labels=[label])
        for word, count in now.by.get(kind, {}).items():
            family.add_metric([word], count)
        yield family


def _routes(tallies: list[Tally]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    labels = ["method", "route"]
    asked = CounterMetricFamily("windfall_http_requests", "Requests.", labels=labels)
    failed = CounterMetricFamily(
        "windfall_http_request_failures", "Requests answered with 500.", labels=labels
    )
    took = HistogramMetricFamily(
        "windfall_http_request_duration_seconds",
        "Times of answers; of asks, signs of life and frames one in 64 is timed.",
        labels=labels,
    )
    for one in tallies:
        if not one.count:
            continue
        route = [one.method, one.path]
        asked.add_metric(route, one.count)
        failed.add_metric(route, one.failed)
        took.add_metric(route, _buckets(one), one.seconds)
    yield from (asked, failed, took)


def _buckets(one: Tally) -> list[tuple[str, float]]:
    """Buckets as Prometheus has them: each with all below it."""
    below, found = 0, []
    for edge, count in zip((*map(str, EDGES), "+Inf"), one.buckets, strict=True):
        below += count
        found.append((edge, float(below)))
    return found


def _upkeep(deps: Deps, version: str) -> Iterator[Metric]:
    """What operators watch."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    desk = deps.upkeep
    yield InfoMetricFamily("windfall_build", "The program.", value={"version": version})
    rounds = CounterMetricFamily("windfall_duty_rounds", "Rounds of a duty.", labels=["duty"])
    fails = CounterMetricFamily("windfall_duty_failures", "Rounds that failed.", labels=["duty"])
    done = _gauge("duty_last_success_timestamp_seconds", "When a round was done last.", "duty")
    for one in desk.rounds.known.values():
        rounds.add_metric([one.name], one.made)
        fails.add_metric([one.name], one.failed)
        done.add_metric([one.name], one.done_at)
    standing = GaugeMetricFamily("windfall_alerts", "Alerts.", labels=["level", "state"])
    for (level, state), count in Counter(
        (str(a.sign.level), str(a.state)) for a in desk.alerts.values() if a.stands
    ).items():
        standing.add_metric([level, state], count)
    left = _gauge("disk_free_bytes", "Space left on a watched disk.", "path")
    size = _gauge("disk_size_bytes", "Size of a watched disk.", "path")
    for space in desk.spaces:
        left.add_metric([space.path], space.left)
        size.add_metric([space.path], space.size)
    ends = _gauge("expiry_timestamp_seconds", "When a certificate or key ends.", "name")
    for paper in desk.known_papers:
        ends.add_metric([paper.name], paper.ends_at)
    up = _gauge("part_up", "Whether a part answers.", "part")
    for name, probe in desk.probes.items():
        up.add_metric([name], not probe.why)
    site = _gauge("site_last_seen_timestamp_seconds", "When a site was heard of last.", "site")
    for name, at in heard_by_site(deps).items():
        site.add_metric([name], at)
    backup = GaugeMetricFamily(
        "windfall_backup_last_success_timestamp_seconds", "When the last backup was made.",
        value=desk.last_backup_at,
    )  # fmt: skip
    yield from (rounds, fails, done, standing, left, size, ends, up, site, backup)


def _gauge(name: str, told: str, label: str) -> GaugeMetricFamily:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(f"windfall_{name}", told, labels=[label])
