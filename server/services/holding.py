"""Why a unit is held, in words for the person who has to look."""

from __future__ import annotations

from collections.abc import Sequence

from server.db.event_failures import EventFailure
from server.db.units import Unit
from server.domain.intervals import Interval
from server.domain.policy import Policy

NAMED = 4  # intervals and words that are told one by one


def why_held(
    policy: Policy,
    unit: Unit,
    exhausted: Sequence[Interval],
    failures: Sequence[EventFailure],
    gone: int = 0,
    granule: int = 1,
) -> str:
    """The reason, with what its hosts told of the events that failed.

    ``gone`` events of the production are set aside, and ``granule`` are the least that can be.
    """
    if exhausted:
        events = _some([f"[{first}, {last})" for first, last in exhausted])
        most = policy.most_copies * (1 + unit.releases)
        said = f"events {events} found no {policy.quorum} agreeing copies among {most}"
    else:
        said = f"{unit.errors} tasks of this unit failed, and {policy.most_errors} may"
    told = [_some(_told(failures))] if failures else []
    if failures and policy.set_aside_after > 0 and policy.most_set_aside - gone < granule:
        told.append(_full(policy, gone))
    return "; ".join([said, *told])


def _full(policy: Policy, gone: int) -> str:
    """Why what failed everywhere was not set aside."""
    if not policy.most_set_aside:
        return "none of this production may be set aside (most_set_aside = 0)"
    return (
        f"{gone} of this production are set aside already, and no more may be"
        f" (most_set_aside = {policy.most_set_aside})"
    )


def _told(failures: Sequence[EventFailure]) -> list[str]:
    """One phrase for each run of events and each word."""
    hosts: dict[tuple[int, int, str], set[int]] = {}
    for failure in failures:
        hosts.setdefault((failure.first, failure.last, failure.word), set()).add(failure.host)
    return [
        f"events [{first}, {last}) failed on {len(who)} host{'s' * (len(who) > 1)}: {word}"
        for (first, last, word), who in sorted(hosts.items(), key=lambda item: -len(item[1]))
    ]


def _some(phrases: Sequence[str]) -> str:
    rest = len(phrases) - NAMED
    return ", ".join([*phrases[:NAMED], *([f"and {rest} more"] if rest > 0 else [])])
