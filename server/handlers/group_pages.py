"""Groups as pages: mine and those that ask me, and one with its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from server.domain.errors import BadInput, Refusal
from server.domain.roles import Caller, reaches
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.group_api import NAME
from server.handlers.routes import HTML, Body, Query, Route
from server.services import groups
from server.services.deps import Deps

ALL, ONE = ("create", "join", "decline"), ("ask", "unask", "add", "drop", "owner")
"""Each deed is a field of a form, whose value says to what or to whom."""


@dataclass(frozen=True)
class GroupPages:
    """The handlers."""

    deps: Deps

    async def listed(self, request: web.Request, caller: Caller) -> web.Response:
        """My groups."""
        return await self._listed(request, caller)

    async def _listed(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None, name: str = ""
    ) -> web.Response:
        admin = reaches(caller.role, groups.RUNS_ALL)
        everybody = admin and request.query.get("all", "") in ("1", "true")
        facts: dict[str, Any] = {
            "groups": await groups.listed(self.deps, caller, everybody=everybody),
            "everybody": everybody,
            "admin": admin,
            "typed": name,
            "here": "groups",
        }
        return showing.again(request, caller, "groups", refusal, **facts)

    async def change_mine(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Make a group, say yes or no to one."""
        deed, name = _deed(form, ALL)
        try:
            match deed:
                case "create":
                    await groups.create(self.deps, caller, name, form.get("title", ""))
                    return showing.onward(request, f"/groups/{name}", "The group is made.")
                case "join":
                    await groups.join(self.deps, caller, name)
                    return showing.onward(request, f"/groups/{name}", f"You are in {name} now.")
                case _:
                    await groups.unask(self.deps, caller, name, caller.name)
                    return showing.onward(request, "/groups", f"{name} asks you no longer.")
        except Refusal as refusal:
            return await self._listed(request, caller, refusal, name[:64])

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """One group."""
        return await self._show(request, caller)

    async def _show(
        self, request: web.Request, caller: Caller, refusal: Refusal | None = None
    ) -> web.Response:
        found = await groups.show(self.deps, caller, request.match_info["group"])
        facts: dict[str, Any] = {
            "found": found,
            "group": found.group,
            "admin": reaches(caller.role, groups.RUNS_ALL),
            "here": "groups",
        }
        return showing.again(request, caller, "group", refusal, **facts)

    async def change(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Ask somebody, put him out, hand it over."""
        name = request.match_info["group"]
        deed, whom = _deed(form, ONE)
        whom = whom.strip()
        try:
            match deed:
                case "ask":
                    await groups.ask(self.deps, caller, name, whom)
                    said = f"{whom} is asked to join."
                case "unask":
                    await groups.unask(self.deps, caller, name, whom)
                    said = f"{whom} is asked no longer."
                case "add":
                    await groups.add(self.deps, caller, name, whom)
                    said = f"{whom} is in the group now."
                case "drop":
                    await groups.drop(self.deps, caller, name, whom)
                    if whom == caller.name:
                        return showing.onward(request, "/groups", f"You have left {name}.")
                    said = f"{whom} is in the group no longer."
                case _:
                    await groups.hand_over(self.deps, caller, name, whom)
                    said = f"{whom} owns the group now."
        except Refusal as refusal:
            return await self._show(request, caller, refusal)
        return showing.onward(request, f"/groups/{name}", said)

    async def rename(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Call it something else."""
        new = form.get("name", "").strip()
        try:
            await groups.change(
                self.deps, caller, request.match_info["group"], new, form.get("title", "")
            )
        except Refusal as refusal:
            return await self._show(request, caller, refusal)
        return showing.onward(request, f"/groups/{new}", "The group has its new name.")

    async def remove(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Forget it."""
        name = request.match_info["group"]
        await groups.remove(self.deps, caller, name)
        return showing.onward(request, "/groups", f"The group {name} is no more.")

    def routes(self) -> list[Route]:
        """Every page; who may do what is held by the use cases, as in the API."""
        own, one = Person(), f"/groups/{{group:{NAME}}}"
        form: dict[str, Any] = {"body": Body.FORM, "media": HTML}
        owners = ("group-unknown", "not-owner")
        every = Query("all", "boolean", "Every one; administrators alone.", False)
        return [
            Route("GET", "/groups", self.listed, own, "My groups as a page", media=HTML, head=True,
                  query=(every,)),
            Route("POST", "/groups", self.change_mine, own, "Make a group, say yes or no to one.",
                  fields=(*ALL, "title"), codes=("bad-input", "exists", "group-unknown"), **form),
            Route("GET", one, self.show, own, "A group as a page", media=HTML, head=True,
                  codes=("group-unknown",)),
            Route("POST", one, self.change, own, "Ask somebody, put him out, hand it over.",
                  fields=ONE, codes=(*owners, "bad-input", "account-unknown", "member-unknown",
                                     "invitation-unknown", "forbidden"), **form),
            Route("POST", f"{one}/name", self.rename, own, "Call it something else.",
                  fields=("name", "title"), codes=(*owners, "bad-input", "exists"), **form),
            Route("POST", f"{one}/remove", self.remove, own, "Forget it.", codes=owners, **form),
        ]  # fmt: skip


def _deed(form: Form, deeds: tuple[str, ...]) -> tuple[str, str]:
    """Which of the deeds a form asks for, and of what or whom. Raises BadInput."""
    for deed in deeds:
        if deed in form:
            return deed, form[deed]
    raise BadInput([f"fields: one of {', '.join(deeds)} says what to do; load the page anew"])
