"""The pairing desk of the fake server: one owner, PINs and codes, in the words of the protocol."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vmagent.wire import codec, jws, pairing

if TYPE_CHECKING:
    from tests.kit.fake_server import FakeServer

WORDS = "harbour velvet comet"
CODE = "BCDF-GHJK"
HOST_TOKEN = "wfh_" + "B" * 43


@dataclass
class Asked:
    """A machine that asks, as the owner sees it: pending, ready, rejected or expired."""

    request: pairing.PairRequest
    pin: str
    poll_token: str
    state: str = "pending"
    collected: list[pairing.CollectRequest] = field(default_factory=list)


class PairingDesk:
    """What the owner does on the web is done by the methods; every list only grows.

    ``hook`` is called at each step of a machine, before it is answered.
    """

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.pins: set[str] = set()
        self.asked: list[Asked] = []
        self.context = pairing.MachineContext()
        self.limits = pairing.MachineLimits()
        self.reports: list[pairing.ContextReport] = []
        self.expires_in = 300
        self.interval = 1
        self.qr: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        self.release = ""
        self.lose_answers = 0
        self.contacted = False
        self.hook: Callable[[str], None] = lambda step: None

    def hosts(self) -> set[str]:
        """The hosts that were made: the words of their collections."""
        return {one.request for asked in self.asked for one in asked.collected}

    def claims(self) -> list[Asked]:
        """The machines that the owner sees: those with a right PIN or a code."""
        return [one for one in self.asked if one.pin in self.pins or not one.pin]

    def confirm(self, at: int = -1) -> None:
        """The owner agrees to the machine that he sees."""
        with self._server.changed:
            self.claims()[at].state = "ready"

    def reject(self) -> None:
        """The owner says that it is not his."""
        with self._server.changed:
            self.claims()[-1].state = "rejected"

    def answer(self, to: Any, parts: list[str], body: bytes) -> None:
        """Answer a request below ``/pair`` or ``/machines/self``."""
        if self.refusals:
            status, word = self.refusals.pop(0)
            to.problem(status, word, {"Retry-After": "1"} if status in (429, 503) else None)
        elif parts[0] == "machines":
            self._machine(to, parts[2], body)
        elif parts[1:] in ([], ["device"]):
            self._begin(to, codec.decode(body, pairing.PairRequest), len(parts) > 1)
        else:
            token = to.headers.get("Authorization", "").removeprefix("Bearer ")
            found = next((one for one in self.asked if one.poll_token == token), None)
            if found is None:
                to.problem(401, "token-unknown")
            elif parts[1] == "status":
                self.hook("status")
                to.json(pairing.PairStatus(found.state, self.interval))
            else:
                self._collect(to, found, codec.decode(body, pairing.CollectRequest))

    def _begin(self, to: Any, request: pairing.PairRequest, by_code: bool) -> None:
        self.hook("begin")
        made = Asked(request, request.pin, f"wfp_{secrets.token_urlsafe(32)}")
        self.asked.append(made)
        self.hook("begun")
        told = (made.poll_token, self.interval, self.expires_in, WORDS)
        if by_code:
            uri = f"{self._server.url}/pair/code"
            started = pairing.DeviceStarted(*told, CODE, uri, f"{uri}?code={CODE}", self.qr)
            to.json(started, 202)
        else:
            to.json(pairing.PairStarted(*told), 202)

    def _collect(self, to: Any, asked: Asked, request: pairing.CollectRequest) -> None:
        server = self._server
        commit = hashlib.sha256(jws.unb64(request.preimage)).hexdigest()
        if asked.state != "ready" or commit != asked.request.commit:
            to.problem(410, pairing.PAIRING_OVER)
            return
        if any(one.request != request.request for one in asked.collected) or self.contacted:
            to.problem(409, pairing.COLLECTED_ALREADY)
            return
        asked.collected.append(request)
        self.hook("collect")
        if self.lose_answers:
            self.lose_answers -= 1
            to.close_connection = True
            return
        keys = server.keys
        release = self.release or keys.kid(keys.release)
        to.json(
            pairing.Collected(
                1, HOST_TOKEN, "ann", keys.statements, server.now(), release, request.name,
                self.context if self.context.id else None, self.limits,
            )
        )  # fmt: skip

    def _machine(self, to: Any, what: str, body: bytes) -> None:
        if what == "limits":
            to.json(self.limits)
        elif body:
            self.reports.append(codec.decode(body, pairing.ContextReport))
            to.send(204, b"")
        else:
            to.json(self.context)
