"""The three requests that come all the time: asks, signs of life, frames; taken from their heads.

Only what will most likely be answered well is taken: a token that is not known, a frame of a lease
that is over and all else goes the usual way, which also tells what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from server.domain.errors import Refusal
from server.handlers import digests
from server.handlers.access import Gate
from server.handlers.agent_api import AgentApi
from server.handlers.lane import Catch, Starter
from server.handlers.metering import Tracer, sampled
from server.handlers.params import ID
from server.handlers.plain import Plain
from server.handlers.schema import decoder, encode
from server.handlers.upload_api import SLOWEST_S, SMALL, UploadApi
from server.services import ingest
from server.services.cards import HostCard
from server.services.ingest import Arrival
from server.services.upkeep.meter import Meter, Tally
from vmagent.wire.messages import AskRequest, HeartbeatRequest

FRAMES = "/api/v1/productions/{production}/frames/{first}-{last}"
JSON_S = 30.0  # a message has to arrive within this time
_FRAME = re.compile(rf"/api/v1/productions/({ID})/frames/({ID})-({ID})".encode("ascii"), re.ASCII)
_Run = Callable[[HostCard, Any], Awaitable[Any]]


@dataclass(slots=True)
class _Message:
    """A JSON message that is handed to ``run``."""

    run: _Run
    decode: Callable[[bytes], Any]
    card: HostCard
    body: bytes | bytearray = b""
    slowest: float = JSON_S

    def piece(self, piece: bytes) -> None:
        if not self.body:
            self.body = piece
            return
        if isinstance(self.body, bytes):  # one that comes in crumbs is not copied for each of them
            self.body = bytearray(self.body)
        self.body += piece

    async def answer(self) -> bytes:
        return encode(await self.run(self.card, self.decode(bytes(self.body))))


class _Frame:
    """A frame of a task that is leased."""

    __slots__ = ("api", "arrival", "body", "card", "slowest", "stated")

    def __init__(self, api: UploadApi, card: HostCard, arrival: Arrival, stated: bytes) -> None:
        self.api, self.card, self.arrival, self.stated = api, card, arrival, stated
        self.body = b""
        self.slowest = SLOWEST_S

    def piece(self, piece: bytes) -> None:
        if self.arrival.size > SMALL:
            self.arrival.piece(piece)
        else:
            self.body = self.body + piece if self.body else piece

    async def answer(self) -> bytes:
        arrival = self.arrival
        found = arrival.end() if arrival.size > SMALL else arrival.whole(self.body)
        return encode(await self.api.keep(self.card, arrival, found, self.stated))


def starter(
    gate: Gate, agents: AgentApi, uploads: UploadApi, meter: Meter, tracer: Tracer | None = None
) -> Starter:
    """What takes these three requests; they are counted, and a few of them timed."""
    messages: dict[bytes, tuple[_Run, Callable[[bytes], Any], Tally]] = {
        path.encode(): (run, decoder(kind), meter.of("POST", path))
        for path, run, kind in (
            ("/api/v1/work", agents.lease, AskRequest),
            ("/api/v1/heartbeat", agents.beat, HeartbeatRequest),
        )
    }
    frames = meter.of("PUT", FRAMES)

    def start(head: Plain) -> Catch | None:
        headers = head.headers
        bearer = headers.get(b"authorization", b"")
        if not bearer.startswith(b"Bearer ") or b"content-length" not in headers:
            return None
        if head.method == b"POST" and head.path in messages:
            if head.size > agents.json_most:
                return None
            card = _card(gate, bearer)
            if card is None:
                return None
            run, decode, tally = messages[head.path]
            return sampled(_Message(run, decode, card), tally, tracer)
        if head.method == b"PUT" and head.size <= uploads.frame_most:
            frame = _frame(gate, uploads, head, bearer)
            return None if frame is None else sampled(frame, frames, tracer)
        return None

    return start


def _card(gate: Gate, bearer: bytes) -> HostCard | None:
    try:
        card = gate.host(bearer[7:].decode("ascii"))
    except Refusal:
        return None
    return card if isinstance(card, HostCard) else None


def _frame(gate: Gate, uploads: UploadApi, head: Plain, bearer: bytes) -> Catch | None:
    address = _FRAME.fullmatch(head.path)
    card = _card(gate, bearer) if address is not None else None
    if card is None or address is None:
        return None
    try:
        stated = digests.demand(head.headers.get(b"content-digest", b"").decode("ascii") or None)
        production, first, last = map(int, address.groups())
        taking = ingest.of_lease(uploads.deps, card, production, first, last, head.size)
        if taking is None:
            return None
        return _Frame(uploads, card, Arrival(uploads.deps, taking, head.size), stated)
    except Refusal:
        return None
