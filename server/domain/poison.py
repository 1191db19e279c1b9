"""Events that fail wherever they are tried: a bug of the payload, not of the hosts it meets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from server.domain.intervals import Intervals
from server.domain.trust import Standing

# A host may be wrong now and then and still be heard; one event in twenty is no longer chance.
WRONG_SHARE = 20


@dataclass(frozen=True)
class Told:
    """Events ``[first, last)`` failed with an account, in this word."""

    first: int
    last: int
    account: int
    word: str


@dataclass(frozen=True)
class Held:
    """Events ``[first, last)`` that an account has delivered."""

    first: int
    last: int
    account: int


@dataclass(frozen=True)
class Poison:
    """A granule that failed with so many accounts; ``word`` is what most of them said."""

    first: int
    last: int
    accounts: int
    word: str


def is_heard(active: bool, agreed: int, rejected: int, standing: Standing = Standing.NEW) -> bool:
    """Whether what a host says of failures counts: it is believed, and is seldom wrong.

    One that is doubted (`server.domain.trust`), or whose account is, may not have events left out
    either; one that is trusted is heard whatever it did in other payloads.
    """
    if not active or standing is Standing.DOUBTED:
        return False
    return standing is Standing.TRUSTED or rejected * WRONG_SHARE <= agreed


def poisoned(
    told: Sequence[Told],
    held: Iterable[Held],
    past: Intervals,
    span: tuple[int, int],
    granule: int,
    accounts: int,
    most: int,
) -> list[Poison]:
    """The granules of the unit ``span`` to be set aside, at most ``most`` events; in order.

    An event is set aside when it failed with ``accounts`` different accounts, of which none has
    delivered it; each account that did deliver it asks for as many witnesses more. ``past`` are
    settled, or set aside already. With ``accounts`` 0 nothing ever is.
    """
    if accounts <= 0 or len({one.account for one in told}) < accounts:
        return []
    copies = list(held)
    found: list[Poison] = []
    for first, last in _granules(told, span, granule, accounts):
        if past.overlaps(first, last):
            continue
        made = {c.account for c in copies if c.first < last and c.last > first}
        said = [t for t in told if t.first <= first and last <= t.last and t.account not in made]
        failed = {t.account for t in said}
        if len(failed) < accounts * (1 + len(made)):
            continue
        if most < last - first:
            break
        most -= last - first
        found.append(Poison(first, last, len(failed), _usual(said)))
    return found


def _granules(
    told: Sequence[Told], span: tuple[int, int], granule: int, accounts: int
) -> Iterable[tuple[int, int]]:
    """The whole granules of a unit that so many accounts named, in order."""
    low, high = span
    edges = sorted({edge for t in told for edge in (max(low, t.first), min(high, t.last))})
    upto = low
    for start, end in pairwise(edges):
        if len({t.account for t in told if t.first <= start and end <= t.last}) < accounts:
            continue
        first = max(upto, start - start % granule)
        while first < end:
            upto = min(high, first - first % granule + granule)
            yield first, upto
            first = upto


def _usual(said: Sequence[Told]) -> str:
    words = sorted(t.word for t in said)
    return max(words, key=words.count)
