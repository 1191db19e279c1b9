"""One's own account over HTTP: profile, password, codes, sessions, SSH keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from server.domain.roles import Caller
from server.handlers import params
from server.handlers.access import Role
from server.handlers.door_pages import visit_of
from server.handlers.routes import NO_STORE, Body, Reply, Route
from server.services import codes, people, sessions, sshkeys
from server.services.deps import Deps
from server.services.sessions import Listed
from vmagent.wire.messages import bound


@dataclass(frozen=True)
class MeView:
    """One's own account; ``totp``: codes are asked for."""

    name: str
    role: str
    full_name: str
    email: str
    email_checked: bool
    totp: bool


@dataclass(frozen=True)
class ProfileRequest:
    """How one is called and reached."""

    full_name: str = field(default="", metadata=bound(most=100))
    email: str = field(default="", metadata=bound(most=254))


@dataclass(frozen=True)
class ProfileKept:
    """``mailed``: a letter is on its way to the address, with a link that shows it to be one's."""

    mailed: bool


@dataclass(frozen=True)
class ChangeRequest:
    """A new password, by the old one (empty if there was none)."""

    new: str = field(metadata=bound(most=1000))
    old: str = field(default="", metadata=bound(most=1000))


@dataclass(frozen=True)
class ProofRequest:
    """The password, once more."""

    password: str = field(default="", metadata=bound(most=1000))


@dataclass(frozen=True)
class CodeRequest:
    """A code."""

    code: str = field(metadata=bound(most=40))


@dataclass(frozen=True)
class TotpSetup:
    """What an app is told; told again until a first code was right."""

    secret: str
    uri: str


@dataclass(frozen=True)
class RecoveryCodes:
    """Codes that open once each, told once."""

    codes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SessionView:
    """A browser that is logged in."""

    id: int
    how: str
    created_at: float
    seen_at: float
    ends_at: float
    address: str
    agent: str


@dataclass(frozen=True)
class SessionList:
    """Browsers that are logged in."""

    sessions: list[SessionView] = field(default_factory=list)


@dataclass(frozen=True)
class SshKeyRequest:
    """A line of a .pub file."""

    key: str = field(metadata=bound(most=4000))


@dataclass(frozen=True)
class SshKeyView:
    """A public SSH key."""

    id: int
    fingerprint: str
    name: str
    line: str
    added_at: float


@dataclass(frozen=True)
class SshKeyList:
    """Public SSH keys."""

    keys: list[SshKeyView] = field(default_factory=list)


def session_view(each: Listed) -> SessionView:
    """A session as people see it."""
    return SessionView(
        each.id, each.how, each.created_at, each.seen_at, each.ends_at, each.address, each.agent
    )


@dataclass(frozen=True)
class MeApi:
    """The handlers."""

    deps: Deps

    async def show(self, request: web.Request, caller: Caller) -> MeView:
        """One's own account."""
        found = await people.account_of(self.deps, caller.name)
        kept = await people.credentials_of(self.deps, found)
        checked = found.email_checked_at is not None
        return MeView(found.name, found.role, found.full_name, found.email, checked,
                      kept.totp_at is not None)  # fmt: skip

    async def set_profile(
        self, request: web.Request, caller: Caller, message: ProfileRequest
    ) -> ProfileKept:
        """How one is called and reached."""
        account = await people.account_of(self.deps, caller.name)
        mailed = await people.set_profile(self.deps, account, message.full_name, message.email)
        return ProfileKept(mailed)

    async def change_password(
        self, request: web.Request, caller: Caller, message: ChangeRequest
    ) -> None:
        """A new password."""
        account = await people.account_of(self.deps, caller.name)
        visit = visit_of(request)
        await people.change_password(self.deps, account, message.old, message.new, visit)

    async def begin_codes(
        self, request: web.Request, caller: Caller, message: ProofRequest
    ) -> Reply:
        """A secret for an app."""
        account = await people.account_of(self.deps, caller.name)
        await people.prove(self.deps, account, message.password, visit_of(request))
        made = await codes.begin(self.deps, account)
        return Reply(TotpSetup(made.secret, made.uri), 201, NO_STORE)

    async def confirm_codes(
        self, request: web.Request, caller: Caller, message: CodeRequest
    ) -> Reply:
        """The first code: from now on they are asked for."""
        account = await people.account_of(self.deps, caller.name)
        found = await codes.confirm(
            self.deps, account, message.code, visit_of(request), caller.name
        )
        return Reply(RecoveryCodes(found), 201, NO_STORE)

    async def end_codes(self, request: web.Request, caller: Caller, message: ProofRequest) -> None:
        """Ask for no codes any more."""
        account = await people.account_of(self.deps, caller.name)
        await people.prove(self.deps, account, message.password, visit_of(request))
        await codes.end(self.deps, account, caller.name)

    async def list_sessions(self, request: web.Request, caller: Caller) -> SessionList:
        """Where one is logged in."""
        found = await sessions.listed(self.deps, caller.account)
        return SessionList([session_view(each) for each in found])

    async def end_session(self, request: web.Request, caller: Caller) -> None:
        """Log a browser out."""
        session = params.path_number(request, "session")
        await sessions.end(self.deps, caller.account, session, caller.name)

    async def list_keys(self, request: web.Request, caller: Caller) -> SshKeyList:
        """One's public SSH keys."""
        rows = await sshkeys.listed(self.deps, caller.account)
        return SshKeyList(
            [SshKeyView(r.id, r.fingerprint, r.name, r.line, r.added_at) for r in rows]
        )

    async def add_key(self, request: web.Request, caller: Caller, message: SshKeyRequest) -> Reply:
        """Add a public SSH key."""
        r = await sshkeys.add(self.deps, caller.account, caller.name, message.key)
        return Reply(SshKeyView(r.id, r.fingerprint, r.name, r.line, r.added_at), 201)

    async def remove_key(self, request: web.Request, caller: Caller) -> None:
        """Remove a public SSH key."""
        key = params.path_number(request, "key")
        await sshkeys.remove(self.deps, caller.account, caller.name, key)

    def routes(self) -> list[Route]:
        """Every route."""
        base, own = "/api/v1/me", Role("volunteer")
        proof = ("sign-in-refused", "too-many", "account-disabled")
        return [
            Route("GET", base, self.show, own, "My account.", reply=MeView),
            Route("PUT", base, self.set_profile, own, "How I am called and reached.", Body.JSON,
                  ProfileRequest, ProfileKept, codes=("bad-input", "too-many")),
            Route("POST", f"{base}/password", self.change_password, own, "A new password.",
                  Body.JSON, ChangeRequest, status=204, codes=("bad-input", *proof)),
            Route("POST", f"{base}/totp", self.begin_codes, own,
                  "A secret for an app that makes codes.", Body.JSON, ProofRequest, TotpSetup, 201,
                  codes=("code-refused", *proof)),
            Route("POST", f"{base}/totp/confirm", self.confirm_codes, own,
                  "The first code; from now on they are asked for.", Body.JSON, CodeRequest,
                  RecoveryCodes, 201, codes=("code-refused", "secret-lost", "too-many")),
            Route("POST", f"{base}/totp/off", self.end_codes, own, "Ask for no codes any more.",
                  Body.JSON, ProofRequest, status=204, codes=proof),
            Route("GET", f"{base}/sessions", self.list_sessions, own, "Where I am logged in.",
                  reply=SessionList),
            Route("POST", f"{base}/sessions/{{session:{params.ID}}}/end", self.end_session, own,
                  "Log a browser out.", status=204, codes=("session-unknown",)),
            Route("GET", f"{base}/ssh-keys", self.list_keys, own, "My public SSH keys.",
                  reply=SshKeyList),
            Route("POST", f"{base}/ssh-keys", self.add_key, own, "Add a public SSH key.",
                  Body.JSON, SshKeyRequest, SshKeyView, 201, codes=("bad-input", "exists")),
            Route("POST", f"{base}/ssh-keys/{{key:{params.ID}}}/remove", self.remove_key, own,
                  "Remove a public SSH key.", status=204, codes=("ssh-key-unknown",)),
        ]  # fmt: skip
