"""What the doors of the site keep in memory: their rules, who failed how often, hashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from server.domain.throttle import Rate, Throttle, place_of
from server.services.oidc import Desk
from server.services.passwords import Passwords
from server.services.postman import Postman

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
