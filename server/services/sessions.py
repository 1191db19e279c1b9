"""Sessions of browsers: opened, recognized, listed, ended; the secret is told once and not kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TypeAlias

from server.db import audit as log
from server.db import links, sessions
from server.db.accounts import Account
from server.db.base import Tx
from server.db.sessions import Session
from server.domain.errors import NotFound
from server.services import audit
from server.services.deps import Deps

Listed: TypeAlias = Session
"""A session as it is listed."""

SEEN_S = 60.0  # how exactly it is kept when a session was seen last: each time would be a write
HALF_S = 600.0  # how long the code may take after the password
AGENT_MOST = 200  # characters of what a browser calls itself


@dataclass(frozen=True)
class Visit:
    """Where a browser is, and what it calls itself."""

    address: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    account: int
    name: str
    role: str
    session: int = 0


@dataclass(frozen=True)
class Opened:
    """A new session: its secret for the browser, and whether a code is still asked for."""

    text: str
    person: Person
    half: bool = False


def digest_of(text: str) -> bytes:
    """What is kept of a session's secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def add(
    deps: Deps, tx: Tx, account: Account, how: str, visit: Visit, old: str, half: bool = False
) -> Opened:
    """Open a session in this transaction, always with a new secret; the browser's old one ends."""
    now, text = deps.clock(), f"wfs_{secrets.token_urlsafe(32)}"
    if old:
        before = await sessions.of_digest(tx, digest_of(old))
        if before is not None:
            await sessions.end(tx, before.id, before.account, now)
    life = HALF_S if half else deps.doors.rules.session_s
    number = await sessions.add(
        tx,
        account.id,
        digest_of(text),
        "half" if half else "open",
        how,
        now,
        now + life,
        visit.address[:45],
        printable(visit.agent)[:AGENT_MOST],
    )
    if not half:
        audit.note(tx, account.name, "session.open", account.name, how, at=now,
                   address=visit.address)  # fmt: skip
    return Opened(text, Person(account.id, account.name, account.role, number), half)


def printable(text: str) -> str:
    """A text of a stranger without what would spoil a line or a database."""
    return "".join(each if each.isprintable() else " " for each in text)


async def find(deps: Deps, text: str, visit: Visit) -> Person | None:
    """Who is signed in with this secret; None if nobody is, for whatever reason."""
    found = await _alive(deps, text, "open")
    if found is None:
        return None
    now = deps.clock()
    if now - found.seen_at > SEEN_S:
        await deps.store.write(lambda tx: sessions.touch(tx, found.id, now, visit.address[:45]))
    return Person(found.account, found.account_name, found.role, found.id)


async def find_half(deps: Deps, text: str) -> Session | None:
    """The session that waits for its code."""
    return await _alive(deps, text, "half")


async def _alive(deps: Deps, text: str, state: str) -> Session | None:
    digest, now = digest_of(text), deps.clock()
    found = await deps.store.read(lambda tx: sessions.of_digest(tx, digest))
    if found is None or found.state != state or found.account_state != "active":
        return None
    if found.revoked_at is not None or found.ends_at <= now:
        return None
    return None if found.seen_at + deps.doors.rules.idle_s <= now else found


async def listed(deps: Deps, account: int) -> list[Session]:
    """The open sessions of an account, last seen first."""
    now = deps.clock()
    since = now - deps.doors.rules.idle_s
    return await deps.store.read(lambda tx: sessions.of_account(tx, account, since, now))


async def end(deps: Deps, account: int, session: int, by: str) -> None:
    """End a session of this account. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        if not await sessions.end(tx, session, account, now):
            return False
        audit.note(tx, by, "session.end", str(session), at=now)
        return True

    if not await deps.store.write(write):
        raise NotFound("session", session)


async def end_all(deps: Deps, account: Account, by: str, but: int = 0) -> int:
    """End every session of an account, but one; how many there were."""
    now = deps.clock()

    async def write(tx: Tx) -> int:
        count = await sessions.end_all(tx, account.id, now, but)
        audit.note(tx, by, "session.end-all", account.name, f"{count} ended", at=now)
        return count

    return await deps.store.write(write)


async def sweep(deps: Deps) -> None:
    """Forget what opens nothing any more, and where people were so long ago."""
    now, rules = deps.clock(), deps.doors.rules
    old = now - rules.addresses_s

    async def write(tx: Tx) -> None:
        await sessions.sweep(tx, now - max(rules.idle_s, rules.addresses_s), old)
        await links.sweep(tx, old)
        await log.forget_addresses(tx, old)

    await deps.store.write(write)
