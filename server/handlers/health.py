"""Whether the server is up, alive and ready: for proxies, orchestrators and monitors."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.handlers.access import Public
from server.handlers.routes import NO_STORE, Reply, Route
from server.services.deps import Deps
from server.services.lately import Lately
from server.services.upkeep import watch

KEPT_S = 1.0
NEEDED = ("judge", "reap", "index")  # duties without which nothing goes on
ROOM_LEAST = 64 * 1024 * 1024  # bytes on the data disk, below which nothing can be kept


@dataclass(frozen=True)
class Health:
    """The server is up, and this is its version."""

    status: str
    version: str


@dataclass(frozen=True)
class Readiness:
    """Whether the server can do its work, and if not, why; words that give nothing away."""

    status: str
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class HealthApi:
    """The handlers."""

    deps: Deps
    version: str
    kept: Lately[None, list[str]] = field(default_factory=lambda: Lately(KEPT_S))

    async def health(self, request: web.Request) -> Health:
        """Up."""
        return Health("ok", self.version)

    async def ready(self, request: web.Request) -> Reply:
        """Ready, or 503 with why not; looked at once a second at most."""
        found = await self.kept.of(None, lambda: reasons(self.deps))
        if found:
            return Reply(Readiness("not ready", found), 503, {**NO_STORE, "Retry-After": "5"})
        return Reply(Readiness("ready"), 200, NO_STORE)

    def routes(self) -> list[Route]:
        """Their routes."""
        return [
            Route("GET", "/healthz", self.health, Public(), "Whether the server is up.",
                  reply=Health),
            Route("GET", "/livez", self.health, Public(),
                  "Whether the server answers; start it again if it does not.", reply=Health),
            Route("GET", "/readyz", self.ready, Public(),
                  "Whether the server can do its work, and why not.", reply=Readiness,
                  also={503: Readiness}),
        ]  # fmt: skip


async def reasons(deps: Deps) -> list[str]:
    """Why the server is not ready."""
    found = ["the server is stopping"] if deps.registry.closing else []
    if (await watch.probe(deps, watch.ask_database)).why:
        found.append("the database does not answer")
    now = deps.upkeep.rounds.clock()
    for name in NEEDED:
        one = deps.upkeep.rounds.known.get(name)
        if one is None or one.late_by(now):
            found.append(f"the duty {name} does not go round")
    for path in deps.upkeep.paths[:1]:
        space = watch.space_of(path)
        if space.why or space.left < ROOM_LEAST:
            found.append("the data disk is full")
    return found
