"""The page of bans, of machines and of versions of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from server.domain.errors import BadInput
from server.domain.roles import Caller, reaches
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.routes import HTML, Body, Route
from server.services import agentbans, portrait
from server.services.deps import Deps

SHOWN = 200
BELOW = "<"  # before the version of a ban of all before it
_VALUES: Mapping[str, str] = MappingProxyType(
    {"which": "this", "version": "", "reason": "", "seconds": ""}
)


def seconds_of(form: Form) -> float | None:
    """For how long a form bans; None is until somebody lifts it. Raises BadInput."""
    text = form.get("seconds", "")
    if text and not (text.isdecimal() and len(text) < 10 and int(text)):
        raise BadInput([f"seconds {text[:20]!r}: a number, or nothing for no end"])
    return float(text) if text else None


@dataclass(frozen=True)
class BanPages:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """The bans."""
        return await self._show(request, caller, {}, {})

    async def ban(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Refuse versions of the agent."""
        version, reason = form.get("version", "").strip(), form.get("reason", "")
        below = form.get("which", "") == "below"
        this, before = ("", version) if below else (version, "")
        try:
            until = seconds_of(form)
            await agentbans.ban(self.deps, this, before, reason, until, caller.name)
        except BadInput as fault:
            beside = "reason" if str(fault).startswith("reason") else "version"
            return await self._show(request, caller, form, {beside: str(fault)})
        return showing.onward(request, "/bans", "Banned; what its machines had leased is taken.")

    async def lift(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Take versions of the agent again."""
        span = form.get("span", "")
        this, before = ("", span[1:]) if span.startswith(BELOW) else (span, "")
        await agentbans.lift(self.deps, this, before, caller.name)
        return showing.onward(request, "/bans", "The ban is lifted.")

    async def _show(
        self,
        request: web.Request,
        caller: Caller,
        form: Mapping[str, str],
        errors: Mapping[str, str],
    ) -> web.Response:
        found = await portrait.all_bans(self.deps, SHOWN)
        return showing.show(
            request, caller, "bans", 400 if errors else 200, here="hosts", bans=found,
            admin=reaches(caller.role, "admin"), values={**_VALUES, **form}, errors=errors,
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """The page, and its forms."""
        admin = Person("admin")
        return [
            Route("GET", "/bans", self.show, Person("operator"), "The bans as a page", media=HTML,
                  head=True),
            Route("POST", "/bans", self.ban, admin, "Refuse versions of the agent.", Body.FORM,
                  media=HTML, fields=(*_VALUES,), codes=("bad-input",)),
            Route("POST", "/bans/lift", self.lift, admin, "Take versions of the agent again.",
                  Body.FORM, media=HTML, fields=("span",), codes=("bad-input", "ban-unknown")),
        ]  # fmt: skip
