"""A host in a line, as lists of hosts show it."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.hosts import Host
from server.services.cards import HostCard
from server.services.factsheet import from_text

NOW_S = 90.0  # a machine heard of within this time is "here now"
CLONED_S = 3600.0  # so long a host is shown as cloned after two agents spoke with its token

# What a host may say of itself that nobody else knows.
OWN_WORD = ("suspended", "resting", "draining", "stopping")


@dataclass(frozen=True)
class HostView:
    """A host as people see it."""

    id: int
    name: str
    account: str
    state: str
    last_seen: float
    cores: int
    arch: str
    agent: str
    running: int
    delivered_events: int
    rejected_events: int
    seconds_per_event: float | None
    site: str = ""
    sandbox: str = "none"
    why: str = ""
    trust: str = "new"
    credit: float = 0.0


def revoked(row: Host) -> HostView:
    """A host that is believed no longer."""
    sheet = from_text(row.facts)
    return HostView(
        row.id, row.name, row.account_name, row.state, row.seen_at, sheet.facts.cores,
        sheet.facts.arch, sheet.agent, 0, row.agreed_events, row.rejected_events, None,
        sandbox=sheet.facts.sandbox,
    )  # fmt: skip


def believed(
    card: HostCard,
    tallies: dict[int, tuple[int, int]],
    now: float,
    site: str,
    trust: str = "new",
    credit: float = 0.0,
) -> HostView:
    """A host as its card tells, with its tallies by id and the name of its site."""
    agreed, rejected = tallies.get(card.id, (0, 0))
    speed = min(card.speeds.values()) if card.speeds else None
    return HostView(
        card.id, card.name, card.account_name, state_of(card, now), card.seen_at, card.facts.cores,
        card.facts.arch, card.agent, card.running, agreed, rejected, speed, site,
        card.facts.sandbox, card.why, trust, credit,
    )  # fmt: skip


def state_of(card: HostCard, now: float) -> str:
    """How a believed host stands, in a word or three."""
    away = now - card.seen_at > NOW_S
    state = "working" if card.running else "waiting for work"
    if away or card.suspended:
        state = "away" if away else "suspended"
    elif card.away and not card.running:
        state = "switched off"
    elif card.doing in OWN_WORD:
        state = card.doing
    if card.ban is not None:
        state = "banned"
    if card.cloned_at and now - card.cloned_at < CLONED_S:
        state = "cloned"
    return state
