"""Who was here: machines and accounts exactly, addresses by a sketch, countries by a table.

An address comes in with a long poll, goes through a keyed hash and the table of countries, and is
let go: it is neither kept nor logged here. Addresses of IPv6 count by their first 64 bits.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from server.db import hosts, sketches
from server.db.base import Tx
from server.db.sketches import Kept
from server.domain.rollup import DAY, HOUR, MONTH, Gauge, floor
from server.domain.sketch import BYTES, Sketch
from server.services.cards import HostCard, Registry
from server.services.safe import NotOpened, Safe

log = logging.getLogger("windfall.census")
STEPS = (HOUR, DAY, MONTH)
ADDRESSES = "addresses"
SALT_BYTES = 32
BYTES_OF_NETWORK = 8  # of an address of IPv6: what is behind it is one household, or one farm

CountryOf = Callable[[str], str]


def no_country(address: str) -> str:
    """Countries are not looked up."""
    return ""


@dataclass(eq=False)
class Period:
    """An hour, a day or a month that goes on; ``changed`` since it was kept."""

    step: int
    at: int
    salt: bytes
    sketch: Sketch = field(default_factory=Sketch)
    machines: set[int] = field(default_factory=set)
    accounts: set[int] = field(default_factory=set)
    changed: bool = True

    def came(self, network: bytes) -> None:
        """Somebody from there was here."""
        digest = hashlib.blake2b(network, digest_size=BYTES, key=self.salt).digest()
        self.changed |= self.sketch.add(int.from_bytes(digest, "big"))

    def counts(self) -> dict[Gauge, int]:
        """How many different ones there were so far."""
        return {
            Gauge.MACHINES_SEEN: len(self.machines),
            Gauge.ACCOUNTS_SEEN: len(self.accounts),
            Gauge.ADDRESSES_SEEN: self.sketch.count(),
        }


@dataclass(eq=False)
class Census:
    """What is known of who is here; ``country_of`` is empty of who is nowhere.

    ``public`` says whether statistics are for everybody, ``countries`` whether they are looked up.
    ``moved`` are the hosts whose country is not in the table yet.
    """

    public: bool = True
    countries: bool = False
    country_of: CountryOf = no_country
    periods: dict[int, Period] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)

    def came(self, card: HostCard, address: str) -> None:
        """A host speaks, from this address."""
        network = _network(address)
        if not network:
            return
        for period in self.periods.values():
            period.came(network)
        if not self.countries:
            return
        country = self.country_of(address)
        if country and country != card.country:
            card.country = self.moved[card.id] = country

    def addresses(self) -> dict[str, int]:
        """About how many different ones there were since the present hour, day and month began."""
        words = {HOUR: "hour", DAY: "day", MONTH: "month"}
        return {words[step]: period.sketch.count() for step, period in self.periods.items()}

    def count(self, registry: Registry, now: float) -> list[Period]:
        """Count who was here by now; the periods that are over, which were replaced by new ones."""
        over = []
        for step in STEPS:
            at = floor(now, step)
            period = self.periods.get(step)
            if period is not None and period.at != at:
                _note(period, registry, now)
                over.append(period)
            if period is None or period.at != at:
                period = self.periods[step] = Period(step, at, secrets.token_bytes(SALT_BYTES))
            _note(period, registry, now)
        return over


def _note(period: Period, registry: Registry, now: float) -> None:
    """Whoever was heard of since the period began was here in it; of one that is over, before."""
    end = now if floor(now, period.step) == period.at else float(floor(now, period.step))
    for card in registry.hosts.values():
        if period.at <= card.seen_at <= end and card.id not in period.machines:
            period.machines.add(card.id)
            period.accounts.add(card.account)


def _network(address: str) -> bytes:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return b""
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found.packed[:BYTES_OF_NETWORK]


async def load(census: Census, tx: Tx, safe: Safe, now: float) -> None:
    """Go on with what is under way."""
    for kept in await sketches.everything(tx):
        if kept.at != floor(now, kept.step) or kept.what != ADDRESSES:
            continue
        try:
            salt = safe.open(kept.salt, ADDRESSES)
        except NotOpened:
            log.warning("counting begins anew", extra={"action": "census", "step": kept.step})
            continue
        sketch = Sketch.from_bytes(kept.least)
        census.periods[kept.step] = Period(kept.step, kept.at, salt, sketch, changed=False)
    for step in STEPS:
        at = floor(now, step)
        period = census.periods.setdefault(step, Period(step, at, secrets.token_bytes(SALT_BYTES)))
        for host, account in await hosts.seen_since(tx, at):
            period.machines.add(host)
            period.accounts.add(account)


class Changes(NamedTuple):
    """What is to be written: countings closed, and hosts that came to another country."""

    periods: list[Period]
    rows: list[Kept]
    moved: dict[int, str]


def take(census: Census, safe: Safe) -> Changes:
    """What changed since it was last taken."""
    changed = [period for period in census.periods.values() if period.changed]
    rows = [
        Kept(ADDRESSES, one.step, one.at, safe.close(one.salt, ADDRESSES), one.sketch.to_bytes())
        for one in changed
    ]
    for period in changed:
        period.changed = False
    moved, census.moved = census.moved, {}
    return Changes(changed, rows, moved)


def put_back(census: Census, taken: Changes) -> None:
    """It could not be written."""
    for period in taken.periods:
        period.changed = True
    census.moved = {**taken.moved, **census.moved}


async def keep(tx: Tx, taken: Changes) -> None:
    """Write down what changed."""
    for row in taken.rows:
        await sketches.keep(tx, row)
    for host, country in taken.moved.items():
        hosts.in_country(tx, host, country)
