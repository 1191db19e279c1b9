"""Teams of people who compare what they give: pages, and the same for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.domain.errors import Refusal
from server.domain.roles import Caller
from server.handlers import params, showing
from server.handlers.access import Person, Role
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Reply, Route
from server.handlers.sse import MEDIA, Live
from server.services import teams
from server.services.deps import Deps
from server.services.teams import TeamList, TeamStory
from vmagent.wire.messages import bound
from web.render import page

PACE_S = 15.0  # a followed page is rendered; figures are written once a minute
_FIELDS = ("name", "words", "url", "country")


@dataclass(frozen=True)
class TeamRequest:
    """What a team is called, and says of itself; the name of one that exists stays."""

    name: str = field(default="", metadata=bound(most=64))
    words: str = field(default="", metadata=bound(most=500))
    url: str = field(default="", metadata=bound(most=200))
    country: str = field(default="", metadata=bound(most=64))


@dataclass(frozen=True)
class TeamPages:
    """The handlers."""

    deps: Deps

    async def page(self, request: web.Request, caller: Caller) -> web.Response:
        """Every team."""
        return await self._page(request, caller, dict.fromkeys(_FIELDS, ""))

    async def _page(
        self,
        request: web.Request,
        caller: Caller,
        values: dict[str, str],
        refusal: Refusal | None = None,
    ) -> web.Response:
        found = await teams.listed(self.deps, caller)
        facts: dict[str, Any] = {"here": "teams", "found": found, "values": values}
        return showing.again(request, caller, "teams", refusal, **facts)

    async def make(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Make a team."""
        said = {name: form.get(name, "").strip() for name in _FIELDS}
        try:
            made = await teams.make(self.deps, caller, **said)
        except Refusal as refusal:
            return await self._page(request, caller, said, refusal)
        return showing.onward(request, f"/teams/{made}", "The team is made, and you are in it.")

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One team."""
        story = await teams.show(self.deps, caller, params.path_number(request, "team"))
        return showing.show(request, caller, "team", here="teams", story=story)

    async def follow(self, request: web.Request, caller: Caller) -> Live:
        """One team, live."""
        team = params.path_number(request, "team")

        async def render() -> str:
            return page("team_live", story=await teams.show(self.deps, caller, team))

        return Live(("team", caller.account, team), render, PACE_S)

    async def join(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Be in a team."""
        team = params.path_number(request, "team")
        try:
            await teams.join(self.deps, caller, team)
        except teams.InTeam as refusal:
            return await self._page(request, caller, dict.fromkeys(_FIELDS, ""), refusal)
        return showing.onward(request, f"/teams/{team}", "You are in this team.")

    async def leave(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Be in no team."""
        await teams.leave(self.deps, caller)
        return showing.onward(request, "/teams", "You are in no team.")

    async def change(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """What a team says of itself."""
        team = params.path_number(request, "team")
        said = [form.get(name, "").strip() for name in _FIELDS[1:]]
        try:
            await teams.change(self.deps, caller, team, *said)
        except Refusal as refusal:
            story = await teams.show(self.deps, caller, team)
            facts = {"here": "teams", "story": story}
            return showing.again(request, caller, "team", refusal, **facts)
        return showing.onward(request, f"/teams/{team}", "It is kept.")

    async def listed(self, request: web.Request, caller: Caller) -> TeamList:
        """Every team, for programs."""
        return await teams.listed(self.deps, caller)

    async def story(self, request: web.Request, caller: Caller) -> TeamStory:
        """One team, for programs."""
        return await teams.show(self.deps, caller, params.path_number(request, "team"))

    async def new(self, request: web.Request, caller: Caller, message: TeamRequest) -> Reply:
        """Make a team, for programs."""
        made = await teams.make(
            self.deps, caller, message.name, message.words, message.url, message.country
        )
        return Reply(await teams.show(self.deps, caller, made), 201)

    async def put(self, request: web.Request, caller: Caller, message: TeamRequest) -> TeamStory:
        """What a team says of itself, for programs."""
        team = params.path_number(request, "team")
        await teams.change(self.deps, caller, team, message.words, message.url, message.country)
        return await teams.show(self.deps, caller, team)

    async def enter(self, request: web.Request, caller: Caller) -> TeamStory:
        """Be in a team, for programs."""
        team = params.path_number(request, "team")
        await teams.join(self.deps, caller, team)
        return await teams.show(self.deps, caller, team)

    async def quit(self, request: web.Request, caller: Caller) -> None:
        """Be in no team, for programs."""
        await teams.leave(self.deps, caller)

    def routes(self) -> list[Route]:
        """Every route."""
        person, role, base = Person(), Role("volunteer"), "/api/v1/teams"
        team, unknown = f"{{team:{params.ID}}}", ("team-unknown",)
        making = ("bad-input", "exists", "in-team", "too-many")
        return [
            Route("GET", "/teams", self.page, person, "The teams as a page", media=HTML,
                  head=True),
            Route("POST", "/teams", self.make, person, "Make a team.", Body.FORM, media=HTML,
                  fields=_FIELDS, codes=making),
            Route("POST", "/teams/leave", self.leave, person, "Be in no team.", Body.FORM,
                  media=HTML, codes=unknown),
            Route("GET", f"/teams/{team}", self.show, person, "A team as a page", media=HTML,
                  head=True, codes=unknown),
            Route("GET", f"/teams/{team}/events", self.follow, person, "A team, live", media=MEDIA,
                  codes=("too-many-listeners", *unknown)),
            Route("POST", f"/teams/{team}", self.change, person, "What a team says of itself.",
                  Body.FORM, media=HTML, fields=_FIELDS[1:],
                  codes=("bad-input", "forbidden", *unknown)),
            Route("POST", f"/teams/{team}/join", self.join, person, "Be in a team.", Body.FORM,
                  media=HTML, codes=("in-team", *unknown)),
            Route("GET", base, self.listed, role, "Every team.", reply=TeamList),
            Route("POST", base, self.new, role, "Make a team.", Body.JSON, TeamRequest, TeamStory,
                  201, codes=making),
            Route("POST", f"{base}/leave", self.quit, role, "Be in no team.", status=204,
                  codes=unknown),
            Route("GET", f"{base}/{team}", self.story, role, "One team and its people.",
                  reply=TeamStory, codes=unknown),
            Route("PUT", f"{base}/{team}", self.put, role, "What a team says of itself.",
                  Body.JSON, TeamRequest, TeamStory, codes=("bad-input", *unknown)),
            Route("POST", f"{base}/{team}/join", self.enter, role, "Be in a team.",
                  reply=TeamStory, codes=("in-team", *unknown)),
        ]  # fmt: skip
