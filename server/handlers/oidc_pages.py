"""Signing in with another provider, and linking what it says of somebody with an account here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from aiohttp import hdrs, web

from server.domain.errors import AccountDisabled, NotFound, Refusal
from server.domain.oidc import Provider
from server.domain.roles import Caller
from server.handlers import showing
from server.handlers.access import Person, Role, Visitor
from server.handlers.door import DOOR, Form, safe_path
from server.handlers.door_pages import visit_of, welcome
from server.handlers.routes import HTML, Body, Query, Route
from server.services import identities, oidc, people
from server.services.deps import Deps

TRIP_S = 600
PROFILE = "/profile"
_ANSWER = ("state", "code", "error", "iss")


@dataclass(frozen=True)
class IdentityView:
    """What opens an account beside its password."""

    provider: str
    issuer: str
    subject: str
    linked_at: float


@dataclass(frozen=True)
class IdentityList:
    """All of it."""

    identities: list[IdentityView] = field(default_factory=list)


@dataclass(frozen=True)
class OidcPages:
    """The handlers."""

    deps: Deps

    def _provider(self, request: web.Request) -> Provider:
        word = request.match_info["provider"]
        found = self.deps.doors.oidc.providers.get(word)
        if found is None:
            raise NotFound("provider", word)
        return found

    def _back(self, request: web.Request, provider: Provider) -> str:
        return f"{request.app[DOOR].own(request)}/login/with/{provider.word}/back"

    async def _leave(self, request: web.Request, purpose: str, onto: str) -> web.Response:
        provider, now = self._provider(request), self.deps.clock()
        trip = oidc.Trip(secrets.token_urlsafe(32), purpose, onto)
        desk = self.deps.doors.oidc
        well = self.deps.doors.try_provider(now, request.app[DOOR].address(request))
        place = await oidc.leave(desk, provider, trip, self._back(request, provider), now)
        well()
        headers = {**showing.HEADERS, hdrs.LOCATION: place, "Cache-Control": "no-store"}
        response = web.Response(status=303, headers=headers)
        request.app[DOOR].keep(response, "trip", trip.secret, TRIP_S)
        return response

    async def sign_in(self, request: web.Request, caller: Caller | None) -> web.Response:
        """Go to the provider."""
        return await self._leave(request, "in", safe_path(request.query.get("next", "/")))

    async def begin_link(self, request: web.Request, caller: Caller) -> web.Response:
        """Go to the provider, to link what it says with this account."""
        return await self._leave(request, f"link-{caller.account}", PROFILE)

    async def back(self, request: web.Request, caller: Caller | None) -> web.Response:
        """Come back from the provider: signed in, or asked whether to link."""
        provider, door = self._provider(request), request.app[DOOR]
        answer = {key: request.query[key][:4096] for key in _ANSWER if key in request.query}
        trip = oidc.Trip.back(door.read(request, "trip"), answer.get("state", ""))
        well = self.deps.doors.try_provider(self.deps.clock(), door.address(request))
        try:
            who = await oidc.arrive(
                self.deps.doors.oidc,
                provider,
                trip,
                self._back(request, provider),
                answer,
                self.deps.clock(),
            )
            well()
            if trip.purpose == "in":
                opened = await identities.sign_in(
                    self.deps, provider, who, visit_of(request), door.session(request)
                )
                response = welcome(request, opened, safe_path(trip.onto))
            elif caller is not None and trip.purpose == f"link-{caller.account}":
                sealed = identities.sealed(self.deps, caller.account, who)
                response = showing.show(
                    request, caller, "link", provider=provider, who=who, sealed=sealed
                )
            else:
                raise oidc.ProviderRefused(provider.title, "you are no longer logged in here")
        except (
            oidc.ProviderAway,
            oidc.ProviderRefused,
            identities.NobodyYet,
            AccountDisabled,
        ) as refusal:
            response = showing.fault(request, caller, refusal)
        door.drop(response, "trip")
        return response

    async def link(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Let what the provider said open this account."""
        provider = self._provider(request)
        account = await people.account_of(self.deps, caller.name)
        try:
            await identities.link(self.deps, account, form.get("sealed", ""), provider.title)
        except Refusal as refusal:
            return showing.fault(request, caller, refusal)
        return showing.onward(request, PROFILE, f"You can log in with {provider.title} now.")

    async def unlink(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Let the provider open this account no longer."""
        account = await people.account_of(self.deps, caller.name)
        word = request.match_info["provider"]
        try:
            await identities.unlink(self.deps, account, word)
        except Refusal as refusal:
            return showing.fault(request, caller, refusal)
        return showing.onward(request, PROFILE, f"{word} does not open this account any more.")

    async def listed(self, request: web.Request, caller: Caller) -> IdentityList:
        """What opens the caller's account beside its password."""
        rows = await identities.of_account(self.deps, caller.account)
        return IdentityList(
            [IdentityView(r.provider, r.issuer, r.subject, r.linked_at) for r in rows]
        )

    async def unlinked(self, request: web.Request, caller: Caller) -> None:
        """Let a provider open the caller's account no longer."""
        account = await people.account_of(self.deps, caller.name)
        await identities.unlink(self.deps, account, request.match_info["provider"])

    def routes(self) -> list[Route]:
        """Every route of providers."""
        word = "{provider:[a-z0-9-]{1,32}}"
        mine = "/api/v1/me/identities"
        away = ("provider-unknown", "provider-away", "too-many")
        return [
            Route("GET", f"/login/with/{word}", self.sign_in, Visitor(), "Go to a provider.",
                  media=HTML, status=303, codes=away,
                  query=(Query("next", "string", "Where to go then."),)),
            Route("GET", f"/login/with/{word}/back", self.back, Visitor(),
                  "Come back from a provider.", media=HTML,
                  codes=(*away, "provider-refused", "nobody-linked", "account-disabled"),
                  query=tuple(Query(key, "string", "Of OpenID Connect.") for key in _ANSWER)),
            Route("GET", f"{PROFILE}/link/{word}", self.begin_link, Person(),
                  "Go to a provider, to link it.", media=HTML, status=303, codes=away),
            Route("POST", f"{PROFILE}/link/{word}", self.link, Person(), "Link an identity.",
                  Body.FORM, media=HTML, fields=("sealed",),
                  codes=("provider-unknown", "nobody-linked", "exists")),
            Route("POST", f"{PROFILE}/unlink/{word}", self.unlink, Person(),
                  "Unlink what a provider says.", Body.FORM, media=HTML,
                  codes=("identity-unknown", "last-way-in")),
            Route("GET", mine, self.listed, Role("volunteer"),
                  "What opens the account beside its password.", reply=IdentityList),
            Route("POST", f"{mine}/{word}/unlink", self.unlinked, Role("volunteer"),
                  "Unlink what a provider says.", status=204,
                  codes=("identity-unknown", "last-way-in")),
        ]  # fmt: skip
