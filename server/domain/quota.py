"""How much of the pool a host may spoil: leases at once, bad leases a day, rests after failures.

The one place of that rule. It is BOINC's (`daily_result_quota` per host and application version:
one less for each error or timeout, doubled by each success), but for what is counted: not every
lease, only those that come to nothing. So a good host is never held up, however short its leases
are, and one that spoils all it gets soon has one try a day.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

AT_ONCE = 4  # leases a slot: one runs, one is sent, two wait; more would be kept from other hosts
REST_MOST = 600.0  # seconds: the longest that a host is told to rest after failures
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Quota:
    """What a host may still spoil of a payload: ``bad`` leases of ``allowed`` on this ``day``."""

    allowed: int
    bad: int = 0
    day: int = 0


def at_once(slots: int, failures: int) -> int:
    """The leases that a host may have at once: half as many for each failure in a row."""
    return max(1, AT_ONCE * slots >> min(failures, 30))


def rest_s(failures: int) -> float:
    """For how long a host rests after so many failures in a row: not after one, then longer."""
    return 0.0 if failures < 2 else min(REST_MOST, 2.0 ** min(failures - 1, 30))


def spoilt(before: Quota | None, most: int, now: float) -> Quota:
    """A lease failed or ran out: one more is counted today, and one less allowed from now on."""
    today = int(now // DAY_S)
    quota = before or Quota(most, 0, today)
    bad = quota.bad if quota.day == today else 0
    return Quota(max(1, min(quota.allowed, most) - 1), bad + 1, today)


def delivered(before: Quota, most: int, now: float) -> Quota | None:
    """A lease was delivered: twice as many are allowed; None if nothing is held against it."""
    today = int(now // DAY_S)
    quota = replace(before, allowed=min(most, 2 * before.allowed))
    if quota.allowed < most or (quota.day == today and quota.bad >= quota.allowed):
        return quota
    return None


def forgiven(before: Quota, leases: int, most: int, now: float) -> Quota | None:
    """So many that were counted were not its fault; None if nothing is held against it any more."""
    today = int(now // DAY_S)
    bad = max(0, before.bad - leases) if before.day == today else 0
    allowed = min(most, before.allowed + leases)
    return Quota(allowed, bad, today) if bad or allowed < most else None


def left(quota: Quota | None, most: int, leases: int, now: float) -> int:
    """How many leases more of a payload a host with so many ``leases`` of it may have today."""
    if quota is None:
        return most
    bad = quota.bad if quota.day == int(now // DAY_S) else 0
    return max(0, min(quota.allowed, most) - bad - leases)


def wait_s(now: float) -> float:
    """The seconds until the next day (UTC) begins."""
    return DAY_S - now % DAY_S
