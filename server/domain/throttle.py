"""How often something may be tried: a bucket that fills with failures and leaks evenly."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """At most ``tries`` at once, and as many again over ``seconds``."""

    tries: int
    seconds: float

    @property
    def each_s(self) -> float:
        """After how long one more is allowed."""
        return self.seconds / self.tries


@dataclass(frozen=True)
class Bucket:
    """How full it was at a time."""

    level: float = 0.0
    at: float = 0.0

    def now(self, rate: Rate, now: float) -> float:
        """How full it is; time that goes back leaks nothing."""
        return max(0.0, self.level - max(0.0, now - self.at) / rate.each_s)

    def wait_s(self, rate: Rate, now: float) -> float:
        """How long until one more is allowed; 0 if it is now."""
        over = self.now(rate, now) + 1 - rate.tries
        return max(0.0, over * rate.each_s)

    def one_more(self, rate: Rate, now: float) -> Bucket:
        """One more was tried."""
        return Bucket(self.now(rate, now) + 1, max(self.at, now))

    def one_less(self, rate: Rate, now: float) -> Bucket:
        """One that was counted turned out well."""
        return Bucket(max(0.0, self.now(rate, now) - 1), max(self.at, now))


def place_of(address: str) -> str:
    """What one household or machine has of the network: an IPv4 address, or 64 bits of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:45]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
