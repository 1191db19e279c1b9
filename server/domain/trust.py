"""How far a host is believed: earned slowly by agreement, lost at once, never without checks.

A production with ``adaptive = true`` takes the events of a trusted host on its word, but for a
share ``s`` of them, chosen where the host cannot know it (`spots`), on which another host must
agree.

*Earning.* A host is trusted for a version of a payload once ``needed`` of its events (3,000 if the
production says nothing) were agreed with by others. Whoever alters a share ``f`` of its events is
caught on the way with probability ``1 - (1 - f) ** needed``: 95 % for one event in a thousand, all
but surely for one in a hundred. Only partners count that it could not choose: `VOUCHERS` accounts
other than its own, each trusted itself or picked by `place`. So accounts of one owner that vouch
for each other get no further than chance lets them meet.

*Keeping.* A trusted host that alters ``k`` events of a unit is caught there with probability ``1 -
(1 - s) ** k`` if they lie scattered, and before the unit is written, which waits for its checks: at
s = 5 % that is 5 % for one event, 64 % for 20, 99.4 % for 100. Where a unit has ``1 / s`` stretches
or more, one of them at least is checked in every unit, so a host that fakes all of a unit never
gets it in. Over many units the wrong events that get in before it is caught are at most about ``(1
- s) / s`` on average (the waiting time of a geometric law): 19 events at 5 %, however many or few
it alters. It then starts from nothing, and a checker who is its friend (a share ``c`` of the
candidates) stretches this to ``1 / (s (1 - c))``.

*Losing.* One event settled against a host takes all its trust, and makes it doubted for `DOUBT_S`,
or until it has earned all anew: what doubted hosts agree on among themselves settles nothing. An
account answers for its hosts: if more than one in ten of those that earned trust are doubted, none
of the others is trusted and new ones are doubted from the start.

*Fading.* From `GRACE_S` after the last agreement on, what was earned halves every `HALF_S`; after
`FORGET_S` nothing is left: machines are sold, and disks wear out.

Adaptive replication as BOINC does it (its wiki, "Job replication") counts results in a row, decides
about a second copy before the host begins, and takes any partner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from math import lcm

from server.domain.intervals import Intervals

VOUCHERS = 3  # partners of different accounts: two colluders and chance are not enough
DAY_S = 86_400.0
DOUBT_S = 7 * DAY_S  # as long as it takes an operator to look
GRACE_S = 14 * DAY_S  # a holiday
HALF_S = 14 * DAY_S
FORGET_S = 70 * DAY_S  # four halvings after the grace: a sixteenth is nothing
ACCOUNT_SHARE = 10  # of so many hosts of an account that earned trust, one may be doubted
STRETCHES = 64  # parts of a unit that are checked or not: fewer ranges to lease than events
PARTNERS = 4  # accounts that may have a second copy at first, of those that are here
GROW_S = 30.0  # and twice as many after each such time, so that nothing waits for who is busy


class Standing(StrEnum):
    """How far a host is believed.

    - doubted: caught lately, or a host of an account that was;
    - new: believed where others agree;
    - trusted: believed alone, but for spot checks.
    """

    DOUBTED = "doubted"
    NEW = "new"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class History:
    """What became of a host's events of one version of a payload; times in s.

    ``agreed`` events were agreed with since it was last caught, by the accounts ``vouchers`` (of
    which no more are kept than are needed), last ``at``. It was ``caught`` so many times, last at
    ``caught_at``. ``word`` is what a person says of it: trust until it is caught, doubt for ever.
    """

    agreed: int = 0
    vouchers: tuple[int, ...] = ()
    at: float = 0.0
    caught: int = 0
    caught_at: float | None = None
    word: Standing | None = None


def weight(history: History, now: float) -> float:
    """What is left of the events agreed with."""
    away = max(0.0, now - history.at)
    if away >= FORGET_S:
        return 0.0
    return float(history.agreed * 0.5 ** (max(0.0, away - GRACE_S) / HALF_S))


def agreed(history: History, events: int, by: Collection[int], now: float) -> History:
    """These events were agreed with by accounts that count; by none, and nothing changes."""
    if not by or events <= 0:
        return history
    vouchers = tuple(dict.fromkeys([*history.vouchers, *sorted(by)]))[:VOUCHERS]
    return replace(history, agreed=int(weight(history, now)) + events, vouchers=vouchers, at=now)


def caught(history: History, now: float) -> History:
    """Events of it were settled against it: nothing is left, not even trust that a person gave."""
    return History(0, (), now, history.caught + 1, now, spent(history.word))


def spent(word: Standing | None) -> Standing | None:
    """What is left of a person's word once a host is caught."""
    return Standing.DOUBTED if word is Standing.DOUBTED else None


def earned(history: History, needed: int, now: float) -> bool:
    """Whether it has earned trust by itself."""
    return len(history.vouchers) >= VOUCHERS and weight(history, now) >= needed


def doubted(history: History, needed: int, now: float) -> bool:
    """Whether it was caught lately and has not earned all anew, or a person doubts it."""
    if history.word is not None:
        return history.word is Standing.DOUBTED
    at = history.caught_at
    return at is not None and now - at < DOUBT_S and not earned(history, needed, now)


def disgraced(hosts: Iterable[History], needed: int, now: float) -> bool:
    """Whether too many hosts of an account are doubted, against those that earned trust."""
    bad = good = 0
    for host in hosts:
        bad += doubted(host, needed, now)
        good += earned(host, needed, now)
    return bad * ACCOUNT_SHARE > good


def standing(own: History, disgrace: bool, needed: int, now: float) -> Standing:
    """How far a host is believed; ``disgrace`` is that of its account."""
    if own.word is not None:
        return own.word
    if doubted(own, needed, now):
        return Standing.DOUBTED
    good = earned(own, needed, now)
    if disgrace:
        return Standing.NEW if good else Standing.DOUBTED
    return Standing.TRUSTED if good else Standing.NEW


def chance_caught(altered: int, share: float) -> float:
    """The probability that a check of this share of all events meets one of these."""
    return float(1.0 - (1.0 - share) ** altered)


def spots(
    key: bytes, production: int, unit: int, bounds: tuple[int, int], step: int, share: float
) -> Intervals:
    """The events of a unit that another host must agree on, whoever made them.

    ``bounds`` are its first event and the one after its last, ``step`` whole granules and blocks.
    The unit is cut into at most `STRETCHES` stretches of whole steps, and of these a share is
    taken, rounded up or down by chance, in an order that only the holder of ``key`` can tell.
    """
    first, last = bounds
    size = step * max(1, -(-(last - first) // (step * STRETCHES)))
    count = -(-(last - first) // size)
    drawn = _draw(key, "round", production, unit, 0)
    chosen = sorted(range(count), key=lambda k: _draw(key, "spot", production, unit, k))
    return Intervals(
        (first + k * size, min(last, first + (k + 1) * size))
        for k in sorted(chosen[: int(share * count + drawn)])
    )


def grain(granule: int, block: int) -> int:
    """The step of `spots`: who starts inside of a block computes its beginning again."""
    return lcm(granule, block)


def place(key: bytes, production: int, unit: int, account: int, known: bool) -> float:
    """Where an account stands in the queue for second copies of a unit: the lowest first.

    From 0 to 1 for those ``known``, who have a trusted host; from 1 to 2 for the others.
    """
    return _draw(key, "place", production, unit, account) + (0.0 if known else 1.0)


def reach(known: int, others: int, waited_s: float) -> float:
    """Up to which `place` accounts may have a second copy that has waited for so long.

    ``known`` and ``others`` count the accounts that are here. `PARTNERS` of them at first, chosen
    anew for every unit; who asks again and again for a copy that a friend began gains nothing.
    """
    first = PARTNERS / known if known else 1.0 + PARTNERS / max(1, others)
    return float(first * 2.0 ** (min(max(0.0, waited_s), 3600.0) / GROW_S))


def _draw(key: bytes, kind: str, *numbers: int) -> float:
    """A number from 0 to 1 that only the holder of the key can tell."""
    said = "/".join([kind, *map(str, numbers)]).encode()
    return int.from_bytes(blake2b(said, digest_size=7, key=key).digest(), "big") / 2.0**56
