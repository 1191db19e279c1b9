"""What the doors of the site keep in memory: their rules, who failed how often, hashes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.domain.errors import TooMany
from server.domain.throttle import Bucket, Rate, place_of
from server.services.oidc import Desk
from server.services.passwords import Passwords
from server.services.postman import Postman

KEPT_MOST = 100_000
"""Buckets in memory; the least lately used goes first, so many names cost no more than this."""
RARELY = Rate(5, 3600.0)
ACCOUNT_TRIES, ADDRESS_TRIES = Rate(10, 900.0), Rate(50, 900.0)


@dataclass(frozen=True)
class Rules:
    """The settings of accounts; times in s. ``signup`` is closed, invited or open."""

    url: str = ""
    signup: str = "invited"
    idle_s: float = 14 * 86_400.0
    session_s: float = 90 * 86_400.0
    invitation_s: float = 7 * 86_400.0
    reset_s: float = 3600.0
    addresses_s: float = 30 * 86_400.0
    password_least: int = 10
    account_tries: Rate = ACCOUNT_TRIES
    address_tries: Rate = ADDRESS_TRIES
    token_s: float = 366 * 86_400.0


@dataclass(eq=False)
class Throttle:
    """Who failed how often, by a word for each; in memory, as a restart is no attacker's choice."""

    buckets: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)

    def take(self, now: float, wanted: Sequence[tuple[str, Rate]]) -> Callable[[], None]:
        """Count a try against each of these; what is returned takes it back if it turned out well.

        Raises TooMany, and counts nothing, if one of them allows no more: a try is counted before
        it is made, so that many at once are not more than one after the other.
        """
        wait = max(self._of(key).wait_s(rate, now) for key, rate in wanted)
        if wait > 0:
            raise TooMany(max(1.0, wait))
        for key, rate in wanted:
            self._put(key, self._of(key).one_more(rate, now))

        def well() -> None:
            for key, rate in wanted:
                self._put(key, self._of(key).one_less(rate, now))

        return well

    def forget(self, key: str) -> None:
        """Begin anew."""
        self.buckets.pop(key, None)

    def _of(self, key: str) -> Bucket:
        return self.buckets.get(key) or Bucket()

    def _put(self, key: str, bucket: Bucket) -> None:
        self.buckets[key] = bucket
        self.buckets.move_to_end(key)
        while len(self.buckets) > KEPT_MOST:
            self.buckets.popitem(last=False)


@dataclass(eq=False)
class Doors:
    """All of it."""

    rules: Rules = field(default_factory=Rules)
    throttle: Throttle = field(default_factory=Throttle)
    passwords: Passwords = field(default_factory=Passwords)
    oidc: Desk = field(default_factory=Desk)
    postman: Postman = field(default_factory=Postman)

    def try_rarely(self, now: float, what: str, whose: str, address: str) -> None:
        """Count something that costs others a mail or us a row, well done or not. Raises TooMany"""
        self.throttle.take(
            now,
            (
                (f"{what} {whose.lower()[:254]}", RARELY),
                (f"{what} from {place_of(address)}", self.rules.address_tries),
            ),
        )

    def try_provider(self, now: float, address: str) -> Callable[[], None]:
        """Count what has a provider asked in this site's name; taken back if it answered well."""
        place = place_of(address)
        return self.throttle.take(now, ((f"provider from {place}", self.rules.address_tries),))

    def try_password(self, now: float, account: str, address: str) -> Callable[[], None]:
        """Count a try of a password or code: by the name typed and by where it comes from."""
        place = place_of(address)
        return self.throttle.take(
            now,
            (
                (f"account {account.lower()[:64]}", self.rules.account_tries),
                (f"address {place}", self.rules.address_tries),
            ),
        )
