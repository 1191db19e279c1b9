"""A host gets another token: both are good until it says that the new one is on its disk.

The host is commanded (``new-token``), asks for a token, keeps it, and says so with it. Whatever is
lost or killed in between, it has a token that is good, and begins anew. What it had under way with
the old one is answered for a while after.
"""

from __future__ import annotations

import hashlib
import secrets

from server.db import hosts, moves
from server.db.base import Tx
from server.domain.errors import NotCommanded
from server.services.cards import HostCard, Registry
from server.services.deps import Deps

COMMAND = "new-token"
OLD_S = 300.0  # longer than any request is under way


def new_secret() -> str:
    """The secret of a host."""
    return f"wfh_{secrets.token_urlsafe(32)}"


def expect(registry: Registry, card: HostCard, digest: bytes) -> None:
    """A host may use another token as well, and none that it was given before and not kept."""
    if card.next_hash:
        registry.revoke(card.next_hash)
    card.next_hash = digest
    registry.by_hash[digest] = card


async def propose(deps: Deps, card: HostCard, used: bytes) -> str:
    """A new token for a host that asks with the token of this digest; any before it is no more.

    Once for each command, so that nobody shuts a host out by a token that he stole. Raises
    NotCommanded.
    """
    await take(deps, card, used)
    text, now = new_secret(), deps.clock()
    digest = hashlib.sha256(text.encode()).digest()

    async def write(tx: Tx) -> None:
        if not await hosts.is_told(tx, card.id, COMMAND, now):
            raise NotCommanded(COMMAND)
        await hosts.propose(tx, card.id, digest)

    await deps.store.write(write)
    expect(deps.registry, card, digest)
    return text


async def take(deps: Deps, card: HostCard, used: bytes) -> None:
    """The host has kept the token of this digest, so the one before ends; again is harmless."""
    if used != card.next_hash:
        return
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        if not await hosts.take_next(tx, card.id, used):
            return False
        await hosts.is_done(tx, card.id, COMMAND, now)
        moves.log(tx, None, "host", card.id, "active", "active", "it has another token", now)
        return True

    # It may say so twice at once: the second time there is nothing left to retire.
    if await deps.store.write(write):
        deps.registry.retired[card.hash] = now + OLD_S
        card.hash, card.next_hash = used, b""


async def forget(deps: Deps) -> None:
    """Old tokens whose time is over are revoked."""
    registry, now = deps.registry, deps.clock()
    for digest in [digest for digest, until in registry.retired.items() if until <= now]:
        del registry.retired[digest]
        registry.revoke(digest)
