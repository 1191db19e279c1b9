"""The farm switch in memory: which hosts a switch reaches, those that join later too."""

from __future__ import annotations

from server.db import sites
from server.db.base import Tx
from server.db.hosts import Order
from server.db.sites import Placed, Site, Switch
from server.domain.farm import Scope
from server.services.cards import HostCard, Registry
from server.services.deps import Deps

READ_MOST = 10_000  # switches read when a server starts: years of them
QUIET_S = 3.0  # after a switch nothing is judged: what hosts send and give back comes first
LISTED_MOST = 1000  # switches of listed hosts that are kept; older ones reach nobody new


def spread(registry: Registry, switch: Switch) -> int:
    """Tell every host that a switch reaches, all in one go; how many there are.

    The command is one object, whatever the number of its hosts.
    """
    remember(registry, switch)
    order = Order(switch.seq, 0, switch.name, switch.args)
    if switch.name != "resume":
        registry.quiet_until = switch.at + QUIET_S
    reached = 0
    for card in registry.hosts.values():
        if switch.target.reaches(card.id, card.account, card.site):
            card.switched(switch, order)
            reached += 1
    return reached


def remember(registry: Registry, switch: Switch) -> None:
    """Keep a switch for hosts still to come, without those that it takes the place of."""
    target = switch.target
    if target.scope is Scope.ALL:
        registry.switches = [switch]
        return
    kept = [each for each in registry.switches if each.target != target]
    listed = [each for each in kept if each.target.scope is Scope.HOSTS]
    if len(listed) >= LISTED_MOST:
        kept.remove(listed[0])
    registry.switches = [*kept, switch]


def catch_up(deps: Deps, card: HostCard) -> None:
    """Tell a host that joins, or is found at a start, the last switch that reaches it."""
    for switch in reversed(deps.registry.switches):
        if switch.target.reaches(card.id, card.account, card.site):
            if switch.name != "resume" or card.acked:  # a new host works anyway
                card.switched(switch, Order(switch.seq, 0, switch.name, switch.args))
            return


async def load(deps: Deps) -> dict[int, Placed]:
    """Bring sites and switches into memory; where every host stands, by its id."""

    async def read(tx: Tx) -> tuple[list[Site], list[Switch], list[Placed], int]:
        return (
            await sites.everyone(tx),
            await sites.switches(tx, READ_MOST),
            await sites.placed(tx),
            await sites.highest(tx),
        )

    found, switches, places, seq = await deps.store.read(read)
    registry = deps.registry
    registry.sites = {site.id: site for site in found}
    registry.seq = seq
    for switch in switches:
        remember(registry, switch)
    return {place.host: place for place in places}
