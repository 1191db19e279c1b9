"""Where a request comes from, as far as bounds on addresses go."""

from __future__ import annotations

from aiohttp import web


def address_of(request: web.Request) -> str:
    """The address of who asks."""
    return request.remote or ""
