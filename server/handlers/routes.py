"""What is said of a route: one declaration that serves it, guards it and documents it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from server.handlers.access import Access, Person, Visitor

JSON = "application/json"
JOSE = "application/jose"
BYTES = "application/octet-stream"
HTML = "text/html"
CSV = "text/csv"
SVG = "image/svg+xml"
EVENTS = "text/event-stream"
FORM = "application/x-www-form-urlencoded"
NO_STORE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store"})
"""Of what holds a secret, or is good for one reader alone."""


class Body(StrEnum):
    """How a route takes its body.

    none: not at all. json: decoded as ``request``. whole: read into bytes, never above ``most``,
    with a length said before. form: a `server.handlers.door.Form` that a page of this site has
    sent, which is checked before. stream: the handler reads ``request.content`` itself, after
    `mount.said_length`, and holds ``most`` and ``slowest`` itself.
    """

    NONE = "none"
    JSON = "json"
    FORM = "form"
    WHOLE = "whole"
    STREAM = "stream"


@dataclass(frozen=True)
class Query:
    """A parameter behind the question mark."""

    name: str
    kind: str
    summary: str
    default: str | int | float | None = None


@dataclass(frozen=True)
class Reply:
    """An answer with another status than the route's own, or with headers of its own."""

    value: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """A route.

    The handler is called with the request, then the card or caller unless the access is Public,
    then the message, form or bytes if the body is json, form or whole. It returns a value that is
    encoded as ``reply``, None (no body), a `Reply`, or an aiohttp response of its own (of
    `server.handlers.showing` if people are served). ``codes`` are the problem codes it may answer
    with beside those that its access and body bring along. ``most`` is in bytes, ``slowest`` the
    seconds in which a body must have arrived. ``head`` serves HEAD too; a handler that streams must
    then send no body to it. ``fields`` are those of a form.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[object]]
    access: Access
    summary: str
    body: Body = Body.NONE
    request: type[Any] | None = None
    reply: type[Any] | None = None
    status: int = 200
    media: str = JSON
    codes: tuple[str, ...] = ()
    query: tuple[Query, ...] = ()
    headers: tuple[str, ...] = ()
    also: dict[int, type[Any]] = field(default_factory=dict)
    most: int = 65_536
    slowest: float = 30.0
    head: bool = False
    fields: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool:
        """Whether the time of an answer is another's: it waits, or bytes go as fast as they may."""
        waits = any(query.name == "wait" for query in self.query)
        return waits or self.body in (Body.WHOLE, Body.STREAM) or self.media in (BYTES, EVENTS)

    def __post_init__(self) -> None:
        with_cookie = isinstance(self.access, (Person, Visitor))
        if (self.method != "GET" and with_cookie) != (self.body is Body.FORM):
            raise ValueError(
                f"{self.method} {self.path}: who is known by a cookie changes things by forms alone"
            )
        if (self.body is Body.JSON) != (self.request is not None):
            raise ValueError(f"{self.method} {self.path}: a json body and its type go together")
