"""Accounts of others over HTTP, for administrators: passwords, standing, invitations, the log."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.domain.roster import TEXT_MOST
from server.handlers import params
from server.handlers.access import Role
from server.handlers.me_api import SessionList, session_view
from server.handlers.routes import NO_STORE, Body, Query, Reply, Route
from server.services import audit, codes, links, people, roster, sessions
from server.services.deps import Deps
from server.services.roster import Brought
from vmagent.wire.messages import bound

ACCOUNT = "/api/v1/accounts/{name:[a-zA-Z0-9_-]{1,64}}"


@dataclass(frozen=True)
class PasswordRequest:
    """A new password."""

    password: str = field(metadata=bound(most=1000))


@dataclass(frozen=True)
class RoleRequest:
    """Another role."""

    role: str = field(metadata=bound(most=32))


@dataclass(frozen=True)
class InvitationRequest:
    """An invitation; mailed if there is an address and this site sends mail."""

    email: str = field(default="", metadata=bound(most=254))
    role: str = field(default="volunteer", metadata=bound(most=32))
    note: str = field(default="", metadata=bound(most=200))


@dataclass(frozen=True)
class LinkMade:
    """A link that is good once, told once; ``mailed``: it is on its way to the address."""

    id: int
    url: str
    expires_at: float
    mailed: bool = False


@dataclass(frozen=True)
class InvitationView:
    """An invitation without its link."""

    id: int
    email: str
    role: str
    note: str
    made_by: str
    made_at: float
    expires_at: float


@dataclass(frozen=True)
class InvitationList:
    """The invitations that are still good."""

    invitations: list[InvitationView] = field(default_factory=list)


@dataclass(frozen=True)
class ImportRequest:
    """People as a CSV file: name, email, role, groups (blanks between), site; ``check`` looks."""

    csv: str = field(metadata=bound(most=TEXT_MOST))
    check: bool = False


@dataclass(frozen=True)
class ImportMade:
    """Everybody in the file, with their invitations, told once."""

    people: list[Brought] = field(default_factory=list)


@dataclass(frozen=True)
class Ended:
    """How many sessions ended."""

    ended: int


@dataclass(frozen=True)
class AuditView:
    """One deed."""

    id: int
    at: float
    who: str
    what: str
    subject: str
    details: str
    address: str


@dataclass(frozen=True)
class AuditList:
    """Deeds, newest first; ``before`` asks for the page after this one, 0: there is none."""

    entries: list[AuditView] = field(default_factory=list)
    before: int = 0


async def audited(deps: Deps, request: web.Request) -> AuditList:
    """The page of the log that the address asks for."""
    who, what, subject = (
        request.query.get(name, "")[:200].replace("\0", "") for name in ("who", "what", "subject")
    )
    before = params.query_number(request, "before", 0, 0, 2**62)
    most = params.query_number(request, "most", 50, 1, audit.PAGE_MOST)
    rows = await audit.entries(deps, who, what, subject, before, most)
    views = [AuditView(r.id, r.at, r.who, r.what, r.subject, r.details, r.address) for r in rows]
    return AuditList(views, rows[-1].id if len(rows) == most else 0)


@dataclass(frozen=True)
class AccountsApi:
    """The handlers."""

    deps: Deps

    async def set_password(
        self, request: web.Request, caller: Caller, message: PasswordRequest
    ) -> None:
        """Give an account a password."""
        account = await people.account_of(self.deps, request.match_info["name"])
        await people.set_password(self.deps, account, message.password, caller.name)

    async def reset_link(self, request: web.Request, caller: Caller) -> Reply:
        """A link that sets a password."""
        account = await people.account_of(self.deps, request.match_info["name"])
        made = await people.reset_link(self.deps, account, caller.name)
        view = LinkMade(made.id, made.url, made.expires_at)
        return Reply(view, 201, NO_STORE)

    async def codes_off(self, request: web.Request, caller: Caller) -> None:
        """Ask for no codes any more, of somebody who has lost his telephone."""
        account = await people.account_of(self.deps, request.match_info["name"])
        await codes.end(self.deps, account, caller.name)

    async def disable(self, request: web.Request, caller: Caller) -> None:
        """Let an account in no more."""
        account = await people.account_of(self.deps, request.match_info["name"])
        await people.disable(self.deps, account, caller.name)

    async def enable(self, request: web.Request, caller: Caller) -> None:
        """Let an account in again."""
        account = await people.account_of(self.deps, request.match_info["name"])
        await people.enable(self.deps, account, caller.name)

    async def set_role(self, request: web.Request, caller: Caller, message: RoleRequest) -> None:
        """Change what an account may do."""
        account = await people.account_of(self.deps, request.match_info["name"])
        await people.set_role(self.deps, account, message.role, caller.name)

    async def list_sessions(self, request: web.Request, caller: Caller) -> SessionList:
        """The sessions of an account."""
        account = await people.account_of(self.deps, request.match_info["name"])
        found = await sessions.listed(self.deps, account.id)
        return SessionList([session_view(each) for each in found])

    async def end_sessions(self, request: web.Request, caller: Caller) -> Ended:
        """End every session of an account."""
        account = await people.account_of(self.deps, request.match_info["name"])
        return Ended(await sessions.end_all(self.deps, account, caller.name))

    async def invite(
        self, request: web.Request, caller: Caller, message: InvitationRequest
    ) -> Reply:
        """A link that makes an account."""
        made = await links.invite(
            self.deps, caller.name, caller.role, message.email, message.role, message.note
        )
        view = LinkMade(made.id, made.url, made.expires_at, made.mailed)
        return Reply(view, 201, NO_STORE)

    async def bring(self, request: web.Request, caller: Caller, message: ImportRequest) -> Reply:
        """Invite everybody in a file."""
        found = await roster.bring(
            self.deps, caller.name, caller.role, message.csv, only_look=message.check
        )
        return Reply(ImportMade(found), 201, NO_STORE)

    async def list_invitations(self, request: web.Request, caller: Caller) -> InvitationList:
        """The invitations that are still good."""
        return InvitationList(
            [
                InvitationView(r.id, r.email, r.role, r.note, r.made_by, r.made_at, r.expires_at)
                for r in await links.invitations(self.deps)
            ]
        )

    async def revoke_invitation(self, request: web.Request, caller: Caller) -> None:
        """An invitation opens nothing any more."""
        link = params.path_number(request, "invitation")
        await links.revoke_invitation(self.deps, link, caller.name)

    async def audit(self, request: web.Request, caller: Caller) -> AuditList:
        """Who did what."""
        return await audited(self.deps, request)

    def routes(self) -> list[Route]:
        """Every route."""
        base, admin, manager = "/api/v1", Role("admin"), Role(links.INVITES)
        invitation = f"{base}/invitations/{{invitation:{params.ID}}}"
        unknown = ("account-unknown",)
        wants = (
            Query("who", "string", "By whom."),
            Query("what", "string", "What; with a dot at its end, all that begins so."),
            Query("subject", "string", "To whom or what."),
            Query("before", "integer", "Older than this entry.", 0),
            Query("most", "integer", "How many.", 50),
        )
        return [
            Route("POST", f"{ACCOUNT}/password", self.set_password, admin,
                  "Give an account a password; its sessions end.", Body.JSON, PasswordRequest,
                  status=204, codes=(*unknown, "bad-input")),
            Route("POST", f"{ACCOUNT}/reset", self.reset_link, admin,
                  "A link that sets a password, told once.", reply=LinkMade, status=201,
                  codes=unknown),
            Route("POST", f"{ACCOUNT}/totp/off", self.codes_off, admin,
                  "Ask for no codes any more.", status=204, codes=unknown),
            Route("POST", f"{ACCOUNT}/disable", self.disable, admin,
                  "Let an account in no more; its sessions and tokens end at once.", status=204,
                  codes=(*unknown, "bad-input")),
            Route("POST", f"{ACCOUNT}/enable", self.enable, admin, "Let an account in again.",
                  status=204, codes=unknown),
            Route("POST", f"{ACCOUNT}/role", self.set_role, admin,
                  "Change what an account may do.", Body.JSON, RoleRequest, status=204,
                  codes=(*unknown, "bad-input")),
            Route("GET", f"{ACCOUNT}/sessions", self.list_sessions, admin,
                  "The sessions of an account.", reply=SessionList, codes=unknown),
            Route("POST", f"{ACCOUNT}/sessions/end", self.end_sessions, admin,
                  "End every session of an account.", reply=Ended, codes=unknown),
            Route("POST", f"{base}/invitations", self.invite, manager,
                  "A link that makes an account, told once.", Body.JSON, InvitationRequest,
                  LinkMade, 201, codes=("bad-input",)),
            Route("POST", f"{base}/accounts/import", self.bring, Role(roster.BRINGS),
                  "Invite everybody in a CSV file, or, if anything in it is wrong, nobody.",
                  Body.JSON, ImportRequest, ImportMade, 201, codes=("bad-input",),
                  most=4 * TEXT_MOST),
            Route("GET", f"{base}/invitations", self.list_invitations, manager,
                  "The invitations that are still good.", reply=InvitationList),
            Route("POST", f"{invitation}/revoke", self.revoke_invitation, manager,
                  "An invitation opens nothing any more.", status=204,
                  codes=("invitation-unknown",)),
            Route("GET", f"{base}/audit", self.audit, admin, "Who did what, newest first.",
                  reply=AuditList, query=wants, codes=("bad-parameter",)),
        ]  # fmt: skip
