"""Gauges of made-up history: machines as they might have come and gone, and from where."""

from __future__ import annotations

import math
import random
import secrets
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from server.db import hosts
from server.db.base import Store
from server.db.figures import Sample
from server.domain.rollup import DAY, HOUR, KEPT_S, MINUTE, MONTH, Gauge, Kind, MachineKind, floor
from server.services import census
from server.services.census import BYTES_OF_NETWORK, SALT_BYTES, STEPS, Census, Period
from server.services.safe import Safe

SITES = {
    "cms-hlt": (MachineKind.TRIGGER_FARM, "CH", 0.30),
    "na61-daq": (MachineKind.TRIGGER_FARM, "CH", 0.05),
    "krakow": (MachineKind.CLUSTER, "PL", 0.12),
    "wigner": (MachineKind.CLUSTER, "HU", 0.10),
    "spot-eu": (MachineKind.CLOUD, "IE", 0.08),
}
_BY_SITE = {name: part for name, (_, _, part) in SITES.items()}
_BY_SITE |= {"": 1.0 - sum(_BY_SITE.values())}
_BY_KIND = {
    str(kind): sum(part for each, _, part in SITES.values() if each is kind) or _BY_SITE[""]
    for kind in MachineKind
}
COUNTRIES = (
    *("DE", "FR", "IT", "US", "GB", "PL", "ES", "JP", "BR", "IN"),
    *("CA", "NL", "SE", "CZ", "AU", "ZA", "AR", "KR", "FI", "PT"),
)
_SEEN_OF_A_MONTH = (
    (Gauge.MACHINES_SEEN, 1.4), (Gauge.ACCOUNTS_SEEN, 0.35), (Gauge.ADDRESSES_SEEN, 1.1),
)  # fmt: skip


@dataclass(frozen=True)
class Past:
    """What gauges are made up of: when machines joined, since when, and what is left to do."""

    joined: Sequence[float]
    begin: float
    now: float
    events_left: int
    chance: random.Random


def samples(past: Past) -> Iterator[Sample]:
    """Machines by hour and day, and by minute of late."""
    joined = sorted(past.joined)
    there = max(1, int(len(joined) * 0.6))
    for gauge, share in _SEEN_OF_A_MONTH:
        at = floor(past.now, MONTH)
        yield Sample(gauge, Kind.POOL, "", MONTH, at, max(1, int(there * share)))
    for step in (MINUTE, HOUR, DAY):
        at = floor(max(past.begin, past.now - KEPT_S.get(step, past.now - past.begin)), step)
        while at < past.now:
            yield from _moment(past, joined, step, at)
            at += step


def _moment(past: Past, joined: list[float], step: int, at: int) -> Iterator[Sample]:
    share = 0.55 + (0.15 * math.sin(at / DAY * 2 * math.pi) if step < DAY else 0.0)
    there = bisect_right(joined, at)
    here = int(there * share * past.chance.uniform(0.95, 1.0))
    values = {
        Gauge.MACHINES_CONNECTED: here,
        Gauge.MACHINES_WORKING: int(here * 0.9),
        Gauge.CORES: here * 9,
        Gauge.MEMORY_MB: here * 18_000,
        Gauge.LEASES: int(here * 0.9),
        Gauge.EVENTS_LEASED: here * 250,
        Gauge.EVENTS_IN_HAND: here * 200,
        Gauge.EVENTS_LEFT: past.events_left,
        Gauge.TASKS_READY: 400,
        Gauge.LEASE_AGE_MEAN_S: 900.0,
        Gauge.LEASE_AGE_OLDEST_S: 3500.0,
    }
    if step > MINUTE:
        values |= {
            Gauge.MACHINES_SEEN: int(here * 1.1),
            Gauge.ACCOUNTS_SEEN: here // 4,
            Gauge.ADDRESSES_SEEN: int(here * 0.7),
        }
        for place, country in enumerate(("CH", *COUNTRIES)):
            yield from _of(Kind.COUNTRY, country, step, at, int(here * 0.3 * 0.8**place))
        for kind, parts in ((Kind.SITE, _BY_SITE), (Kind.MACHINE, _BY_KIND)):
            for key, part in parts.items():
                yield from _of(kind, key, step, at, int(here * part))
    for gauge, value in values.items():
        yield Sample(gauge, Kind.POOL, "", step, at, value)


def _of(kind: Kind, key: str, step: int, at: int, machines: int) -> Iterator[Sample]:
    """Machines of a word, if there are any."""
    if machines:
        yield Sample(Gauge.MACHINES_CONNECTED, kind, key, step, at, machines)


async def addresses(store: Store, safe: Safe, now: float) -> None:
    """Count made-up addresses of the machines of this hour, day and month, as if they had come."""
    periods = {}
    for step in STEPS:
        period = periods[step] = Period(step, floor(now, step), secrets.token_bytes(SALT_BYTES))
        for host, _ in await store.read(partial(hosts.seen_since, at=period.at)):
            behind = host * 7 // 10  # some share one
            period.came(behind.to_bytes(BYTES_OF_NETWORK, "big"))
    taken = census.take(Census(periods=periods), safe)
    await store.write(partial(census.keep, taken=taken))
