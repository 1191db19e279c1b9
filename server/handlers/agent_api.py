"""What hosts say and hear: joining, asking, reporting, signs of life, commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from aiohttp import web

from server.domain.errors import TokenCloned
from server.domain.giving import Power
from server.domain.match import Facts
from server.handlers import params
from server.handlers.access import Host, Public
from server.handlers.door import DOOR
from server.handlers.routes import JOSE, NO_STORE, Body, Query, Reply, Route
from server.handlers.schema import maker
from server.services import agentbans, dispatch, enrol, payloads, powers, report
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.factsheet import Sheet
from server.services.taskview import TaskView
from vmagent.wire import messages as m

log = logging.getLogger("windfall.agents")
WAIT_MOST = 55.0  # seconds a long poll may last: below the idle limit of common proxies


_ask_reply = maker(m.AskReply)
_heartbeat_reply = maker(m.HeartbeatReply)
_commands_reply = maker(m.CommandsReply)


def state_of(view: TaskView) -> m.TaskState:
    """A task in the words of the wire: a view has the same fields, and is sent as it is."""
    return cast(m.TaskState, view)


def commands_of(card: HostCard) -> list[m.Command]:
    """The commands that a host has not acknowledged yet."""
    if not card.orders:
        return []
    return [m.Command(o.seq, o.name, o.args) for o in card.orders]


def _cloned(card: HostCard) -> TokenCloned:
    log.warning("two agents with one token", extra={"action": "cloned", "host": card.id})
    return TokenCloned()


def sheet_of(facts: m.HostFacts) -> Sheet:
    """What a host says of itself, as the use cases want it."""
    kept = Facts(
        facts.cores,
        facts.memory_mb,
        facts.disk_mb,
        facts.arch,
        tuple(facts.paths),
        facts.sandbox,
        facts.network,
    )
    return Sheet(kept, facts.agent, facts.system, facts.libc, facts.python)


@dataclass(frozen=True)
class AgentApi:
    """The handlers of hosts. ``keys`` are the key statements, oldest first."""

    deps: Deps
    keys: Callable[[], tuple[str, ...]]
    json_most: int

    async def enrol(self, request: web.Request, message: m.EnrolRequest) -> Reply:
        """A machine joins with an enrolment token."""
        address = request.app[DOOR].address(request)
        self.deps.doorway.joins.take(address, self.deps.clock())
        agentbans.welcome(self.deps, message.facts.agent)
        joined = await enrol.enrol(
            self.deps,
            message.request,
            message.token,
            message.name,
            sheet_of(message.facts),
            address,
        )
        reply = m.Enrolled(
            joined.host, joined.token, joined.account, list(self.keys()), self.deps.clock()
        )
        return Reply(reply, 201, NO_STORE)

    async def key_list(self, request: web.Request) -> m.KeyList:
        """What agents pin."""
        return m.KeyList(list(self.keys()))

    async def work(self, request: web.Request, card: HostCard, message: m.AskRequest) -> m.AskReply:
        """Leases for a host."""
        return await self.lease(card, message)

    async def lease(self, card: HostCard, message: m.AskRequest) -> m.AskReply:
        """Leases for a host, without its request."""
        card.seen_at = now = self.deps.clock()
        if not card.speaks(message.instance, now):
            raise _cloned(card)
        if message.seq > card.acked:
            card.heard(message.seq, self.deps.registry.seq)
        if message.sandbox:
            card.runs_in(message.sandbox, message.network)
        if message.agent and message.agent != card.agent:
            await agentbans.heard(self.deps, card, message.agent)
        if card.barred is not None:
            agentbans.admit(self.deps, card)
        card.doing = card.why = ""  # who asks for work does not rest
        offer = await dispatch.lease(self.deps, card, message)
        if message.hs06 is not None and (message.hs06, message.hepscore23) != card.power:
            power = Power(message.hs06, message.hepscore23 or 0.0)
            await powers.heard(self.deps, card, power)
        sealed = offer.sealed
        if sealed is None:
            return _ask_reply(
                now, [], None, list(offer.probes), offer.retry_after, commands_of(card)
            )
        return _ask_reply(now, sealed.leases(), sealed.proof(), [], 0.0, commands_of(card))

    async def classes(self, request: web.Request, card: HostCard, message: m.ClassReport) -> None:
        """The class of a host for a manifest, or that it has none."""
        if message.failed:
            report.cannot(self.deps, card, message.manifest, message.failed, message.log)
            return
        await report.classify(
            self.deps, card, message.manifest, message.digest, message.seconds_per_event
        )

    async def manifest(self, request: web.Request, card: HostCard) -> web.Response:
        """A signed manifest."""
        text = await payloads.manifest(self.deps, request.match_info["digest"])
        return web.Response(text=text, content_type=JOSE)

    async def task(self, request: web.Request, card: HostCard) -> m.TaskState:
        """A task of the host."""
        number = params.path_number(request, "task")
        return state_of(await report.task_state(self.deps, card, number))

    async def end(
        self, request: web.Request, card: HostCard, message: m.ReportRequest
    ) -> m.ReportReply:
        """The end of a task as its host saw it."""
        said = report.Report(
            message.outcome,
            message.reason,
            message.cpu_s,
            message.wall_s,
            message.log,
            tuple((f.first, f.last, f.word) for f in message.failures),
        )
        number = params.path_number(request, "task")
        view = await report.report(self.deps, card, number, said)
        return m.ReportReply(state_of(view), commands_of(card))

    async def heartbeat(
        self, request: web.Request, card: HostCard, message: m.HeartbeatRequest
    ) -> m.HeartbeatReply:
        """A sign of life."""
        return await self.beat(card, message)

    async def beat(self, card: HostCard, message: m.HeartbeatRequest) -> m.HeartbeatReply:
        """A sign of life; nothing is written, so nothing is waited for."""
        now = self.deps.clock()
        card.beats.take(now, self.deps.limits.beats_per_minute)
        if not card.speaks(message.instance, now):
            raise _cloned(card)
        if message.seq > card.acked:
            card.heard(message.seq, self.deps.registry.seq)
        card.doing, card.why = message.doing, message.why
        views = report.heartbeat(
            self.deps, card, [(task.task, task.done) for task in message.tasks]
        )
        return _heartbeat_reply(now, [state_of(view) for view in views], commands_of(card))

    async def commands(self, request: web.Request, card: HostCard) -> m.CommandsReply:
        """A long poll: back at once with commands after ``since``, else when one comes.

        To ask for what comes after a command is to say that it was heard.
        """
        since = params.query_number(request, "since", 0, 0, 2**62)
        wait = params.query_number(request, "wait", 25.0, 0.0, WAIT_MOST)
        card.seen_at = self.deps.clock()
        self.deps.census.came(card, request.app[DOOR].address(request))
        card.polls.take(card.seen_at, self.deps.limits.polls_per_minute)
        card.heard(since, self.deps.registry.seq)
        # One poll of a host waits at a time: a newer one ends the older.
        card.woken.set()
        card.woken.clear()
        if not card.orders and wait and not self.deps.registry.closing:
            try:
                async with asyncio.timeout(wait):
                    await card.woken.wait()
            except TimeoutError:
                pass
        return _commands_reply(commands_of(card))

    def routes(self) -> list[Route]:
        """Every route of hosts."""
        base, host, digest = "/api/v1", Host(), r"{digest:[0-9a-f]{64}}"
        task = r"/api/v1/tasks/{task:" + params.ID + "}"
        long_poll = (
            Query("since", "integer", "Commands after this sequence number.", 0),
            Query("wait", "number", "Seconds to wait for one.", 25),
        )
        most = self.json_most
        return [
            Route("POST", f"{base}/hosts", self.enrol, Public(), "A machine joins.",
                  Body.JSON, m.EnrolRequest, m.Enrolled, 201,
                  codes=("token-unknown", "token-used", "token-expired", "token-revoked",
                         "token-elsewhere", "bad-input", "agent-banned", "too-many")),
            Route("GET", f"{base}/keys", self.key_list, Public(),
                  "The key statements that agents pin, oldest first.", reply=m.KeyList),
            Route("POST", f"{base}/work", self.work, host, "Ask for leases.",
                  Body.JSON, m.AskRequest, m.AskReply, most=most,
                  codes=("too-many", "disk-full", "token-cloned", "agent-banned")),
            Route("POST", f"{base}/classes", self.classes, host,
                  "The digest of the reference events on this host.",
                  Body.JSON, m.ClassReport, status=204, most=most, codes=("manifest-unknown",)),
            Route("GET", f"{base}/manifests/{digest}", self.manifest, host,
                  "A signed manifest.", media=JOSE, codes=("manifest-unknown",)),
            Route("GET", task, self.task, host, "A task and what is in hand of it.",
                  reply=m.TaskState, codes=("task-unknown", "not-yours")),
            Route("POST", f"{task}/report", self.end, host, "The end of a task.",
                  Body.JSON, m.ReportRequest, m.ReportReply, most=most,
                  codes=("task-unknown", "not-yours", "undelivered")),
            Route("POST", f"{base}/heartbeat", self.heartbeat, host,
                  "A sign of life that renews leases.",
                  Body.JSON, m.HeartbeatRequest, m.HeartbeatReply, most=most,
                  codes=("token-cloned", "too-many")),
            Route("GET", f"{base}/commands", self.commands, host,
                  "Commands, as a long poll.", reply=m.CommandsReply, query=long_poll,
                  codes=("too-many",)),
        ]  # fmt: skip
