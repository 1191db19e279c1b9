"""What managers and administrators ask for: productions, payloads, accounts, hosts."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, OutputNotReady, Unsigned
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.ranges import send
from server.handlers.routes import BYTES, Body, Query, Reply, Route
from server.services import aside, merge, payloads, produce, verify
from server.services.deps import Deps
from server.services.look import Look, ProductionView, TaskView
from server.services.payloads import Bundle
from server.services.produce import Signed
from vmagent.wire import codec, jws, statements

STATEMENT = "Windfall-Statement"


@dataclass(frozen=True)
class ProductionRequest:
    """A production file, its signed manifest, and what a probe measured."""

    definition: str
    manifest: str
    plan_only: bool = False
    seconds_per_event: float | None = None
    bytes_per_event: float | None = None


@dataclass(frozen=True)
class PayloadView:
    """A bundle as people see it."""

    digest: str
    name: str
    version: str
    size: int
    added_at: float = 0.0


@dataclass(frozen=True)
class PlanView:
    """What a production comes to before it runs."""

    units: int
    events: int
    copies: int
    bytes: int | None
    core_hours: float | None


@dataclass(frozen=True)
class ProductionList:
    """Every production."""

    productions: list[ProductionView] = field(default_factory=list)


@dataclass(frozen=True)
class PayloadList:
    """Every bundle."""

    payloads: list[PayloadView] = field(default_factory=list)


@dataclass(frozen=True)
class TaskList:
    """Leases of a production, newest first."""

    tasks: list[TaskView] = field(default_factory=list)


@dataclass(frozen=True)
class VerifyView:
    """What re-reading an output found."""

    ok: bool
    events: int
    expected: int
    in_order: bool
    digest: str
    size: int
    faults: list[str] = field(default_factory=list)
    set_aside: int = 0


@dataclass(frozen=True)
class GiveBackRequest:
    """Which event set aside is to be tried again; none: all whose units are not written yet."""

    event: int | None = None


@dataclass(frozen=True)
class GivenBack:
    """How many events are tried again."""

    events: int


@dataclass(frozen=True)
class AdminApi:
    """The handlers of productions and payloads. ``trusted`` gives the release keys of today."""

    deps: Deps
    look: Look
    trusted: Callable[[], Mapping[str, str]]
    json_most: int
    payload_most: int

    def _verified(self, kind: str, text: str) -> dict[str, Any]:
        try:
            return jws.verify(kind, text, self.trusted())
        except jws.Unsigned as error:
            raise Unsigned(str(error)) from error

    async def put_payload(self, request: web.Request, caller: Caller, body: bytes) -> Reply:
        """Take a bundle in."""
        text = request.headers.get(STATEMENT, "")
        value = self._verified(statements.PAYLOAD, text)
        try:
            said = codec.build(value, statements.PayloadStatement, "statement")
        except codec.BadMessage as error:
            raise BadInput([str(error)]) from error
        if said.digest != request.match_info["digest"]:
            raise BadInput(["digest: the address and the statement name different bundles"])
        bundle = Bundle(said.name, said.version, said.digest, said.size, text)
        found = hashlib.sha256(body).hexdigest()
        row = await payloads.add(self.deps, bundle, body, found)
        view = PayloadView(row.digest, row.name, row.version, row.size, row.added_at)
        return Reply(view, 201)

    async def list_payloads(self, request: web.Request, caller: Caller) -> PayloadList:
        """Every bundle."""
        rows = await payloads.everyone(self.deps)
        return PayloadList(
            [PayloadView(r.digest, r.name, r.version, r.size, r.added_at) for r in rows]
        )

    async def create(
        self, request: web.Request, caller: Caller, message: ProductionRequest
    ) -> Reply | PlanView:
        """Plan or create a production."""
        value = self._verified(statements.MANIFEST, message.manifest)
        signed = Signed(message.manifest, jws.digest(message.manifest), value)
        if message.plan_only:
            plan = await produce.plan(
                self.deps,
                message.definition,
                signed,
                message.seconds_per_event,
                message.bytes_per_event,
            )
            return PlanView(**dataclasses.asdict(plan))
        number = await produce.create(self.deps, message.definition, signed)
        return Reply(await self.look.production(str(number)), 201)

    async def list_productions(self, request: web.Request, caller: Caller) -> ProductionList:
        """Every production."""
        return ProductionList((await self.look.pool()).productions)

    async def show(self, request: web.Request, caller: Caller) -> ProductionView:
        """One production."""
        return await self.look.production(request.match_info["name"])

    async def tasks(self, request: web.Request, caller: Caller) -> TaskList:
        """The latest leases of a production."""
        view = await self.look.production(request.match_info["name"])
        host = params.query_number(request, "host", 0, 0, 2**62)
        limit = params.query_number(request, "limit", 100, 1, 1000)
        state = request.query.get("state")
        return TaskList(await self.look.tasks(view.id, host or None, state, limit))

    async def move(self, request: web.Request, caller: Caller) -> ProductionView:
        """Pause, resume, release or abort a production."""
        name, cause = request.match_info["name"], request.match_info["cause"]
        row = await produce.move(self.deps, name, cause, caller.name)
        return await self.look.production(str(row.id))

    async def give_back(
        self, request: web.Request, caller: Caller, message: GiveBackRequest
    ) -> GivenBack:
        """Have events that were set aside tried again."""
        row = await produce.find(self.deps, request.match_info["name"])
        given = await aside.give_back(self.deps, row, message.event, caller.name)
        return GivenBack(sum(part.last - part.first for part in given))

    async def verify(self, request: web.Request, caller: Caller) -> VerifyView:
        """Re-read the merged output of a production."""
        row = await produce.find(self.deps, request.match_info["name"])
        found = await verify.verify(self.deps, row)
        return VerifyView(**dataclasses.asdict(found))

    async def output(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        """The merged output of a production."""
        row = await produce.find(self.deps, request.match_info["name"])
        if row.output_size is None or row.output_digest is None:
            raise OutputNotReady(row.name, row.state, row.events_settled, row.events)

        def stream(offset: int, count: int) -> AsyncIterator[bytes]:
            return merge.stream(self.deps, row, offset, count)

        name = merge.file_name(row)
        return await send(request, stream, row.output_size, row.output_digest, BYTES, name)

    def routes(self) -> list[Route]:
        """Every route of productions and payloads."""
        base, manager = "/api/v1", Role("manager")
        one = f"{base}/productions/{{name:[a-zA-Z0-9_.-]{{1,100}}}}"
        return [
            Route("PUT", f"{base}/payloads/{{digest:[0-9a-f]{{64}}}}", self.put_payload, manager,
                  "Add a signed payload bundle.", Body.WHOLE, reply=PayloadView, status=201,
                  most=self.payload_most, slowest=600.0, headers=(STATEMENT,),
                  codes=("unsigned", "digest-mismatch", "bad-input", "exists")),
            Route("GET", f"{base}/payloads", self.list_payloads, manager,
                  "Every payload bundle.", reply=PayloadList),
            Route("POST", f"{base}/productions", self.create, manager,
                  "Plan or create a production.", Body.JSON, ProductionRequest,
                  PlanView, also={201: ProductionView}, most=self.json_most,
                  codes=("unsigned", "bad-input", "bad-definition", "exists")),
            Route("GET", f"{base}/productions", self.list_productions, manager,
                  "Every production.", reply=ProductionList),
            Route("GET", one, self.show, manager, "One production.",
                  reply=ProductionView, codes=("production-unknown",)),
            Route("GET", f"{one}/tasks", self.tasks, manager, "Its latest leases.",
                  reply=TaskList, codes=("production-unknown",),
                  query=(Query("host", "integer", "Only of this host."),
                         Query("state", "string", "Only in this state."),
                         Query("limit", "integer", "At most so many.", 100))),
            Route("POST", f"{one}/{{cause:pause|resume|release|abort}}", self.move, manager,
                  "Pause, resume, release or abort a production.", reply=ProductionView,
                  codes=("production-unknown", "illegal-move")),
            Route("POST", f"{one}/give-back", self.give_back, Role("operator"),
                  "Have events that were set aside tried again.",
                  Body.JSON, GiveBackRequest, GivenBack,
                  codes=("production-unknown", "event-unknown", "already-written")),
            Route("POST", f"{one}/verify", self.verify, manager,
                  "Re-read the merged output.", reply=VerifyView,
                  codes=("production-unknown", "output-not-ready")),
            Route("GET", f"{one}/output", self.output, manager, "The merged output.",
                  media=BYTES, head=True, codes=("production-unknown", "output-not-ready",
                                                 "out-of-range")),
        ]  # fmt: skip
