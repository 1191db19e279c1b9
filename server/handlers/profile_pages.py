"""The page of one's own account: name, password, codes, sessions, SSH keys, API tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import segno
from aiohttp import web

from server.domain.errors import BadInput, Refusal
from server.domain.roles import Caller
from server.domain.scopes import SCOPES
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.door import Form
from server.handlers.door_pages import visit_of
from server.handlers.params import form_number
from server.handlers.routes import HTML, Body, Route
from server.handlers.tokens_api import maker_of
from server.services import boincstats, codes, identities, people, sessions, sshkeys, tokens
from server.services.deps import Deps
from server.services.tokens import Wish


def drawn(uri: str) -> str:
    """A QR code as SVG within a page: no script, no style, black on white in both themes."""
    return segno.make(uri, error="m").svg_inline(scale=4, dark="#000", light="#fff", border=3)


def _seconds(form: Form) -> float:
    """The days in a field, in s. Raises BadInput."""
    text = form.get("days", "")
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise BadInput([f"days {text[:20]!r}: how many days the token is good, as a number"])
    return found * tokens.DAY_S


@dataclass(frozen=True)
class ProfilePages:
    """The handlers."""

    deps: Deps

    async def _facts(self, caller: Caller) -> dict[str, Any]:
        account = await people.account_of(self.deps, caller.name)
        kept = await people.credentials_of(self.deps, account)
        setup = await codes.begun(self.deps, account)
        linked = await identities.of_account(self.deps, caller.account)
        providers = self.deps.doors.oidc.providers
        return {
            "account": account,
            "has_password": bool(kept.password),
            "totp": kept.totp_at,
            "setup": setup,
            "qr": drawn(setup.uri) if setup else "",
            "sessions": await sessions.listed(self.deps, caller.account),
            "present": getattr(caller, "session", 0),
            "keys": await sshkeys.listed(self.deps, caller.account),
            "tokens": await tokens.mine(self.deps, caller.account),
            "scopes": SCOPES,
            "token_days": self.deps.doors.rules.token_s / tokens.DAY_S,
            "made": None,
            "linked": linked,
            "titles": {word: each.title for word, each in providers.items()},
            "ways": [
                each
                for word, each in providers.items()
                if not any(one.provider == word for one in linked)
            ],
            "least": self.deps.doors.rules.password_least,
            "mails": self.deps.doors.postman.works,
            "now": self.deps.clock(),
            "export": await boincstats.word(self.deps, caller.account),
            "recovery": [],
            "here": "profile",
        }

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        """The page."""
        return showing.show(request, caller, "profile", **await self._facts(caller))

    async def _again(self, request: web.Request, caller: Caller, refusal: Refusal) -> web.Response:
        return showing.again(request, caller, "profile", refusal, **await self._facts(caller))

    async def keep(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """How one is called and reached."""
        account = await people.account_of(self.deps, caller.name)
        try:
            mailed = await people.set_profile(
                self.deps, account, form.get("full_name", ""), form.get("email", "")
            )
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        said = "A letter with a link is on its way to you." if mailed else "Your profile is kept."
        return showing.onward(request, "/profile", said)

    async def password(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A new password; all other browsers are logged out, and this one gets a new session."""
        account = await people.account_of(self.deps, caller.name)
        try:
            await people.change_password(
                self.deps, account, form.get("old", ""), form.get("new", ""),
                visit_of(request), getattr(caller, "session", 0),
            )  # fmt: skip
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        return showing.onward(
            request, "/profile", "You have a new password; all other browsers are logged out."
        )

    async def codes(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Begin with codes, confirm the first, ask for none any more."""
        account = await people.account_of(self.deps, caller.name)
        visit, deed = visit_of(request), form.get("deed", "")
        try:
            if deed == "confirm":
                made = await codes.confirm(
                    self.deps, account, form.get("code", "")[:40], visit, caller.name
                )
                facts = {**await self._facts(caller), "recovery": made}
                return showing.show(request, caller, "profile", **facts)
            await people.prove(self.deps, account, form.get("password", ""), visit)
            if deed == "begin":
                await codes.begin(self.deps, account)
            elif deed == "renew":
                made = await codes.renew(self.deps, account, caller.name)
                facts = {**await self._facts(caller), "recovery": made}
                return showing.show(request, caller, "profile", **facts)
            elif deed == "off":
                await codes.end(self.deps, account, caller.name)
            else:
                raise BadInput(["deed: begin, confirm, renew or off"])
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        said = "Scan the picture with your app." if deed == "begin" else "Codes are switched off."
        return showing.onward(request, "/profile", said)

    async def end_session(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Log a browser out, or all others."""
        try:
            if form.get("session") == "others":
                account = await people.account_of(self.deps, caller.name)
                own = getattr(caller, "session", 0)
                count = await sessions.end_all(self.deps, account, caller.name, own)
                said = f"{count} other browsers are logged out."
            else:
                number = form_number(form, "session")
                await sessions.end(self.deps, caller.account, number, caller.name)
                said = "That browser is logged out."
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        return showing.onward(request, "/profile", said)

    async def keys(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Add or remove a public SSH key."""
        try:
            if form.get("remove"):
                number = form_number(form, "remove")
                await sshkeys.remove(self.deps, caller.account, caller.name, number)
                said = "The key is removed."
            else:
                await sshkeys.add(self.deps, caller.account, caller.name, form.get("key", ""))
                said = "The key is added."
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        return showing.onward(request, "/profile", said)

    async def make_token(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A new API token, shown this once."""
        try:
            wish = Wish(form.getall("scope", []), _seconds(form), form.get("note", ""))
            made = await tokens.create(self.deps, maker_of(caller), wish)
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        facts = {**await self._facts(caller), "made": made}
        return showing.show(request, caller, "profile", **facts)

    async def revoke_token(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """A token acts for nobody any more."""
        try:
            number = form_number(form, "token")
            await tokens.revoke(self.deps, caller.account, caller.name, number)
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        return showing.onward(request, "/profile", "The token is revoked.")

    async def export(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Be seen by statistics sites, or not any more."""
        agreed = form.get("agreed") == "on"
        try:
            await boincstats.say(
                self.deps, caller.account, caller.name, agreed=agreed,
                cross_id=form.get("cross_id", "").strip().lower(),
            )  # fmt: skip
        except Refusal as refusal:
            return await self._again(request, caller, refusal)
        seen = "They see you from the next files on." if agreed else "They are told to forget you."
        return showing.onward(request, "/profile", seen)

    def routes(self) -> list[Route]:
        """Every route."""
        own, refusals = Person(), ("bad-input", "too-many", "sign-in-refused", "code-refused")
        forms = (
            ("/profile", self.keep, "How I am called and reached.", ("full_name", "email"), ()),
            ("/profile/password", self.password, "A new password.", ("old", "new"), ()),
            ("/profile/codes", self.codes, "Codes beside the password.",
             ("deed", "password", "code"), ("secret-lost",)),
            ("/profile/sessions", self.end_session, "Log a browser out.", ("session",),
             ("session-unknown",)),
            ("/profile/keys", self.keys, "Public SSH keys.", ("key", "remove"),
             ("exists", "ssh-key-unknown")),
            ("/profile/tokens", self.make_token, "Make an API token.",
             ("scope", "days", "note"), ()),
            ("/profile/tokens/revoke", self.revoke_token, "Revoke an API token.", ("token",),
             ("issued-token-unknown",)),
            ("/profile/export", self.export, "Be seen by statistics sites, or not.",
             ("agreed", "cross_id"), ()),
        )  # fmt: skip
        return [
            Route("GET", "/profile", self.show, own, "My account as a page.", media=HTML,
                  head=True, codes=("secret-lost",)),
            *(
                Route("POST", path, handler, own, summary, Body.FORM, media=HTML, fields=fields,
                      codes=(*refusals, *codes_, "account-disabled"))
                for path, handler, summary, fields, codes_ in forms
            ),
        ]  # fmt: skip
