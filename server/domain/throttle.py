"""How often something may be done: tries of people, by buckets that leak; machines', by the minute.

All of it is in the memory of the server and bounded. A restart forgets it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.domain.errors import TooMany
from server.domain.latest import Latest

KEPT_MOST = 100_000
"""Buckets in memory; the least lately used goes first, so many names cost no more than this."""
MINUTE_S = 60.0


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


@dataclass(eq=False)
class Throttle:
    """Who failed how often, by a word for each."""

    buckets: Latest[str, Bucket] = field(default_factory=lambda: Latest(KEPT_MOST))

    def take(self, now: float, wanted: Sequence[tuple[str, Rate]]) -> Callable[[], None]:
        """Count a try against each of these; what is returned takes it back if it turned out well.

        Raises TooMany, and counts nothing, if one of them allows no more: a try is counted before
        it is made, so that many at once are not more than one after the other.
        """
        wait = max(self._of(key).wait_s(rate, now) for key, rate in wanted)
        if wait > 0:
            raise TooMany(max(1.0, wait))
        for key, rate in wanted:
            self.buckets[key] = self._of(key).one_more(rate, now)

        def well() -> None:
            for key, rate in wanted:
                self.buckets[key] = self._of(key).one_less(rate, now)

        return well

    def forget(self, key: str) -> None:
        """Begin anew."""
        self.buckets.pop(key, None)

    def _of(self, key: str) -> Bucket:
        return self.buckets.get(key) or Bucket()


@dataclass(slots=True)
class Minute:
    """How much was done since a moment: cheap, for what happens with every request.

    Who has done too much waits for the end of the minute, so a crowd that is sent away does not
    come back one by one.
    """

    since: float = 0.0
    done: int = 0

    def take(self, now: float, most: int, amount: int = 1) -> None:
        """So much more. Raises TooMany, and counts nothing, if that were more than ``most``."""
        if not self._is_now(now):
            self.since, self.done = now, 0
        if self.done + amount > most:
            raise TooMany(max(1.0, MINUTE_S - (now - self.since)))
        self.done += amount

    def check(self, now: float, most: int) -> None:
        """Raises TooMany if nothing more may be done now."""
        if self._is_now(now) and self.done >= most:
            raise TooMany(max(1.0, MINUTE_S - (now - self.since)))

    def back(self, amount: int) -> None:
        """So much of it turned out well."""
        self.done = max(0, self.done - amount)

    def _is_now(self, now: float) -> bool:
        return 0 <= now - self.since < MINUTE_S


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
