"""The boards of clusters over HTTP: paths, statuses and forms as CernVM Online had them.

Stock CernVM 4 asks here while it boots (``cvm_cluster_pin``, ``cvm_service_url`` of its user data);
some of its scripts leave the version out of the path, so machines are answered without it too.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.roles import Caller
from server.domain.throttle import place_of
from server.handlers.access import Public, Role
from server.handlers.door import DOOR
from server.handlers.params import query_number
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services import clusters
from server.services.clusters import Board, Boards
from server.services.deps import Deps
from vmagent.wire.messages import bound

PIN = "{pin:[a-z0-9]{12,64}}"
KEY = "{key:[A-Za-z0-9_-]{1,100}}"
PLAIN = "text/plain"


@dataclass(frozen=True)
class KeyValue:
    """A value on a board."""

    key: str = field(metadata=bound(most=100, pattern="^[A-Za-z0-9_-]+$"))
    value: str = field(metadata=bound(most=1000))


@dataclass(frozen=True)
class Value:
    """A new value for the key of the path, which may be said again."""

    value: str = field(metadata=bound(most=1000))
    key: str = field(default="", metadata=bound(most=100))


@dataclass(frozen=True)
class ClusterInfo:
    """A board: when it was made, and until when it lasts (ISO 8601, UTC)."""

    pin: str
    creation_time: str
    expiry_time: str
    note: str = ""
    keys: list[KeyValue] = field(default_factory=list)


@dataclass(frozen=True)
class ClusterList:
    """The boards of an account."""

    clusters: list[ClusterInfo] = field(default_factory=list)


def _iso(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _info(board: Board) -> ClusterInfo:
    entries = [KeyValue(key, value) for key, value in board.entries.items()]
    made, over = _iso(board.created_at), _iso(board.expires_at)
    return ClusterInfo(board.pin, made, over, board.note, entries)


def _told(request: web.Request, key: str, value: str) -> object:
    """``key: value`` without a line end, or JSON for who accepts that alone."""
    accepted = request.headers.get("Accept", "")
    if "application/json" in accepted and PLAIN not in accepted:
        return Reply(KeyValue(key, value), 200, NO_STORE)
    return web.Response(text=f"{key}: {value}", content_type=PLAIN, headers=NO_STORE)


@dataclass(frozen=True)
class ClusterApi:
    """The handlers of boards."""

    deps: Deps
    boards: Boards

    async def create(self, request: web.Request, caller: Caller) -> Reply:
        """A new board of the caller."""
        length = query_number(
            request, "length", clusters.PIN_LEAST, clusters.PIN_LEAST, clusters.PIN_MOST
        )
        note = request.query.get("note", "")
        made = await clusters.make(self.deps, caller.account, note, length)
        return Reply(_info(made), 201, NO_STORE)

    async def list_mine(self, request: web.Request, caller: Caller) -> Reply:
        """The boards of the caller."""
        found = await clusters.mine(self.deps, caller.account)
        return Reply(ClusterList([_info(each) for each in found]), 200, NO_STORE)

    async def show(self, request: web.Request) -> Reply:
        """A board."""
        found = await self.boards.show(_place(request), request.match_info["pin"])
        return Reply(_info(found), 200, NO_STORE)

    async def remove(self, request: web.Request) -> None:
        """A board goes."""
        await self.boards.remove(_place(request), request.match_info["pin"])

    async def keys(self, request: web.Request) -> Reply:
        """All that is on a board."""
        found = await self.boards.show(_place(request), request.match_info["pin"])
        entries = [KeyValue(key, value) for key, value in found.entries.items()]
        return Reply(entries, 200, NO_STORE)

    async def add(self, request: web.Request, message: KeyValue) -> Reply:
        """A new key."""
        pin = request.match_info["pin"]
        await self.boards.add(_place(request), pin, message.key, message.value)
        return Reply(KeyValue(message.key, message.value), 201, NO_STORE)

    async def entry(self, request: web.Request) -> object:
        """The value of a key."""
        pin, key = request.match_info["pin"], request.match_info["key"]
        return _told(request, key, await self.boards.entry(_place(request), pin, key))

    async def change(self, request: web.Request, message: Value) -> object:
        """Another value."""
        pin, key = request.match_info["pin"], request.match_info["key"]
        if message.key not in ("", key):
            raise BadInput([f"key {message.key!r}: the path says {key}; leave it out here"])
        await self.boards.change(_place(request), pin, key, message.value)
        return _told(request, key, message.value)

    async def drop(self, request: web.Request) -> None:
        """A key goes."""
        pin, key = request.match_info["pin"], request.match_info["key"]
        await self.boards.drop(_place(request), pin, key)

    def routes(self) -> list[Route]:
        """Every route of boards."""
        base = "/api/v1/clusters"
        board, codes = f"{base}/{PIN}", ("cluster-unknown", "too-many")
        own = [
            Route("POST", base, self.create, Role("volunteer"),
                  "Make a board on which the machines of a cluster find each other.",
                  reply=ClusterInfo, status=201, codes=("bad-input", "bad-parameter"), query=(
                      Query("length", "integer", "Letters of its PIN, 12 to 64.", 12),
                      Query("note", "string", "What it is for, for its maker."))),
            Route("GET", base, self.list_mine, Role("volunteer"), "The caller's boards.",
                  reply=ClusterList, codes=("secret-lost",)),
            Route("GET", board, self.show, Public(), "A board, by its PIN.",
                  reply=ClusterInfo, codes=codes),
            Route("DELETE", board, self.remove, Public(), "Take a board away.",
                  status=204, codes=codes),
            Route("GET", f"{board}/keys", self.keys, Public(), "All that is on a board.",
                  reply=list[KeyValue], codes=codes),
        ]  # fmt: skip
        return [*own, *self._entries(board, codes), *self._entries(f"/api/clusters/{PIN}", codes)]

    def _entries(self, board: str, codes: tuple[str, ...]) -> list[Route]:
        """What booting machines ask for."""
        entry, one = f"{board}/keys/{KEY}", (*codes, "key-unknown")
        return [
            Route("POST", f"{board}/keys", self.add, Public(), "Put a new key on a board.",
                  Body.JSON, KeyValue, KeyValue, 201, codes=(*codes, "exists", "bad-input"),
                  most=8192),
            Route("GET", entry, self.entry, Public(),
                  "The value of a key, as `key: value`, or JSON for who accepts that alone.",
                  reply=KeyValue, codes=one),
            Route("PUT", entry, self.change, Public(), "Give a key another value.",
                  Body.JSON, Value, KeyValue, codes=(*one, "bad-input"), most=8192),
            Route("PATCH", entry, self.change, Public(), "Give a key another value.",
                  Body.JSON, Value, KeyValue, codes=(*one, "bad-input"), most=8192),
            Route("DELETE", entry, self.drop, Public(), "Take a key away.",
                  status=204, codes=one),
        ]  # fmt: skip


def _place(request: web.Request) -> str:
    """Where a machine speaks from; of IPv6 its network, in which it may take any address."""
    return place_of(request.app[DOOR].address(request))
