"""What kind of machine a host is: as its site says, else as whose it is."""

from __future__ import annotations

from server.domain import counted
from server.domain.rollup import MachineKind
from server.services.cards import HostCard
from server.services.deps import Deps


def machine_kind(deps: Deps, card: HostCard) -> MachineKind:
    """Volunteer, cluster, cloud or trigger farm."""
    site = deps.registry.sites.get(card.site)
    return counted.machine_kind("" if site is None else site.kind, card.role)
