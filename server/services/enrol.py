"""Accounts, tokens and hosts: who is let in, with what, and who no longer."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from server.db import accounts, hosts, machines, sites
from server.db.accounts import Account, Token
from server.db.base import Tx
from server.db.hosts import Order
from server.db.sites import Site
from server.domain.errors import (
    AccountDisabled,
    BadInput,
    Exists,
    HostRevoked,
    HostUnmanaged,
    NotFound,
    Refusal,
    TokenElsewhere,
    TokenExpired,
    TokenRevoked,
    TokenUnknown,
    TokenUsed,
)
from server.domain.farm import check_name
from server.domain.pairing import within
from server.domain.people import name_faults
from server.domain.roles import ROLES
from server.domain.scopes import WHOLE
from server.services import audit, switching
from server.services.cards import HostCard
from server.services.deps import Deps
from server.services.factsheet import Sheet, from_text, to_text
from server.services.retoken import expect, new_secret

ORDERS = (
    *("drain", "stop", "suspend", "resume", "refresh-keys", "recontextualize", "limits"),
    "new-token",
)
ORDER_LIFE_S = 7 * 86_400.0
PATH_MOST = 256  # characters of a folder that a host says it has


@dataclass(frozen=True)
class Bearer:
    """The account behind an API token, and what the token may do of all that the account may.

    ``until`` is the end of the token, None if it has none.
    """

    account: int
    name: str
    role: str
    scopes: str = WHOLE
    until: float | None = None


@dataclass(frozen=True)
class Joined:
    """A new host and its secret, which is told once."""

    host: int
    token: str
    account: str


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


async def create_account(deps: Deps, name: str, role: str, by: str = "") -> Account:
    """A new account. Raises Exists, BadInput."""
    if role not in ROLES:
        raise BadInput([f"role {role!r}: must be one of {', '.join(ROLES)}"])
    if faults := name_faults(name):
        raise BadInput(faults)
    now = deps.clock()

    async def write(tx: Tx) -> int | None:
        number = await accounts.create(tx, name, role, now)
        if number is not None:
            audit.note(tx, by, "account.create", name, role, at=now)
        return number

    number = await deps.store.write(write)
    if number is None:
        raise Exists("account", name)
    return Account(number, name, role, now)


async def first_admin(deps: Deps, keep: Callable[[str], None]) -> bool:
    """The administrator of a new pool, with a token; False if there are accounts already.

    ``keep`` puts the token where its owner finds it, durably, before it opens anything: a crash in
    between must not leave a pool whose only administrator has no token.
    """
    if await list_accounts(deps):
        return False
    text, now = f"wfa_{secrets.token_urlsafe(32)}", deps.clock()
    keep(text)

    async def write(tx: Tx) -> None:
        number = await accounts.create(tx, "admin", "admin", now)
        if number is not None:
            await accounts.add_token(
                tx, number, "api", digest_of(text), 1, now, None, "first start"
            )

    await deps.store.write(write)
    return True


async def list_accounts(deps: Deps) -> list[Account]:
    """Every account."""
    return await deps.store.read(accounts.everyone)


async def create_token(
    deps: Deps,
    account: str,
    kind: str,
    uses: int,
    expires_s: float | None,
    note: str,
    kid: str,
    site: str = "",
) -> tuple[int, str]:
    """A token's id and its text, told once. ``kid`` is the release key that agents shall expect.

    Hosts that join with it belong to ``site``, which is made if it is new. Raises NotFound,
    BadInput.
    """
    if kind not in ("enrol", "api"):
        raise BadInput([f"kind {kind!r}: must be enrol or api"])
    if not 1 <= uses <= deps.limits.hosts_per_token:
        raise BadInput([f"uses {uses}: must be 1 to {deps.limits.hosts_per_token}"])
    if expires_s is not None and expires_s <= 0:
        raise BadInput([f"expires_s {expires_s:g}: must be above 0, or left out for ever"])
    if site and kind != "enrol":
        raise BadInput([f"site {site[:80]!r}: hosts belong to a site, so it goes with kind enrol"])
    if site:
        check_name(site)
    secret = secrets.token_urlsafe(32)
    text = f"wf1.{secret}.{kid}" if kind == "enrol" else f"wfa_{secret}"
    now = deps.clock()

    async def write(tx: Tx) -> tuple[int, Site | None]:
        found = await accounts.named(tx, account)
        if found is None:
            raise NotFound("account", account)
        end = None if expires_s is None else now + expires_s
        digest = digest_of(text)
        token = await accounts.add_token(tx, found.id, kind, digest, uses, now, end, note[:200])
        if site:
            made = await sites.ensure(tx, site, now)
            await sites.bind_token(tx, token, made.id)
            return token, made
        return token, None

    number, place = await deps.store.write(write)
    if place is not None:
        deps.registry.sites.setdefault(place.id, place)
    return number, text


async def list_tokens(deps: Deps, account: str) -> list[Token]:
    """The tokens of an account, without their texts. Raises NotFound."""

    async def read(tx: Tx) -> list[Token]:
        found = await accounts.named(tx, account)
        if found is None:
            raise NotFound("account", account)
        return await accounts.tokens_of(tx, found.id)

    return await deps.store.read(read)


async def revoke_token(deps: Deps, token: int) -> None:
    """Revoke a token. Raises NotFound."""
    now = deps.clock()
    if not await deps.store.write(lambda tx: accounts.revoke_token(tx, token, now)):
        raise NotFound("token", token, "issued-token-unknown")


async def caller(deps: Deps, text: str) -> Bearer:
    """The account behind an API token. Raises TokenUnknown, TokenRevoked, TokenExpired."""
    digest, now = digest_of(text), deps.clock()
    found = await deps.store.read(lambda tx: accounts.token(tx, digest))
    if found is None or found.kind != "api":
        raise TokenUnknown
    check(found, now)
    return Bearer(found.account, found.account_name, found.role, found.scopes, found.expires_at)


def check(token: Token, now: float) -> None:
    """Raises AccountDisabled, TokenRevoked, TokenExpired."""
    if token.account_state != "active":
        raise AccountDisabled(token.account_name)
    if token.revoked_at is not None:
        raise TokenRevoked
    if token.expires_at is not None and token.expires_at <= now:
        raise TokenExpired


async def _enrolling(tx: Tx, text: str, now: float, address: str) -> Token:
    """The enrolment token of this text, still good, and good for who comes from there."""
    found = await accounts.token(tx, digest_of(text))
    if found is None or found.kind != "enrol":
        raise TokenUnknown
    check(found, now)
    if not within(found.networks, address):
        raise TokenElsewhere
    return found


def check_facts(name: str, sheet: Sheet) -> None:
    """Raises BadInput if what a machine says of itself cannot be kept."""
    faults = []
    if not name.isprintable():
        faults.append(f"name {name!r}: has characters that cannot be printed; use letters, digits")
    faults += [
        f"facts.paths: {path[:40]!r}... has {len(path)} characters; at most {PATH_MOST}"
        for path in sheet.facts.paths
        if len(path) > PATH_MOST
    ]
    if faults:
        raise BadInput(faults)


async def enrol(
    deps: Deps, request: str, token: str, name: str, sheet: Sheet, address: str = ""
) -> Joined:
    """A machine joins. The same request twice is one host, with a new secret.

    ``address`` is where it comes from, if anybody knows. Raises BadInput, TokenUnknown, TokenUsed,
    TokenExpired, TokenRevoked, TokenElsewhere.
    """
    check_facts(name, sheet)
    await deps.store.read(lambda tx: _enrolling(tx, token, deps.clock(), address))
    now, secret = deps.clock(), new_secret()
    digest, text = digest_of(secret), to_text(sheet)

    async def write(tx: Tx) -> tuple[int, Token, int]:
        found = await _enrolling(tx, token, now, address)
        number, site = await enter(tx, found, request, name, digest, text, now)
        return number, found, site

    number, owner, site = await deps.store.write(write)
    let_in(deps, number, owner, name, sheet, digest, now, site)
    if owner.context:
        await order(deps, number, "recontextualize", {}, "server")
    return Joined(number, secret, owner.account_name)


async def enter(
    tx: Tx, token: Token, request: str, name: str, digest: bytes, text: str, now: float
) -> tuple[int, int]:
    """A host of a token's account, and its site; both the same if the request is.

    Raises TokenUsed, TokenRevoked.
    """
    known = await hosts.enrolled_by(tx, token.id, request)
    if known is not None:
        if known.state != "active":
            raise TokenRevoked
        await hosts.replace_hash(tx, known.id, digest)
        return known.id, await sites.place(tx, known.id, token.id)
    if not await accounts.use_up(tx, token.id):
        raise TokenUsed
    number = await hosts.add(tx, token.account, token.id, request, name, digest, text, now)
    if token.context:
        await machines.give(tx, number, token.context, token.revision, now)
    return number, await sites.place(tx, number, token.id)


def let_in(
    deps: Deps,
    number: int,
    owner: Token,
    name: str,
    sheet: Sheet,
    digest: bytes,
    now: float,
    site: int,
) -> None:
    """Believe a host from now on."""
    # A host that asks again has lost its secret, and nothing else.
    card = deps.registry.drop_host(number) or HostCard(
        number, owner.account, owner.account_name, name, sheet.facts, now, sheet.agent
    )
    card.system, card.role = sheet.system, owner.role
    deps.registry.add_host(card, digest)
    card.site = site
    switching.catch_up(deps, card)


def host_of(deps: Deps, token: str) -> HostCard:
    """The host behind a token, from memory. Raises TokenUnknown, TokenRevoked, HostUnmanaged."""
    digest = hashlib.sha256(token.encode()).digest()
    card = deps.registry.by_hash.get(digest)
    if card is None:
        if digest in deps.registry.unmanaged:
            raise HostUnmanaged(0)
        raise TokenRevoked if digest in deps.registry.revoked else TokenUnknown
    return card


async def revoke_host(deps: Deps, host: int, by: str) -> None:
    """Believe a host no longer; see `server.services.reap.revoke`. Raises NotFound, HostRevoked."""

    async def write(tx: Tx) -> bool:
        found = await hosts.revoke(tx, host)
        if found:
            audit.note(tx, by, "host.revoke", str(host), at=deps.clock())
        return found

    if not await deps.store.write(write):
        raise _no_host(deps, host)
    card = deps.registry.drop_host(host)
    if card is not None:
        card.woken.set()


def _no_host(deps: Deps, host: int) -> Refusal:
    """Why a host is not believed: it is none, or was revoked; ``names`` has every one there was."""
    return HostRevoked(host) if host in deps.registry.names else NotFound("host", host)


async def order(deps: Deps, host: int, name: str, args: dict[str, str], by: str) -> Order:
    """Leave a command for a host, and wake its long poll.

    Raises NotFound, HostRevoked, BadInput.
    """
    card = deps.registry.hosts.get(host)
    if card is None:
        raise _no_host(deps, host)
    if name not in (*ORDERS, "abort"):
        raise BadInput([f"command {name!r}: must be one of {', '.join(ORDERS)}"])
    now = deps.clock()

    async def write(tx: Tx) -> Order:
        made = Order(deps.registry.next_seq(now), host, name, args)
        hosts.order(tx, made, by, now, now + ORDER_LIFE_S)
        if by != "server":
            audit.note(tx, by, f"host.{name}", str(host), at=now)
        return made

    made = await deps.store.write(write)
    card.tell(made)
    return made


async def load_hosts(deps: Deps) -> None:
    """Bring every host, its classes and its commands into memory."""
    now = deps.clock()

    async def read(
        tx: Tx,
    ) -> tuple[list[hosts.Host], list[hosts.HostClass], list[Order], list[bytes]]:
        return (
            await hosts.everyone(tx),
            await hosts.all_classes(tx),
            await hosts.live_orders(tx, now),
            await machines.unmanaged(tx),
        )

    found, classes, orders, gone = await deps.store.read(read)
    places = await switching.load(deps)
    for digest in gone:
        deps.registry.unmanaged[digest] = None
    for row in found:
        deps.registry.names[row.id] = row.name
        deps.registry.book.own(row.id, row.account)
        if row.state != "active":
            deps.registry.revoked[row.hash] = None
            continue
        sheet = from_text(row.facts)
        card = HostCard(
            row.id, row.account, row.account_name, row.name, sheet.facts, row.seen_at, sheet.agent
        )
        card.system, card.role, card.country = sheet.system, row.role, row.country
        deps.registry.add_host(card, row.hash)
        if row.next_hash is not None:
            expect(deps.registry, card, row.next_hash)
        if place := places.get(row.id):
            card.site, card.acked = place.site, place.acked
    for klass in classes:
        if klass.host in deps.registry.hosts:
            deps.registry.hosts[klass.host].classes[klass.manifest] = klass.digest
    for card in deps.registry.hosts.values():
        switching.catch_up(deps, card)
    for waiting in orders:
        if waiting.host in deps.registry.hosts:
            deps.registry.hosts[waiting.host].recall(waiting)
