"""Who may call a route, and the gate that tells who a token belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import hdrs, web

from server.domain.errors import Forbidden, ScopeMissing
from server.domain.roles import ROLES, Caller, reaches
from server.domain.scopes import holds
from server.handlers.errors import TokenMissing


@dataclass(frozen=True)
class Public:
    """Anybody; the handler is called with the request alone."""


@dataclass(frozen=True)
class Host:
    """A paired host by its host token; the handler is handed the card of the host."""


@dataclass(frozen=True)
class Role:
    """An account with an API token and at least this role; the handler is handed the caller."""

    least: str

    def __post_init__(self) -> None:
        if self.least not in ROLES:
            raise ValueError(f"{self.least!r} is no role: use one of {', '.join(ROLES)}")


@dataclass(frozen=True)
class Person:
    """Somebody signed in, with at least this role; who is not is sent to sign in.

    The handler is handed the caller, and after it the form if the body is one.
    """

    least: str = "volunteer"

    def __post_init__(self) -> None:
        if self.least not in ROLES:
            raise ValueError(f"{self.least!r} is no role: use one of {', '.join(ROLES)}")


@dataclass(frozen=True)
class Visitor:
    """Anybody; the handler is handed the caller, or None of who is not signed in."""


Access = Public | Host | Role | Person | Visitor


class Bearer(Caller, Protocol):
    """Such an account, with what its token may do of all that the account may."""

    @property
    def scopes(self) -> str:
        """Words of `server.domain.scopes`, with blanks between."""
        ...


class Gate(Protocol):
    """Tells who a token belongs to; refuses with a `Refusal` of code token-unknown, -revoked .."""

    def host(self, token: str) -> object:
        """The card of a host, from memory: this stands on the hot path."""
        ...

    async def caller(self, token: str) -> Bearer:
        """The account of an API token."""
        ...

    async def person(self, session: str, address: str, agent: str) -> Caller | None:
        """Who is signed in with this session's secret; None if nobody is.

        ``address`` is where the request came from, ``agent`` what the browser calls itself.
        """
        ...


def bearer(request: web.Request) -> str:
    """The token of the Authorization header (RFC 6750)."""
    header = request.headers.get(hdrs.AUTHORIZATION, "")
    if not header.isascii():  # bytes that are no text come as half characters
        raise TokenMissing()
    if header.startswith("Bearer "):
        return header[7:]
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing()
    return token.strip()


async def admitted(gate: Gate, token: str, least: str, scope: str) -> Bearer:
    """The caller, whose role reaches ``least`` and whose token has the scope.

    Raises Forbidden, ScopeMissing.
    """
    caller = await gate.caller(token)
    if not reaches(caller.role, least):
        raise Forbidden(least)
    if not holds(caller.scopes, scope):
        raise ScopeMissing(scope)
    return caller
