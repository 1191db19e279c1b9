"""What identities of other providers open: accounts that are there, and new ones."""

from __future__ import annotations

import json

from server.db import accounts, credentials, identities
from server.db.accounts import Account
from server.db.base import Tx
from server.db.identities import Linked
from server.domain.errors import AccountDisabled, Exists, NotFound, Refusal
from server.domain.oidc import Identity, Provider, names_for, role_of
from server.domain.people import email_faults
from server.services import audit, sessions
from server.services.deps import Deps
from server.services.sessions import Opened, Visit

SEALED_S = 600.0  # how long somebody may take to confirm a link


class NobodyYet(Refusal):
    """Nobody here is linked with this account of {title}; log in, and link it on your profile."""

    code = "nobody-linked"
    title: str


class LastWayIn(Refusal):
    """{provider} is the only way into this account; set a password first."""

    code = "last-way-in"
    provider: str


async def sign_in(
    deps: Deps, provider: Provider, who: Identity, visit: Visit, old: str = ""
) -> Opened:
    """Open a session for whom the provider names; ``old`` is the browser's session before.

    A half one if the account has codes, unless the provider is known to ask for a second thing.
    Raises NobodyYet, AccountDisabled.
    """
    now = deps.clock()

    async def write(tx: Tx) -> Opened:
        account = await _account(tx, provider, who, now)
        if account.state != "active":
            raise AccountDisabled(account.name)
        account = await _with_role(tx, provider, who, account, now)
        kept = await credentials.of(tx, account.id)
        half = kept.totp_at is not None and not provider.second_factor
        return await sessions.add(deps, tx, account, f"oidc {provider.word}", visit, old, half)

    return await deps.store.write(write)


async def _account(tx: Tx, provider: Provider, who: Identity, now: float) -> Account:
    linked = await identities.find(tx, who.issuer, who.subject)
    if linked is not None:
        found = await accounts.of_id(tx, linked.account)
        if found is None:
            raise NobodyYet(provider.title)
        return found
    if provider.by_email and who.email_verified and who.email:
        found = await accounts.of_email(tx, who.email)
        if found is not None:
            await _link(tx, found, who, provider.title, now)
            return found
    if not provider.creates:
        raise NobodyYet(provider.title)
    return await _made(tx, provider, who, now)


async def _made(tx: Tx, provider: Provider, who: Identity, now: float) -> Account:
    role = role_of(provider, who.groups) or "volunteer"
    for name in names_for(who):
        number = await accounts.create(tx, name, role, now)
        if number is not None:
            break
    else:
        raise Exists("account", name)
    if who.full_name:
        await accounts.set_full_name(tx, number, who.full_name[:100])
    if who.email and not email_faults(who.email):
        taken = await accounts.of_email(tx, who.email)
        checked = who.email_verified and provider.by_email and taken is None
        await accounts.set_email(tx, number, who.email, now if checked else None)
    audit.note(tx, name, "account.create", name, f"{role}, by {provider.title}", at=now)
    made = await accounts.of_id(tx, number)
    if made is None:
        raise NotFound("account", name)
    await _link(tx, made, who, provider.title, now)
    return made


async def _with_role(
    tx: Tx, provider: Provider, who: Identity, account: Account, now: float
) -> Account:
    """The account with the role that its groups give, if it has no other way in."""
    role = role_of(provider, who.groups)
    kept = await credentials.of(tx, account.id)
    if role is None or role == account.role or kept.password:
        return account
    await accounts.set_role(tx, account.id, role)
    audit.note(
        tx, account.name, "account.role", account.name, f"{role}, by {provider.title}", at=now
    )
    found = await accounts.of_id(tx, account.id)
    return account if found is None else found


async def _link(tx: Tx, account: Account, who: Identity, title: str, now: float) -> None:
    linked = Linked(who.issuer, who.subject, account.id, who.provider, now)
    if not await identities.add(tx, linked):
        raise Exists("identity", title)
    audit.note(tx, account.name, "account.link", account.name, title, at=now)


def sealed(deps: Deps, account: int, who: Identity) -> str:
    """An identity that was proved, for its owner to confirm; nobody else can use or make it."""
    facts = [who.issuer, who.subject, who.provider, deps.clock() + SEALED_S]
    return deps.safe.close(json.dumps(facts).encode(), f"link {account}").hex()


async def link(deps: Deps, account: Account, text: str, title: str) -> None:
    """Let an identity that was `sealed` open this account. Raises NobodyYet, Exists."""
    now = deps.clock()
    try:
        issuer, subject, provider, until = json.loads(
            deps.safe.open(bytes.fromhex(text), f"link {account.id}")
        )
    except (ValueError, Refusal) as error:
        raise NobodyYet(title) from error
    if until < now:
        raise NobodyYet(title)
    who = Identity(issuer, subject, provider)
    await deps.store.write(lambda tx: _link(tx, account, who, title, now))


async def unlink(deps: Deps, account: Account, provider: str) -> None:
    """Let a provider open this account no longer. Raises NotFound, LastWayIn."""
    now = deps.clock()

    async def write(tx: Tx) -> None:
        there = await identities.of_account(tx, account.id)
        if not any(one.provider == provider for one in there):
            raise NotFound("identity", provider)
        kept = await credentials.of(tx, account.id)
        if not kept.password and all(one.provider == provider for one in there):
            raise LastWayIn(provider)
        await identities.remove(tx, account.id, provider)
        audit.note(tx, account.name, "account.unlink", account.name, provider, at=now)

    await deps.store.write(write)


async def of_account(deps: Deps, account: int) -> list[Linked]:
    """The identities that open an account."""
    return await deps.store.read(lambda tx: identities.of_account(tx, account))
