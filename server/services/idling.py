"""Hosts for which there was no work: how long each waits, and who is woken when there is some.

All together they ask no more often than a setting says, so the more there are, the longer each
waits. When more work comes to wait they are woken by their long polls (command ``work``), some
hundred a second; who holds none asks again by himself soon enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.db.hosts import Order
from server.domain.production import ProductionState
from server.domain.split import units_total

if TYPE_CHECKING:
    from server.services.cards import HostCard
    from server.services.deps import Deps

WORK = "work"
GONE_S = 30.0  # after its time was over, a host that has not asked is counted no more
GOLDEN = 0.6180339887498949  # steps of this spread evenly over the unit interval, however many
SPREAD = 0.25  # of a long pause: who was told at one moment does not come back at one moment
BURST = 5.0  # when there is work, so many times more hosts a second are let in as without


@dataclass(eq=False)
class Idling:
    """Who waits, by host, until when; ``ranges`` waited for a host when it was looked last."""

    until: dict[int, float] = field(default_factory=dict)
    ranges: int = 0
    owed: int = 0
    step: float = 0.0

    def pause(self, host: int, now: float, least: float, deps: Deps) -> float:
        """For how long this host waits now, in s; never less than ``least``."""
        limits = deps.limits
        wait = min(limits.idle_most_s, len(self.until) / limits.idle_asks_per_s)
        if wait > least:
            self.step = (self.step + GOLDEN) % 1.0
            wait = max(least, wait * (1.0 - SPREAD * self.step))
        else:
            wait = least
        self.until.pop(host, None)  # so that who was told first comes first
        self.until[host] = now + wait
        return wait


def asks(deps: Deps, card: HostCard) -> None:
    """A host asks, so it need not be woken."""
    deps.idling.until.pop(card.id, None)
    if card.orders:
        card.orders = [order for order in card.orders if order.name != WORK]


def wake(deps: Deps) -> int:
    """Wake as many of those who wait as there is more to do; how many."""
    idling, now = deps.idling, deps.clock()
    for host in [host for host, until in idling.until.items() if until + GONE_S < now]:
        del idling.until[host]
    ranges = _ranges(deps)
    grown, idling.ranges = max(0, ranges - idling.ranges), ranges
    idling.owed = min(len(idling.until), ranges, idling.owed + grown)
    burst = max(1, int(BURST * deps.limits.idle_asks_per_s))
    chosen = _chosen(deps)[: min(idling.owed, burst)]
    for host in chosen:
        card = deps.registry.hosts.get(host)
        if card is not None and not card.away:
            card.tell(Order(deps.registry.next_seq(now), host, WORK, {}))
        idling.until.pop(host, None)
    idling.owed -= len(chosen)
    return len(chosen)


def _chosen(deps: Deps) -> list[int]:
    """Who is woken first: who waits longest; for the end of a production, who has delivered."""
    waiting = list(deps.idling.until)
    if any(line.rush for line in deps.lines.values()):
        hosts = deps.registry.hosts
        waiting.sort(key=lambda host: not (host in hosts and hosts[host].proven))
    return waiting


def _ranges(deps: Deps) -> int:
    """How many ranges wait for a host, in memory and still to come."""
    found = 0
    for production in deps.registry.productions.values():
        if production.state is not ProductionState.ACTIVE:
            continue
        units = units_total(production.events, production.unit) - production.next_unit
        found += units * production.definition.policy.first_copies
        line = deps.lines.get(production.id)
        found += 0 if line is None else len(line)
    return found
