"""Who comes to the door: how often from one address, or by one account, in a minute; in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.domain.latest import Latest
from server.domain.throttle import Minute, place_of

ADDRESSES_MOST = 20_000  # that are remembered
TOKENS_MOST = 10_000  # that are remembered as good


@dataclass(eq=False)
class Turns:
    """Who did how much in a minute, by address; ``most`` for each."""

    most: int
    seen: Latest[str, Minute] = field(default_factory=lambda: Latest(ADDRESSES_MOST))

    def take(self, address: str, now: float) -> None:
        """Once more, from this address. Raises TooMany."""
        key = place_of(address)
        if key not in self.seen:
            self.seen[key] = Minute(now)
        self.seen[key].take(now, self.most)

    def check(self, address: str, now: float) -> None:
        """Raises TooMany if this address has done too much this minute."""
        self.seen.get(place_of(address), Minute()).check(now, self.most)


@dataclass(eq=False)
class Doorway:
    """Who comes to the door without being known: machines that join, tokens that are wrong.

    And what those who are known change, by account.

    Tokens that were good lately are let in whatever else comes from their address: hundreds of
    honest machines may stand behind one.
    """

    joins: Turns = field(default_factory=lambda: Turns(1200))
    wrong: Turns = field(default_factory=lambda: Turns(300))
    changes: Turns = field(default_factory=lambda: Turns(300))
    good: Latest[bytes, None] = field(default_factory=lambda: Latest(TOKENS_MOST))

    def passes(self, digest: bytes, address: str, now: float) -> None:
        """Before a token is looked for in the table. Raises TooMany."""
        if digest not in self.good:
            self.wrong.check(address, now)

    def welcome(self, digest: bytes) -> None:
        """A token that was found to be good."""
        self.good[digest] = None
