"""Pages for administrators: accounts, invitations, one account, who did what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from server.domain.errors import BadInput, Refusal
from server.domain.roles import ROLES, Caller
from server.domain.roster import TEXT_MOST
from server.handlers import showing
from server.handlers.access import Person
from server.handlers.accounts_api import audited
from server.handlers.door import Form
from server.handlers.params import form_number
from server.handlers.routes import HTML, Body, Query, Route
from server.services import codes, enrol, links, people, roster, sessions
from server.services.deps import Deps

NAME = "{name:[a-zA-Z0-9_-]{1,64}}"


@dataclass(frozen=True)
class AdminPages:
    """The handlers."""

    deps: Deps

    async def _accounts(self, caller: Caller) -> dict[str, Any]:
        return {
            "accounts": await enrol.list_accounts(self.deps),
            "invitations": await links.invitations(self.deps),
            "roles": ROLES,
            "made": None,
            "mails": self.deps.doors.postman.works,
            "brought": [],
            "csv": "",
            "here": "accounts",
        }

    async def show_accounts(self, request: web.Request, caller: Caller) -> web.Response:
        """All accounts, and the invitations that are still good."""
        facts = await self._accounts(caller)
        return showing.show(request, caller, "accounts", **facts)

    async def change_accounts(
        self, request: web.Request, caller: Caller, form: Form
    ) -> web.Response:
        """Make an account, make or revoke an invitation."""
        deed = form.get("deed", "")
        try:
            if deed == "create":
                made = await enrol.create_account(
                    self.deps, form.get("name", ""), form.get("role", "volunteer"), caller.name
                )
                return showing.onward(request, f"/admin/accounts/{made.name}", "It is made.")
            if deed == "revoke":
                link = form_number(form, "invitation")
                await links.revoke_invitation(self.deps, link, caller.name)
                return showing.onward(request, "/admin/accounts", "The invitation is revoked.")
            if deed != "invite":
                raise BadInput(["deed: create, invite or revoke"])
            link_made = await links.invite(
                self.deps, caller.name, caller.role, form.get("email", "").strip(),
                form.get("role", "volunteer"), form.get("note", ""),
            )  # fmt: skip
        except Refusal as refusal:
            facts = await self._accounts(caller)
            return showing.again(request, caller, "accounts", refusal, **facts)
        facts = {**await self._accounts(caller), "made": link_made}
        return showing.show(request, caller, "accounts", **facts)

    async def bring(self, request: web.Request, caller: Caller, form: Form) -> web.Response:
        """Invite everybody in a CSV file, or look at it first."""
        text, look = form.get("csv", ""), form.get("do") == "look"
        try:
            found = await roster.bring(self.deps, caller.name, caller.role, text, only_look=look)
        except Refusal as refusal:
            facts = {**await self._accounts(caller), "csv": text}
            return showing.again(request, caller, "accounts", refusal, **facts)
        facts = {**await self._accounts(caller), "brought": found, "csv": text if look else ""}
        return showing.show(request, caller, "accounts", **facts)

    async def _account(self, name: str) -> dict[str, Any]:
        account = await people.account_of(self.deps, name)
        kept = await people.credentials_of(self.deps, account)
        return {
            "account": account,
            "has_password": bool(kept.password),
            "totp": kept.totp_at,
            "sessions": await sessions.listed(self.deps, account.id),
            "roles": ROLES,
            "made": None,
            "here": "accounts",
        }

    async def show_account(self, request: web.Request, caller: Caller) -> web.Response:
        """One account."""
        facts = await self._account(request.match_info["name"])
        return showing.show(request, caller, "account", **facts)

    async def change_account(
        self, request: web.Request, caller: Caller, form: Form
    ) -> web.Response:
        """Disable, enable, change its role, log it out, help its owner in again."""
        account = await people.account_of(self.deps, request.match_info["name"])
        deed, by, deps = form.get("deed", ""), caller.name, self.deps
        try:
            match deed:
                case "disable":
                    await people.disable(deps, account, by)
                case "enable":
                    await people.enable(deps, account, by)
                case "role":
                    await people.set_role(deps, account, form.get("role", ""), by)
                case "sessions":
                    await sessions.end_all(deps, account, by)
                case "codes":
                    await codes.end(deps, account, by)
                case "reset":
                    made = await people.reset_link(deps, account, by)
                    facts = {**await self._account(account.name), "made": made}
                    return showing.show(request, caller, "account", **facts)
                case _:
                    raise BadInput(["deed: disable, enable, role, sessions, codes or reset"])
        except Refusal as refusal:
            facts = await self._account(account.name)
            return showing.again(request, caller, "account", refusal, **facts)
        return showing.onward(request, f"/admin/accounts/{account.name}", "Done.")

    async def show_audit(self, request: web.Request, caller: Caller) -> web.Response:
        """Who did what."""
        found = await audited(self.deps, request)
        asked = {name: request.query.get(name, "") for name in ("who", "what", "subject")}
        further = ""
        if found.before:
            more = {name: value for name, value in asked.items() if value}
            further = f"/admin/audit?{urlencode({**more, 'before': str(found.before)})}"
        return showing.show(
            request, caller, "audit", entries=found.entries, asked=asked, further=further,
            here="accounts",
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """Every route."""
        admin = Person("admin")
        one = f"/admin/accounts/{NAME}"
        asks = tuple(
            Query(name, "string", summary)
            for name, summary in (("who", "By whom."), ("what", "What."), ("subject", "To whom."))
        )
        before = Query("before", "integer", "Older than this entry.", 0)
        return [
            Route("GET", "/admin/accounts", self.show_accounts, admin, "All accounts.",
                  media=HTML, head=True),
            Route("POST", "/admin/accounts", self.change_accounts, admin,
                  "Make an account or an invitation.", Body.FORM, media=HTML,
                  fields=("deed", "name", "role", "email", "note", "invitation"),
                  codes=("bad-input", "exists", "invitation-unknown")),
            Route("POST", "/admin/accounts/import", self.bring, admin,
                  "Invite everybody in a CSV file, or look at it first.", Body.FORM, media=HTML,
                  fields=("csv", "do"), codes=("bad-input",), most=4 * TEXT_MOST),
            Route("GET", one, self.show_account, admin, "One account.", media=HTML, head=True,
                  codes=("account-unknown",)),
            Route("POST", one, self.change_account, admin, "Change an account.", Body.FORM,
                  media=HTML, fields=("deed", "role"), codes=("account-unknown", "bad-input")),
            Route("GET", "/admin/audit", self.show_audit, admin, "Who did what.", media=HTML,
                  head=True, query=(*asks, before), codes=("bad-parameter",)),
        ]  # fmt: skip
