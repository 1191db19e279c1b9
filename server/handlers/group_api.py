"""Groups over HTTP: one's own, and every one for administrators."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers.access import Role
from server.handlers.routes import Body, Query, Reply, Route
from server.services import groups
from server.services.deps import Deps
from server.services.groups import GroupFacts, GroupView
from vmagent.wire.messages import bound

NAME = "[a-zA-Z0-9_.-]{1,64}"
PERSON = "[a-zA-Z0-9_-]{1,64}"


@dataclass(frozen=True)
class GroupRequest:
    """What a group is called."""

    name: str = field(metadata=bound(most=64, least=1))
    title: str = field(default="", metadata=bound(most=200))


@dataclass(frozen=True)
class WhomRequest:
    """An account, by its name."""

    account: str = field(metadata=bound(most=64, least=1))


@dataclass(frozen=True)
class GroupList:
    """Groups, by name."""

    groups: list[GroupView] = field(default_factory=list)


@dataclass(frozen=True)
class GroupApi:
    """The handlers."""

    deps: Deps

    async def listed(self, request: web.Request, caller: Caller) -> GroupList:
        """The groups that one is in or asked into; every one, for administrators that ask."""
        everybody = request.query.get("all", "") in ("1", "true")
        return GroupList(await groups.listed(self.deps, caller, everybody=everybody))

    async def create(self, request: web.Request, caller: Caller, message: GroupRequest) -> Reply:
        """A new group."""
        made = await groups.create(self.deps, caller, message.name, message.title)
        return Reply(made, 201)

    async def show(self, request: web.Request, caller: Caller) -> GroupFacts:
        """One group."""
        return await groups.show(self.deps, caller, _name(request))

    async def change(
        self, request: web.Request, caller: Caller, message: GroupRequest
    ) -> GroupFacts:
        """Call it something else."""
        return await groups.change(self.deps, caller, _name(request), message.name, message.title)

    async def remove(self, request: web.Request, caller: Caller) -> None:
        """Forget it."""
        await groups.remove(self.deps, caller, _name(request))

    async def ask(self, request: web.Request, caller: Caller, message: WhomRequest) -> None:
        """Ask somebody to join."""
        await groups.ask(self.deps, caller, _name(request), message.account)

    async def unask(self, request: web.Request, caller: Caller) -> None:
        """Ask somebody no longer, or say no."""
        await groups.unask(self.deps, caller, _name(request), _person(request))

    async def join(self, request: web.Request, caller: Caller) -> GroupFacts:
        """Say yes."""
        return await groups.join(self.deps, caller, _name(request))

    async def add(self, request: web.Request, caller: Caller) -> None:
        """Put somebody in."""
        await groups.add(self.deps, caller, _name(request), _person(request))

    async def drop(self, request: web.Request, caller: Caller) -> None:
        """Put somebody out, or leave."""
        await groups.drop(self.deps, caller, _name(request), _person(request))

    async def hand_over(
        self, request: web.Request, caller: Caller, message: WhomRequest
    ) -> GroupFacts:
        """Make somebody else its owner."""
        return await groups.hand_over(self.deps, caller, _name(request), message.account)

    def routes(self) -> list[Route]:
        """Every route; who is no member, is not asked and no administrator finds no group."""
        base, own = "/api/v1/groups", Role("volunteer")
        one = f"{base}/{{group:{NAME}}}"
        asked, member = f"{one}/invitations", f"{one}/members/{{account:{PERSON}}}"
        none, owners = ("group-unknown",), ("group-unknown", "not-owner")
        return [
            Route("GET", base, self.listed, own, "My groups, and those that ask me to join.",
                  reply=GroupList,
                  query=(Query("all", "boolean", "Every one; administrators alone.", False),)),
            Route("POST", base, self.create, own, "A new group; I am its owner.", Body.JSON,
                  GroupRequest, GroupFacts, 201, codes=("exists", "bad-input")),
            Route("GET", one, self.show, own, "A group, and for its members who is in it.",
                  reply=GroupFacts, codes=none),
            Route("PUT", one, self.change, own, "Call it something else: its owner.", Body.JSON,
                  GroupRequest, GroupFacts, codes=(*owners, "exists", "bad-input")),
            Route("DELETE", one, self.remove, own, "Forget it: its owner.", status=204,
                  codes=owners),
            Route("POST", asked, self.ask, own, "Ask somebody to join: its owner.", Body.JSON,
                  WhomRequest, status=204, codes=(*owners, "account-unknown", "bad-input")),
            Route("DELETE", f"{asked}/{{account:{PERSON}}}", self.unask, own,
                  "Ask somebody no longer: its owner; or say no oneself.", status=204,
                  codes=(*owners, "invitation-unknown")),
            Route("POST", f"{one}/join", self.join, own, "Say yes to who asked.",
                  reply=GroupFacts, codes=(*none, "invitation-unknown")),
            Route("PUT", member, self.add, Role(groups.RUNS_ALL),
                  "Put somebody in without asking.", status=204,
                  codes=(*none, "account-unknown", "bad-input")),
            Route("DELETE", member, self.drop, own, "Put a member out: its owner; or leave.",
                  status=204, codes=(*owners, "member-unknown", "bad-input")),
            Route("POST", f"{one}/owner", self.hand_over, own,
                  "Make another member its owner: who is it now.", Body.JSON, WhomRequest,
                  GroupFacts, codes=(*owners, "member-unknown", "bad-input")),
        ]  # fmt: skip


def _name(request: web.Request) -> str:
    return request.match_info["group"]


def _person(request: web.Request) -> str:
    return request.match_info["account"]
