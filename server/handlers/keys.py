"""What hangs on the application for handlers to use."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from server.services.look import FrontView, MoveView, ProductionView
from server.services.patterning import Row
from server.services.plotting import PlotsView
from server.services.sites import SiteView
from server.services.stats import Now


class Look(Protocol):
    """The views that pages show, each read in one snapshot (see `server.services.look`)."""

    async def front(self) -> FrontView:
        """What the first page shows."""
        ...

    async def now(self) -> Now:
        """The pool in numbers."""
        ...

    def countries(self) -> dict[str, int]:
        """All machines of the pool by country, here or not."""
        ...

    async def production(self, name: str, old_s: float = 0.0) -> ProductionView:
        """One production by its name, at most so old; NotFound if there is none."""
        ...

    async def site(self, name: str) -> tuple[SiteView, float]:
        """One site by its name, and when it was looked at; NotFound if there is none."""
        ...

    async def plots(self, production: int) -> PlotsView:
        """Its histograms; NotFound if there is none."""
        ...

    async def moves(self, production: int, limit: int) -> list[MoveView]:
        """Its latest moves, newest first."""
        ...


class Board(Protocol):
    """The table of patterns that a page shows (see `server.services.patterning`)."""

    async def rows(self) -> list[Row]:
        """Every pattern in the order in which they are tried."""
        ...


BOARD: web.AppKey[Board] = web.AppKey("board")
"""Where the page of patterns gets its rows from."""

LOOK: web.AppKey[Look] = web.AppKey("look")
"""Where the pages get their facts from."""
