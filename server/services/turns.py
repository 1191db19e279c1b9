"""How often the same host, or the same address, may do something in a minute; in memory."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from server.domain.errors import TooMany

SPAN_S = 60.0
ADDRESSES_MOST = 20_000  # that are remembered; the oldest are forgotten first
TOKENS_MOST = 10_000  # that are remembered as good


@dataclass(slots=True)
class Minute:
    """What was done since a moment."""

    since: float = 0.0
    done: int = 0

    def take(self, now: float, most: int) -> None:
        """Once more. Raises TooMany."""
        if not 0 <= now - self.since < SPAN_S:
            self.since, self.done = now, 0
        self.done += 1
        if self.done > most:
            raise TooMany(max(1.0, SPAN_S - (now - self.since)))


def network_of(address: str) -> str:
    """What is counted as one: an IPv4 address, or the /64 that one user of IPv6 mostly has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


@dataclass(eq=False)
class Turns:
    """Who did how much in a minute, by address; ``most`` for each."""

    most: int
    seen: dict[str, Minute] = field(default_factory=dict)

    def take(self, address: str, now: float) -> None:
        """Once more, from this address. Raises TooMany."""
        key = network_of(address)
        found = self.seen.get(key)
        if found is None:
            found = self.seen[key] = Minute(now)
            if len(self.seen) > ADDRESSES_MOST:
                del self.seen[next(iter(self.seen))]
        found.take(now, self.most)

    def check(self, address: str, now: float) -> None:
        """Raises TooMany if this address has done too much this minute."""
        found = self.seen.get(network_of(address))
        if found is not None and 0 <= now - found.since < SPAN_S and found.done >= self.most:
            raise TooMany(max(1.0, SPAN_S - (now - found.since)))


@dataclass(eq=False)
class Doorway:
    """Who comes to the door without being known: machines that join, tokens that are wrong.

    Tokens that were good lately are let in whatever else comes from their address: hundreds of
    honest machines may stand behind one.
    """

    joins: Turns = field(default_factory=lambda: Turns(1200))
    wrong: Turns = field(default_factory=lambda: Turns(300))
    good: dict[bytes, None] = field(default_factory=dict)

    def passes(self, digest: bytes, address: str, now: float) -> None:
        """Before a token is looked for in the table. Raises TooMany."""
        if digest not in self.good:
            self.wrong.check(address, now)

    def welcome(self, digest: bytes) -> None:
        """A token that was found to be good."""
        self.good[digest] = None
        if len(self.good) > TOKENS_MOST:
            del self.good[next(iter(self.good))]
