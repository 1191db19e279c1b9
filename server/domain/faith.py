"""How the hosts of a unit are believed while it is judged, and what its verdict says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from server.domain.intervals import Intervals
from server.domain.quorum import Verdict
from server.domain.trust import Standing


class Owner(Protocol):
    """Whose a task was."""

    @property
    def host(self) -> int | None:
        """The host, if it ever had one."""
        ...

    @property
    def account(self) -> int | None:
        """Its account."""
        ...


@dataclass(frozen=True)
class Faith:
    """How far the hosts of a unit are believed; ``spots`` is None if the production trusts none."""

    standings: Mapping[int, Standing]
    spots: Intervals | None

    def flags(self, host: int | None) -> tuple[bool, bool]:
        """Whether a host is trusted, and whether it is doubted."""
        found = self.standings.get(host or 0, Standing.NEW)
        return found is Standing.TRUSTED, found is Standing.DOUBTED

    def without(self, caught: set[int]) -> Faith:
        """The same but for those who were caught, if that makes a difference; else this."""
        fallen = {host for host in caught if self.standings.get(host) is not Standing.DOUBTED}
        if self.spots is None or not fallen:
            return self
        doubted = dict.fromkeys(fallen, Standing.DOUBTED)
        return replace(self, standings={**self.standings, **doubted})


def settled_by(faith: Faith, judged: Callable[[Faith], Verdict]) -> tuple[Faith, Verdict]:
    """The verdict that believes nobody whom it catches, and how far it believes hosts.

    Who is caught at one event of a unit is not trusted with the others in the same breath.
    """
    while True:
        verdict = judged(faith)
        less = faith.without({wrong.host for wrong in verdict.rejected})
        if less is faith:
            return faith, verdict
        faith = less


@dataclass
class Findings:
    """What a verdict says of one host: events agreed on, by whom, and events settled against it."""

    agreed: int = 0
    by: frozenset[int] = frozenset()
    against: int = 0


def findings(verdict: Verdict, faith: Faith, owners: Mapping[int, Owner]) -> dict[int, Findings]:
    """What a verdict says of each host.

    A partner counts if it is trusted, or if the host could not choose it, which is so wherever
    hosts are trusted at all, and if it is not doubted.
    """
    found: dict[int, Findings] = {}
    for part in verdict.settled:
        agreeing = [owners[task] for task in part.agreeing]
        counting = {other.account or 0 for other in agreeing if _counts(faith, other)}
        for task in agreeing:
            by = counting - {task.account or 0}
            if by:
                said = found.setdefault(task.host or 0, Findings())
                said.agreed += part.last - part.first
                said.by |= by
    for wrong in verdict.rejected:
        said = found.setdefault(wrong.host, Findings())
        said.against += wrong.last - wrong.first
    return found


def _counts(faith: Faith, other: Owner) -> bool:
    trusted, doubted = faith.flags(other.host)
    return trusted or (faith.spots is not None and not doubted)
