"""Operations over HTTP: the overview, alerts acknowledged and muted, backups."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.alert import MUTE_MOST_S
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.routes import Body, Query, Reply, Route
from server.services.deps import Deps
from server.services.upkeep import alerts, backups, overview, telling
from server.services.upkeep.alerts import AlertView
from server.services.upkeep.backups import Backup
from server.services.upkeep.overview import Overview
from server.services.upkeep.telling import Tried
from vmagent.wire.messages import bound

MOST = 500


@dataclass(frozen=True)
class AlertList:
    """Alerts: those that stand, what bothers first; or those that are over, newest first."""

    alerts: list[AlertView] = field(default_factory=list)


@dataclass(frozen=True)
class StepView:
    """A step of an alert."""

    at: float
    source: str
    target: str
    cause: str


@dataclass(frozen=True)
class AlertStory:
    """An alert, and its latest steps, newest first."""

    alert: AlertView
    steps: list[StepView] = field(default_factory=list)


@dataclass(frozen=True)
class MuteRequest:
    """For how long nobody is to be told; 0 ends it."""

    seconds: float = field(metadata=bound(least=0, most=MUTE_MOST_S))


@dataclass(frozen=True)
class TriedList:
    """The ways to tell people, and which of them did not work, and why."""

    ways: list[Tried] = field(default_factory=list)


@dataclass(frozen=True)
class BackupList:
    """The latest backups, newest first."""

    backups: list[Backup] = field(default_factory=list)


@dataclass(frozen=True)
class UpkeepApi:
    """The handlers."""

    deps: Deps

    async def overview(self, request: web.Request, caller: Caller) -> Overview:
        """Operations now."""
        return await overview.overview(self.deps)

    async def alerts(self, request: web.Request, caller: Caller) -> AlertList:
        """The alerts."""
        over = params.query_number(request, "over", 0, 0, 1)
        before = params.query_number(request, "before", 0, 0, 2**62)
        limit = params.query_number(request, "limit", 100, 1, MOST)
        return AlertList(await alerts.listed(self.deps, bool(over), before, limit))

    async def show(self, request: web.Request, caller: Caller) -> AlertStory:
        """One alert."""
        found, steps = await alerts.show(self.deps, params.path_number(request, "alert"))
        return AlertStory(found, [StepView(s.at, s.source, s.target, s.cause) for s in steps])

    async def acknowledge(self, request: web.Request, caller: Caller) -> AlertView:
        """Take an alert on."""
        number = params.path_number(request, "alert")
        return await alerts.acknowledge(self.deps, number, caller.name)

    async def mute(self, request: web.Request, caller: Caller, message: MuteRequest) -> AlertView:
        """Tell nobody of an alert for a while."""
        number = params.path_number(request, "alert")
        return await alerts.mute(self.deps, number, message.seconds, caller.name)

    async def try_out(self, request: web.Request, caller: Caller) -> TriedList:
        """Send a test message."""
        return TriedList(await telling.try_out(self.deps, caller.name))

    async def backups(self, request: web.Request, caller: Caller) -> BackupList:
        """The backups."""
        limit = params.query_number(request, "limit", 50, 1, MOST)
        return BackupList(await backups.listed(self.deps, limit))

    async def back_up(self, request: web.Request, caller: Caller) -> Reply:
        """Make a backup now."""
        return Reply(await backups.make(self.deps, caller.name), 201)

    def routes(self) -> list[Route]:
        """Every route."""
        base, operator, admin = "/api/v1", Role("operator"), Role("admin")
        one = f"{base}/alerts/{{alert:{params.ID}}}"
        return [
            Route("GET", f"{base}/operations", self.overview, operator,
                  "Whether all is well, and all that is watched.", reply=Overview),
            Route("GET", f"{base}/alerts", self.alerts, operator, "The alerts.", reply=AlertList,
                  codes=("bad-parameter",), query=(
                      Query("over", "integer", "1: those that are over.", 0),
                      Query("before", "integer", "Of those: numbers below this.", 0),
                      Query("limit", "integer", "At most so many.", 100))),
            Route("POST", f"{base}/alerts/test", self.try_out, operator,
                  "Send a test message by every way in which people are told.", reply=TriedList,
                  codes=("nobody-told",)),
            Route("GET", one, self.show, operator, "One alert, with its steps.", reply=AlertStory,
                  codes=("alert-unknown",)),
            Route("POST", f"{one}/ack", self.acknowledge, operator, "Take an alert on.",
                  reply=AlertView, codes=("alert-unknown", "illegal-move")),
            Route("POST", f"{one}/mute", self.mute, operator,
                  "Tell nobody of an alert for a while.", Body.JSON, MuteRequest, AlertView,
                  codes=("alert-unknown", "bad-input")),
            Route("GET", f"{base}/backups", self.backups, operator, "The latest backups.",
                  reply=BackupList, codes=("bad-parameter",),
                  query=(Query("limit", "integer", "At most so many.", 50),)),
            Route("POST", f"{base}/backups", self.back_up, admin,
                  "Make a backup of the database now, and look it over.", reply=Backup, status=201,
                  codes=("no-backups", "backup-failed")),
        ]  # fmt: skip
