"""What kind of machine a host is: as its site says, else as whose it is."""

from __future__ import annotations

from server.domain.rollup import MachineKind
from server.services.cards import HostCard
from server.services.deps import Deps

INSTITUTE = "institute"


def machine_kind(deps: Deps, card: HostCard) -> MachineKind:
    """Volunteer, cluster, cloud or trigger farm."""
    site = deps.registry.sites.get(card.site)
    if site is not None and site.kind:
        return MachineKind(site.kind)
    return MachineKind.CLUSTER if card.role == INSTITUTE else MachineKind.VOLUNTEER
