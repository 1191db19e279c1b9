"""Pairing over HTTP: what an owner does with his API token, and what a machine does with none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import segno
from aiohttp import web

from server.domain.errors import Refusal
from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Public, Role, bearer
from server.handlers.agent_api import sheet_of
from server.handlers.door import DOOR
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services import enrol, machines, pairing, presenting
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.desk import Rendering
from server.services.pairing import PairingView, Wish
from vmagent.wire import jws
from vmagent.wire import pairing as p
from vmagent.wire.messages import bound

log = logging.getLogger("windfall.pairing")
HANDLE_MOST = 32
HANDLE = rf"[A-Za-z0-9_-]{{22,{HANDLE_MOST}}}"
WAIT_MOST = 55.0
HEARTBEAT_S = 30.0  # a machine that was paired by a person is looked at: it shall be heard of soon
_NEW = ("bad-input", "context-unknown", "site-unknown")


@dataclass(frozen=True)
class PairingRequest:
    """A new PIN; the pairing ``instead`` of which it is, is cancelled."""

    context_id: str = field(default="", metadata=bound(most=64))
    revision: int = field(default=0, metadata=bound(least=0, most=2**31))
    site: str = field(default="", metadata=bound(most=64))
    name: str = field(default="", metadata=bound(most=100))
    instead: str = field(default="", metadata=bound(most=HANDLE_MOST))


@dataclass(frozen=True)
class CodeRequest:
    """A code as a machine shows it, and what the machine shall become."""

    code: str = field(metadata=bound(most=40))
    context_id: str = field(default="", metadata=bound(most=64))
    revision: int = field(default=0, metadata=bound(least=0, most=2**31))
    site: str = field(default="", metadata=bound(most=64))
    name: str = field(default="", metadata=bound(most=100))


@dataclass(frozen=True)
class ConfirmRequest:
    """Which machine is meant: its id among ``machines`` of the pairing."""

    machine: str = field(metadata=bound(most=HANDLE_MOST, least=1))


@dataclass(frozen=True)
class PairingList:
    """The last pairings of an account, newest first; without the machines that asked."""

    pairings: list[PairingView] = field(default_factory=list)


def context_of(found: Rendering) -> p.MachineContext:
    """A rendered context in the words of the wire."""
    return p.MachineContext(
        found.id,
        found.revision,
        found.name,
        found.user_data,
        found.envelope,
        list(found.root_pubkeys),
    )


@dataclass(frozen=True)
class PairingApi:
    """The handlers of pairing. ``keys`` are the key statements, ``kid`` the first key's id."""

    deps: Deps
    keys: Callable[[], tuple[str, ...]]
    kid: str

    async def begin(self, request: web.Request, caller: Caller, message: PairingRequest) -> Reply:
        """A new PIN."""
        wish = Wish(message.context_id, message.revision, message.site, message.name)
        where = request.app[DOOR].address(request)
        made = await pairing.begin(
            self.deps, caller.account, caller.role, wish, where, message.instead
        )
        return Reply(made, 201, NO_STORE)

    async def type_code(self, request: web.Request, caller: Caller, message: CodeRequest) -> Reply:
        """The machine that shows this code."""
        wish = Wish(message.context_id, message.revision, message.site, message.name)
        made = await pairing.type_code(self.deps, caller.account, caller.role, message.code, wish)
        return Reply(made, 201, NO_STORE)

    async def list_pairings(self, request: web.Request, caller: Caller) -> PairingList:
        """The last pairings of the account."""
        return PairingList(await pairing.everyone(self.deps, caller.account))

    async def show(self, request: web.Request, caller: Caller) -> Reply:
        """A pairing, as soon as it differs."""
        handle, seconds = (
            request.match_info["pairing"],
            params.query_number(request, "wait", 0.0, 0.0, WAIT_MOST),
        )
        since = params.query_number(request, "since", -1, -1, 2**62)
        known = None if since < 0 else since
        if seconds:
            found = await pairing.wait(self.deps, caller.account, handle, known, seconds)
        else:
            found = await pairing.look(self.deps, caller.account, handle)
        return Reply(found, headers=NO_STORE)

    async def confirm(
        self, request: web.Request, caller: Caller, message: ConfirmRequest
    ) -> PairingView:
        """This machine is mine."""
        handle = request.match_info["pairing"]
        return await pairing.confirm(self.deps, caller.account, handle, message.machine)

    async def reject(self, request: web.Request, caller: Caller) -> PairingView:
        """None of these machines is mine."""
        handle = request.match_info["pairing"]
        return await pairing.end(self.deps, caller.account, handle, "reject")

    async def cancel(self, request: web.Request, caller: Caller) -> None:
        """The PIN is good no more."""
        handle = request.match_info["pairing"]
        await pairing.end(self.deps, caller.account, handle, "cancel")

    async def present(self, request: web.Request, message: p.PairRequest) -> Reply:
        """A machine says a PIN; a wrong one is answered the same."""
        where = request.app[DOOR].address(request)
        made = await presenting.present(self.deps, message.pin, _said(message), where)
        reply = p.PairStarted(made.poll_token, made.interval, made.expires_in, made.words)
        return Reply(reply, 202, NO_STORE)

    async def show_code(self, request: web.Request, message: p.PairRequest) -> Reply:
        """A machine asks for a code to show."""
        where = request.app[DOOR].address(request)
        made = await presenting.show_code(self.deps, _said(message), where)
        at = f"{self.deps.desk.url}/pair/code"
        whole = f"{at}?code={made.code}"
        reply = p.DeviceStarted(
            made.poll_token, made.interval, made.expires_in, made.words, made.code, at, whole,
            qr_of(whole),
        )  # fmt: skip
        return Reply(reply, 202, NO_STORE)

    async def status(self, request: web.Request) -> Reply:
        """How a machine's request stands."""
        state, interval = await presenting.status(self.deps, bearer(request))
        return Reply(p.PairStatus(state, interval), headers=NO_STORE)

    async def collect(self, request: web.Request, message: p.CollectRequest) -> Reply:
        """The machine becomes a host, once."""
        got = await presenting.collect(
            self.deps,
            bearer(request),
            _unpacked(message.preimage),
            message.request,
            message.name,
            sheet_of(message.facts),
        )
        card = self.deps.registry.hosts[got.joined.host]
        context = await self._rendered(card) if got.given else None
        kept = got.machine
        reply = p.Collected(
            got.joined.host, got.joined.token, got.joined.account, list(self.keys()),
            self.deps.clock(), self.kid, got.name,
            None if context is None else context_of(context),
            p.MachineLimits(kept.cores, kept.memory_mb, kept.hours, kept.network), HEARTBEAT_S,
        )  # fmt: skip
        return Reply(reply, headers=NO_STORE)

    async def _rendered(self, card: HostCard) -> Rendering | None:
        """A new host's context; if it cannot be made now the host is told to ask for it again.

        The host is made already: a fault of its context must not cost it its token.
        """
        try:
            return await machines.context_of(self.deps, card)
        except Refusal as refusal:
            facts = {"action": "context", "host": card.id, "why": str(refusal)}
            log.warning("context not rendered", extra=facts)
            await enrol.order(self.deps, card.id, "recontextualize", {}, "server")
            return None

    def routes(self) -> list[Route]:
        """Every route of pairing."""
        base, own = "/api/v1", Role("volunteer")
        one = f"{base}/pairings/{{pairing:{HANDLE}}}"
        follow = (
            Query("wait", "number", "Seconds to wait for something new.", 0),
            Query("since", "integer", "The ``changes`` that are known already.", -1),
        )
        over = ("pairing-unknown", "illegal-move", "overtaken", "pairing-over")
        return [
            Route("POST", f"{base}/pairings", self.begin, own, "A new PIN to type at a machine.",
                  Body.JSON, PairingRequest, PairingView, 201,
                  codes=(*_NEW, "pins-many", "pins-locked", "too-many")),
            Route("POST", f"{base}/pairings/code", self.type_code, own,
                  "The machine that shows a code, to be confirmed.", Body.JSON, CodeRequest,
                  PairingView, 201, codes=(*_NEW, "code-unknown", "too-many")),
            Route("GET", f"{base}/pairings", self.list_pairings, own, "The last pairings.",
                  reply=PairingList),
            Route("GET", one, self.show, own, "A pairing, at once or when it differs.",
                  reply=PairingView, query=follow, codes=("pairing-unknown", "bad-parameter")),
            Route("POST", f"{one}/confirm", self.confirm, own,
                  "This machine, whose words were compared, is mine.", Body.JSON, ConfirmRequest,
                  PairingView, codes=(*over, "machine-unknown")),
            Route("POST", f"{one}/reject", self.reject, own, "What asks there is not mine.",
                  reply=PairingView, codes=over),
            Route("DELETE", one, self.cancel, own, "The PIN is good no more.", status=204,
                  codes=over),
            Route("POST", f"{base}/pair", self.present, Public(), "A machine says a PIN.",
                  Body.JSON, p.PairRequest, p.PairStarted, 202,
                  codes=("too-many", "pins-locked")),
            Route("POST", f"{base}/pair/device", self.show_code, Public(),
                  "A machine asks for a code to show (RFC 8628).", Body.JSON, p.PairRequest,
                  p.DeviceStarted, 202, codes=("too-many",)),
            Route("GET", f"{base}/pair/status", self.status, Public(),
                  "How a machine's request stands; with its poll token.", reply=p.PairStatus,
                  codes=("token-missing", "token-unknown")),
            Route("POST", f"{base}/pair/collect", self.collect, Public(),
                  "A machine that was confirmed becomes a host; with its poll token.", Body.JSON,
                  p.CollectRequest, p.Collected,
                  codes=("token-missing", "token-unknown", "pairing-pending", "pairing-over",
                         "pairing-collected", "not-yours", "bad-input", "account-disabled",
                         "agent-banned")),
        ]  # fmt: skip


def _said(message: p.PairRequest) -> presenting.Said:
    image = message.image
    version = " ".join(word for word in (image.version, image.branch, image.tag) if word)
    return presenting.Said(
        message.nonce, message.commit, message.uuid, message.hostname, image.name, version,
        message.arch, message.cores, message.memory_mb, message.agent_version,
    )  # fmt: skip


def _unpacked(preimage: str) -> bytes:
    """The bytes of a pre-image; none if it is not written in the one canonical way."""
    try:
        return jws.unb64(preimage)
    except ValueError:
        return b""


def qr_of(text: str) -> list[str]:
    """A QR code (ISO/IEC 18004, level L: it is read off a screen) as rows of 0 and 1."""
    made = segno.make_qr(text, error="l", boost_error=False)
    return ["".join("1" if module else "0" for module in row) for row in made.matrix]
