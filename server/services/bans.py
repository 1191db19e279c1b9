"""Bans: a host is refused for a time, or until somebody lifts it, and told why."""

from __future__ import annotations

from server.db import bans as rows
from server.db.bans import Ban
from server.db.base import Tx
from server.domain.errors import BadInput, Banned, NotFound
from server.services import audit, reap
from server.services.cards import HostCard
from server.services.deps import Deps

REASON_MOST = 300  # characters
AGAIN_S = 3600.0  # at most so long a banned host waits until it asks again


async def ban(deps: Deps, host: int, reason: str, seconds: float | None, by: str) -> Ban:
    """Refuse a host from now on; what it had leased is given to others.

    Raises NotFound, BadInput.
    """
    card = deps.registry.hosts.get(host)
    if card is None:
        raise NotFound("host", host)
    reason = reason.strip()
    if not reason or len(reason) > REASON_MOST or not reason.isprintable():
        raise BadInput([f"reason: 1 to {REASON_MOST} printable characters, told to the host"])
    now = deps.clock()
    made = Ban(host, reason, None if seconds is None else now + seconds)

    async def write(tx: Tx) -> None:
        await rows.lay(tx, made, by, now)
        audit.note(tx, by, "host.ban", str(host), reason, at=now)

    await deps.store.write(write)
    card.ban = made
    card.woken.set()
    await reap.release_host(deps, host)
    return made


async def lift(deps: Deps, host: int, by: str) -> None:
    """Take a host again. Raises NotFound."""
    now = deps.clock()

    async def write(tx: Tx) -> bool:
        found = await rows.lift(tx, host, by, now)
        if found:
            audit.note(tx, by, "host.unban", str(host), at=now)
        return found

    if not await deps.store.write(write):
        raise NotFound("ban of host", host, "ban-unknown")
    card = deps.registry.hosts.get(host)
    if card is not None:
        card.ban = None


def admit(deps: Deps, card: HostCard) -> None:
    """Refuse a host that is banned, as long as it is. Raises Banned."""
    found = card.ban
    if found is None:
        return
    now = deps.clock()
    if found.until is not None and found.until <= now:
        card.ban = None
        return
    wait = AGAIN_S if found.until is None else min(AGAIN_S, found.until - now)
    raise Banned(card.id, found.reason, wait)


async def load(deps: Deps) -> None:
    """Bring the bans that stand into memory."""
    now = deps.clock()
    for found in await deps.store.read(lambda tx: rows.standing(tx, now)):
        card = deps.registry.hosts.get(found.host)
        if card is not None:
            card.ban = found
