"""Every route of the server on one application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from server.handlers import appearance, context_routes, hot, keys, pages, peer, people_routes, sse
from server.handlers.admin_api import AdminApi
from server.handlers.agent_api import AgentApi
from server.handlers.agent_file import AgentFile
from server.handlers.agents_api import AgentsApi
from server.handlers.ban_pages import BanPages
from server.handlers.bulk_pages import BulkPages
from server.handlers.contribution_pages import ContributionPages
from server.handlers.credit_api import CreditApi
from server.handlers.door import Door
from server.handlers.enrolment_api import EnrolmentApi
from server.handlers.giving_pages import GivingPages
from server.handlers.health import HealthApi
from server.handlers.host_pages import HostPages
from server.handlers.lane import Starter
from server.handlers.machine_api import MachineApi
from server.handlers.machine_pages import MachinePages
from server.handlers.metering import Tracer
from server.handlers.metrics import Metrics
from server.handlers.mount import mount
from server.handlers.oidc_pages import OidcPages
from server.handlers.openapi import documented
from server.handlers.pairing_api import PairingApi
from server.handlers.pairing_pages import PairingPages
from server.handlers.pattern_api import PatternApi
from server.handlers.pattern_pages import PatternPages
from server.handlers.people_api import PeopleApi
from server.handlers.plot_pages import PlotPages
from server.handlers.portrait_api import PortraitApi
from server.handlers.routes import Route
from server.handlers.site_api import SiteApi
from server.handlers.site_pages import SitePages
from server.handlers.statistics_pages import StatisticsPages
from server.handlers.stats_api import StatsApi
from server.handlers.stats_files import StatsFiles
from server.handlers.strangers import Strangers
from server.handlers.task_pages import TaskPages
from server.handlers.team_pages import TeamPages
from server.handlers.trust_api import TrustApi
from server.handlers.upkeep_api import UpkeepApi
from server.handlers.upkeep_pages import UpkeepPages
from server.handlers.upload_api import UploadApi
from server.services import bans, enrol, sessions
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.look import Look
from server.services.patterning import Board
from server.services.upkeep.meter import Meter


@dataclass(frozen=True)
class Facts:
    """What the doors need beside the use cases. Sizes in bytes."""

    version: str
    kid: str
    keys: Callable[[], tuple[str, ...]]
    trusted: Callable[[], Mapping[str, str]]
    agent_folder: Path
    json_bytes: int
    frame_bytes: int
    payload_bytes: int
    listeners: int
    door: Door = field(default_factory=Door)
    listeners_each: int = 50
    listeners_own: int = 20
    proxies: tuple[peer.Network, ...] = ()
    public_statistics: bool = True
    metrics: str = "token"
    meter: Meter = field(default_factory=Meter)
    tracer: Tracer | None = None


@dataclass(frozen=True)
class Gate:
    """Tells who a token belongs to."""

    deps: Deps

    def host(self, token: str) -> HostCard:
        """A host, from memory."""
        card = enrol.host_of(self.deps, token)
        if card.ban is not None:
            bans.admit(self.deps, card)
        return card

    async def caller(self, token: str) -> enrol.Bearer:
        """An account."""
        return await enrol.caller(self.deps, token)

    async def person(self, session: str, address: str, agent: str) -> sessions.Person | None:
        """Who is signed in."""
        return await sessions.find(self.deps, session, sessions.Visit(address, agent))


def routes_of(deps: Deps, facts: Facts, look: Look) -> list[Route]:
    """Every route."""

    agents, uploads = doors(deps, facts)
    routes = [
        *agents.routes(),
        *uploads.routes(),
        *AdminApi(deps, look, facts.trusted, facts.json_bytes, facts.payload_bytes).routes(),
        *AgentsApi(deps).routes(),
        *PeopleApi(deps, look, facts.kid, facts.version, facts.json_bytes).routes(),
        *SiteApi(deps, facts.json_bytes).routes(),
        *SitePages(deps, look, facts.public_statistics).routes(),
        *CreditApi(deps).routes(),
        *StatsApi(deps, facts.public_statistics).routes(),
        *PairingApi(deps, facts.keys, facts.kid).routes(),
        *MachineApi(deps, look).routes(),
        *EnrolmentApi(deps, facts.kid).routes(),
        *PairingPages(deps, facts.kid).routes(),
        *MachinePages(deps, look, facts.kid).routes(),
        *PatternApi(deps, facts.json_bytes).routes(),
        *TrustApi(deps).routes(),
        *PortraitApi(deps).routes(),
        *PlotPages(deps).routes(),
        *context_routes.routes(deps, look, facts.json_bytes),
        *AgentFile(facts.agent_folder).routes(),
        *pages.routes(),
        *StatisticsPages(deps, look, facts.public_statistics).routes(),
        *appearance.routes(),
        *HostPages(deps, look).routes(),
        *TaskPages(deps).routes(),
        *GivingPages(deps).routes(),
        *BulkPages(deps).routes(),
        *TeamPages(deps).routes(),
        *ContributionPages(deps).routes(),
        *StatsFiles(deps).routes(),
        *BanPages(deps).routes(),
        *PatternPages(deps).routes(),
        *people_routes.routes(deps),
        *OidcPages(deps).routes(),
        *UpkeepApi(deps).routes(),
        *UpkeepPages(deps).routes(),
        *HealthApi(deps, facts.version).routes(),
        *Metrics(deps, Gate(deps), Strangers(deps), facts.version, facts.metrics).routes(),
    ]
    return documented(routes, facts.version)


def doors(deps: Deps, facts: Facts) -> tuple[AgentApi, UploadApi]:
    """The handlers of hosts."""
    return AgentApi(deps, facts.keys, facts.json_bytes), UploadApi(deps, facts.frame_bytes)


def lane(deps: Deps, facts: Facts) -> Starter:
    """What takes the requests that come all the time."""
    return hot.starter(Gate(deps), *doors(deps, facts), facts.meter, facts.tracer)


def build(deps: Deps, facts: Facts) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=facts.payload_bytes)
    look = Look(deps)
    app[peer.PROXIES] = facts.proxies
    app[keys.BOARD] = Board(deps)
    pages.attach(
        app,
        look,
        sse.Pace(most=facts.listeners, each=facts.listeners_each, own=facts.listeners_own),
    )
    strangers = Strangers(deps)
    routes = routes_of(deps, facts, look)
    mount(app, routes, Gate(deps), facts.door, strangers, facts.meter, facts.tracer)

    async def hang_up(_: web.Application) -> None:
        deps.registry.hang_up()
        deps.desk.hang_up()

    app.on_shutdown.append(hang_up)
    return app
