"""Which hosts the last events of a production are given to."""

from __future__ import annotations

from server.domain.endgame import reliable
from server.domain.trust import Standing
from server.services.cards import HostCard, ProductionCard
from server.services.deps import Deps


def is_swift(deps: Deps, card: HostCard, production: ProductionCard) -> bool:
    """Whether a host is reliable, and its speed in this production known."""
    if production.id not in card.speeds:
        return False
    return reliable(card.failures, card.lost, card.proven, standing(deps, card, production))


def standing(deps: Deps, card: HostCard, production: ProductionCard) -> Standing:
    """How far a host is believed with the payload of this production."""
    needed = production.definition.policy.trust_events
    return deps.registry.book.standing(card.id, production.bundle, needed, deps.clock())
