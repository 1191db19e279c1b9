"""Which hosts the last events of a production are given to."""

from __future__ import annotations

from server.domain.endgame import reliable
from server.services.cards import HostCard


def is_swift(card: HostCard, production: int) -> bool:
    """Whether a host is reliable, and its speed in this production known."""
    return production in card.speeds and reliable(card.failures, card.lost, card.proven)
