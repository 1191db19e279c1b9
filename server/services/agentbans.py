"""Bans of versions of the agent: their hosts get no work, and nothing they made is taken.

A version is banned because what it computes, or how it behaves, is wrong. So its frames are refused
for good, not for later: a newer agent on the same machine would send them otherwise. What it had
leased is given to others. Its host may ask, and is told what to take; that is how the server learns
of a newer version. Nobody is exempt.
"""

from __future__ import annotations

from dataclasses import replace

from server.db import bans as rows
from server.db import hosts
from server.db.bans import AgentBan
from server.db.base import Tx
from server.domain.errors import AgentBanned, BadInput, NotFound
from server.domain.versions import RULE, Span, order
from server.services import audit, factsheet, reap
from server.services.bans import AGAIN_S, REASON_MOST
from server.services.cards import HostCard
from server.services.deps import Deps

__all__ = ["AgentBan", "ban", "lift", "standing"]


def _span(version: str, below: str) -> Span:
    if bool(version) == bool(below):
        raise BadInput(["version, below: name one of them, a version or the first that is good"])
    if order(version or below) is None:
        raise BadInput([f"version {(version or below)[:40]!r}: {RULE}"])
    return Span(version or below, bool(below))


async def ban(
    deps: Deps, version: str, below: str, reason: str, seconds: float | None, by: str
) -> AgentBan:
    """Refuse a version, or all before one; their leases are given to others. Raises BadInput."""
    span, reason = _span(version, below), reason.strip()
    if not reason or len(reason) > REASON_MOST or not reason.isprintable():
        raise BadInput([f"reason: 1 to {REASON_MOST} printable characters, told to the hosts"])
    now = deps.clock()
    made = AgentBan(span.text, reason, None if seconds is None else now + seconds, by, now)

    async def write(tx: Tx) -> None:
        await rows.lay_agent(tx, made)
        audit.note(tx, by, "agent.ban", made.span, reason, at=now)

    await deps.store.write(write)
    deps.registry.agent_bans[made.span] = made
    for card in _hold(deps):
        for task in list(card.tasks.values()):
            await reap.take_back(deps, task)
    return made


async def lift(deps: Deps, version: str, below: str, by: str) -> None:
    """Take a version again. Raises NotFound, BadInput."""
    span, now = _span(version, below), deps.clock()

    async def write(tx: Tx) -> bool:
        found = await rows.lift_agent(tx, span.text, by, now)
        if found:
            audit.note(tx, by, "agent.unban", span.text, at=now)
        return found

    if not await deps.store.write(write):
        raise NotFound("ban of agent", span.text, "ban-unknown")
    deps.registry.agent_bans.pop(span.text, None)
    _hold(deps)


def standing(deps: Deps) -> list[AgentBan]:
    """The bans that stand, oldest first."""
    now = deps.clock()
    return [ban for ban in deps.registry.agent_bans.values() if not ban.until or ban.until > now]


def find(deps: Deps, version: str) -> AgentBan | None:
    """The ban of a version, if it is banned."""
    found = (ban for ban in standing(deps) if Span.of(ban.span).covers(version))
    return next(found, None)


def _hold(deps: Deps) -> list[HostCard]:
    """Hold every host's version against the bans; the hosts that are barred."""
    for card in deps.registry.hosts.values():
        card.barred = find(deps, card.agent)
    return [card for card in deps.registry.hosts.values() if card.barred is not None]


def admit(deps: Deps, card: HostCard) -> None:
    """Refuse a host whose version is banned, as long as it is. Raises AgentBanned."""
    found = card.barred
    if found is None:
        return None
    now = deps.clock()
    if found.until is not None and found.until <= now:
        card.barred = find(deps, card.agent)
        return admit(deps, card)
    raise refusal(card.agent, found, now)


def welcome(deps: Deps, version: str) -> None:
    """Refuse a machine that would join with a banned version. Raises AgentBanned."""
    found = find(deps, version)
    if found is not None:
        raise refusal(version, found, deps.clock())


def refusal(version: str, found: AgentBan, now: float) -> AgentBanned:
    """What an agent of a banned version is told."""
    wait = AGAIN_S if found.until is None else min(AGAIN_S, max(1.0, found.until - now))
    return AgentBanned(version, found.reason, Span.of(found.span).cure, wait)


async def heard(deps: Deps, card: HostCard, version: str) -> None:
    """A host works with this version by now; kept, so that a server that starts knows it."""
    card.agent = version
    card.barred = find(deps, version)

    async def write(tx: Tx) -> None:
        text = await hosts.facts_of(tx, card.id)
        if text is not None:
            sheet = replace(factsheet.from_text(text), agent=version)
            hosts.keep_facts(tx, card.id, factsheet.to_text(sheet))

    await deps.store.write(write)


async def load(deps: Deps) -> None:
    """Bring the bans that stand into memory."""
    now = deps.clock()
    for found in await deps.store.read(lambda tx: rows.agents_standing(tx, now)):
        deps.registry.agent_bans[found.span] = found
    _hold(deps)
