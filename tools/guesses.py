"""Guesses PINs a million times against the server's own rules, on a virtual clock; what came of it.

    python -m tools.guesses [--guesses N] [--seed N]

The bounds are those of `server.domain.pairing`, asked for every guess. At any time some owners have
a PIN open; each is good for five minutes, and then another owner opens one. A right guess is not a
machine: it is shown to the owner, with three words that are not on his machine's screen.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from server.domain import pairing, spoken
from server.domain.pairing import MINUTE_S, WINDOW_S, Rules, Tries
from tools.arguments import Parser, count, whole

SECRET = b"everybody knows this one, so it is for simulations alone"


@dataclass(eq=False)
class Bounds:
    """What the server counts, in memory: wrong tries by address, by network, and of all."""

    rules: Rules
    addresses: dict[str, deque[float]] = field(default_factory=dict)
    networks: dict[str, deque[float]] = field(default_factory=dict)
    everybody: deque[float] = field(default_factory=deque)
    locked_until: float = 0.0
    locks: int = 0

    def _of(self, kept: dict[str, deque[float]], name: str, now: float) -> deque[float]:
        found = kept.setdefault(name, deque())
        while found and found[0] <= now - WINDOW_S:
            found.popleft()
        return found

    def tries(self, address: str, network: str, now: float) -> Tries:
        """As `server.db.claims.tries` finds them."""
        one, many = self._of(self.addresses, address, now), self._of(self.networks, network, now)
        while self.everybody and self.everybody[0] <= now - MINUTE_S:
            self.everybody.popleft()
        oldest = (one or many or [0.0])[0]
        return Tries(len(one), len(many), len(self.everybody), oldest, self.locked_until)

    def takes(self, address: str, network: str, now: float) -> bool:
        """Whether a PIN of this address is looked at now."""
        found = self.tries(address, network, now)
        return found.locked_until <= now and pairing.wait_s(found, self.rules, now) == 0

    def wrong(self, address: str, network: str, now: float, *, right: bool) -> bool:
        """A try counts, one that nobody confirms even if it is right; whether it locked."""
        self._of(self.addresses, address, now).append(now)
        self._of(self.networks, network, now).append(now)
        if right:
            return False
        self.everybody.append(now)
        if pairing.locks(self.tries(address, network, now), self.rules):
            self.locked_until = now + self.rules.lock_s
            self.locks += 1
            return True
        return False


@dataclass(eq=False)
class Owners:
    """So many PINs are open at any time; where one ran out another owner opens one."""

    many: int
    life_s: float
    dice: random.Random
    pins: dict[str, float] = field(default_factory=dict)
    made: int = 0

    def open(self, now: float) -> dict[str, float]:
        """The PINs that are open now, and until when."""
        if any(until <= now for until in self.pins.values()):
            self.pins = {pin: until for pin, until in self.pins.items() if until > now}
        while len(self.pins) < self.many:
            self.made += 1
            pin = pairing.pin_of(SECRET, f"owner {self.made}", 0)
            self.pins.setdefault(pin, now + self.dice.uniform(0.2, 1.0) * self.life_s)
        return self.pins


@dataclass(frozen=True)
class Attack:
    """How somebody guesses: from so many addresses, so often a minute over all."""

    name: str
    networks: int
    addresses_each: int
    per_minute: float


ATTACKS = (
    Attack("one address, as fast as it can", 1, 1, 6000),
    Attack("one network of 200 addresses, as fast as it can", 1, 200, 6000),
    Attack("20,000 addresses in 1,000 networks, as fast as they can", 1000, 20, 6000),
    Attack("20,000 addresses in 1,000 networks, just below the lock", 1000, 20, 99),
)


@dataclass(frozen=True)
class Outcome:
    """What came of an attack; ``looked_at`` guesses were, and ``days`` it took."""

    looked_at: int
    refused: int
    right: int
    locks: int
    days: float


def run(attack: Attack, guesses: int, open_pins: int, seed: int) -> Outcome:
    """Send so many guesses; those that are refused are spent too."""
    rules, dice = Rules(), random.Random(seed)
    bounds, owners = Bounds(rules), Owners(open_pins, rules.life_s, dice)
    looked_at = right = refused = 0
    now, pause = 1_000_000.0, 60.0 / attack.per_minute
    places = _places(attack)
    for _ in range(guesses):
        now += pause
        address, network = next(places)
        if not bounds.takes(address, network, now):
            refused += 1
            continue
        looked_at += 1
        hit = f"{dice.randrange(10**6):06}" in owners.open(now)
        right += hit
        if bounds.wrong(address, network, now, right=hit):
            owners.pins.clear()  # every PIN that waits is locked
    return Outcome(looked_at, refused, right, bounds.locks, (now - 1_000_000.0) / 86_400)


def _places(attack: Attack) -> Iterator[tuple[str, str]]:
    """Every address in turn, a network after the other."""
    named = [
        (f"n{network}.{address}", f"n{network}")
        for address in range(attack.addresses_each)
        for network in range(attack.networks)
    ]
    while True:
        yield from named


def main(words: Sequence[str] | None = None) -> int:
    """Run every attack and print a table for docs/threats.md."""
    options = Parser(prog="python -m tools.guesses", description=__doc__)
    options.add_argument("--guesses", type=count, default=10**6, help="guesses of each attack")
    options.add_argument("--open", type=count, default=10, help="PINs that are open at any time")
    options.add_argument("--seed", type=whole, default=1, help="seed of the dice")
    given = options.parse_args(words)
    print(f"{given.guesses:,} guesses each, {given.open} PINs open at any time, seed {given.seed}")
    print("| attack | looked at | right | times locked | days |")
    print("| --- | --- | --- | --- | --- |")
    for attack in ATTACKS:
        found = run(attack, given.guesses, given.open, given.seed)
        print(
            f"| {attack.name} | {found.looked_at:,} | {found.right} | {found.locks:,}"
            f" | {found.days:.1f} |"
        )
    chance = 2.0 ** -(3 * spoken.BITS)
    print("The three words of a machine that guessed right are those on the owner's own screen")
    print(f"with a chance of {chance:.1e}; without them nothing is delivered.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
