"""Where a request comes from, as far as bounds on addresses go."""

from __future__ import annotations

from aiohttp import web

from server.handlers.door import DOOR


def address_of(request: web.Request) -> str:
    """The address of who asks; behind a proxy, what that says."""
    return request.app[DOOR].address(request)
