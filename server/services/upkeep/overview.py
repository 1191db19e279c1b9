"""Operations at one glance: the line on top, the boxes, alerts, disks, duties, routes, backups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from server.db import backups
from server.db.backups import Backup
from server.db.base import Tx
from server.domain.alert import Alert, Level
from server.domain.upkeep import Paper, Space
from server.services.deps import Deps
from server.services.upkeep import alerts, boxes
from server.services.upkeep.alerts import AlertView
from server.services.upkeep.boxes import LOOKS, Box
from server.services.upkeep.meter import Speed
from server.services.upkeep.rounds import Round
from server.services.upkeep.signs import minutes

ALERTS_MOST = 100
ROUTES = 8
BACKUPS = 10


@dataclass(frozen=True)
class SpaceView:
    """A watched disk in bytes; ``share`` is what is left of it, ``look`` good, warn or bad."""

    path: str
    size: int
    left: int
    share: float
    look: str
    why: str


WORDS: Mapping[str, str] = MappingProxyType(
    {
        "judge": "copies of events are compared and settled",
        "merge": "outputs of finished productions are written",
        "plot": "histograms of productions are filled",
        "scan": "logs are read with the patterns",
        "reap": "leases that ran out are ended",
        "hasten": "the end of productions is hurried on",
        "index": "frames get their rows",
        "close": "full segments are closed",
        "sweep": "segments nobody needs are deleted",
        "keys": "keys and the certificate are read again",
        "pairings": "PINs that ran out are ended",
        "tries": "old wrong tries are forgotten",
        "tidy": "contexts and boards are tidied",
        "sessions": "sessions that are over are deleted",
        "watch": "everything here is looked at",
        "tell": "people are told of alerts",
        "backup": "the database is copied",
        "forget": "old alerts are deleted",
        "figures": "statistics are added up",
        "bulk": "what many machines are told is sent when its time has come",
        "export": "files for BOINC's statistics sites are written",
        "tokens": "tokens that machines have changed are forgotten",
        "thin": "old statistics are made coarser",
        "gauges": "the pool is counted each minute",
    }
)
"""What duties do, in words."""


@dataclass(frozen=True)
class DutyView:
    """A background duty; ``every_s`` is None if it waits until it is called."""

    name: str
    words: str
    look: str
    every_s: float | None
    done_at: float
    took_s: float
    made: int
    failed: int
    why: str


@dataclass(frozen=True)
class RouteView:
    """A route in the last quarter of an hour; ``slowest_s`` is None above ten seconds.

    One in twenty answers took longer than the bound below ``slowest_s``.
    """

    method: str
    path: str
    count: int
    failed: int
    mean_s: float
    slowest_s: float | None
    is_slow: bool


@dataclass(frozen=True)
class PaperView:
    """A certificate or key, and when it ends."""

    kind: str
    name: str
    ends_at: float
    look: str


@dataclass(frozen=True)
class BackupsView:
    """Backups: the schedule in words, how it looks, and the latest."""

    words: str
    look: str
    place: str
    every_s: float
    keep: int
    latest: list[Backup]


@dataclass(frozen=True)
class WayView:
    """A way in which people are told; ``why`` the last message did not arrive, else empty."""

    way: str
    why: str


@dataclass(frozen=True)
class Overview:
    """Everything; ``look`` is good, warn or bad, and ``said`` the line on top."""

    now: float
    looked_at: float
    look: str
    said: str
    parts: list[Box]
    sites: list[Box]
    alerts: list[AlertView]
    spaces: list[SpaceView]
    papers: list[PaperView]
    duties: list[DutyView]
    routes: list[RouteView]
    backups: BackupsView
    ways: list[WayView]


async def overview(deps: Deps) -> Overview:
    """Operations now."""
    desk, now = deps.upkeep, deps.clock()

    async def read(tx: Tx) -> list[Backup]:
        return await backups.latest(tx, BACKUPS)

    standing = alerts.standing(deps)
    look, said = verdict(standing, desk.looked_at, now)
    limits = desk.thresholds
    return Overview(
        now, desk.looked_at, look, said, boxes.parts(deps, now), list(boxes.sites(deps, now)),
        [alerts.view_of(one, now) for one in standing[:ALERTS_MOST]],
        [_space(one, LOOKS[limits.space(one.share)]) for one in desk.spaces],
        [_paper(p, LOOKS[limits.expiry(p.ends_at - now)]) for p in _soonest(desk.known_papers)],
        [_duty(one, now) for one in desk.rounds.known.values()],
        [_route(one, limits.slow_s) for one in desk.meter.lately()[:ROUTES]],
        _backups(deps, await deps.store.read(read), now),
        [WayView(one.name, desk.faults.get(one.name, "")) for one in desk.channels],
    )  # fmt: skip


def verdict(standing: Sequence[Alert], looked_at: float, now: float) -> tuple[str, str]:
    """The line on top: all well, or what to do first."""
    wanting = [alert for alert in standing if alert.bothers(now)]
    if not looked_at:
        return "warn", "Not looked yet; a moment."
    if wanting:
        first = wanting[0].sign
        more = f" And {len(wanting) - 1} more below." if len(wanting) > 1 else ""
        look = LOOKS[max((one.sign.level for one in wanting), key=lambda level: level.rank)]
        return look, f"{first.cause}. {first.cure}{more}"
    known = [one for one in standing if one.sign.level is not Level.NOTE]
    if known:
        number = f"{len(known)} thing{'s' * (len(known) > 1)}"
        return "good", f"Nothing new; {number} that somebody has taken on, or muted, below."
    return "good", "All well."


def _space(one: Space, look: str) -> SpaceView:
    look = "warn" if one.why else look
    return SpaceView(one.path, one.size, one.left, one.share, look, one.why)


def _soonest(papers: Sequence[Paper]) -> list[Paper]:
    return sorted(papers, key=lambda one: one.ends_at)


def _paper(one: Paper, look: str) -> PaperView:
    return PaperView(one.kind, one.name, one.ends_at, look)


def _duty(one: Round, now: float) -> DutyView:
    look = "bad" if one.late_by(now) else "warn" if one.failures else "good"
    every = None if math.isinf(one.every_s) else one.every_s
    why = one.why if one.failures else ""
    words = WORDS.get(one.name, "")
    return DutyView(
        one.name, words, look, every, one.done_at, one.took_s, one.made, one.failed, why
    )


def _route(one: Speed, slow_s: float) -> RouteView:
    slowest = None if math.isinf(one.slowest_s) else one.slowest_s
    return RouteView(
        one.method, one.path, one.count, one.failed, one.mean_s, slowest, one.slowest_s > slow_s
    )


def _backups(deps: Deps, latest: list[Backup], now: float) -> BackupsView:
    schedule = deps.upkeep.schedule
    whole = next((one for one in latest if one.state == "whole"), None)
    look, words = "good", ""
    if schedule.elsewhere:
        words = "Somebody else makes backups (backup.elsewhere)."
    elif whole is not None:
        words = f"The last one is {minutes(now - whole.ended_at)} old."
        look = "warn" if now - whole.ended_at > schedule.late_after() else "good"
    else:
        words = "No backup is known yet."
        look = "off"
    if not schedule.elsewhere and not schedule.every_s:
        look, words = "warn", f"{words} None is made by itself (backup.every_hours is 0)."
    return BackupsView(words, look, schedule.place, schedule.every_s, schedule.keep, latest)
