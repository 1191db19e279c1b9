"""What hangs on the application for handlers to use."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web


class Look(Protocol):
    """The views that pages show, each read in one snapshot (see `server.services.look`)."""

    async def pool(self) -> Any:
        """The whole pool: a PoolView."""
        ...

    async def production(self, name: str) -> Any:
        """One production by its name: a ProductionView; refused if there is none."""
        ...

    async def moves(self, production_id: int, limit: int) -> list[Any]:
        """Its latest moves, newest first: MoveView."""
        ...


LOOK: web.AppKey[Look] = web.AppKey("look")
"""Where the pages get their facts from."""
