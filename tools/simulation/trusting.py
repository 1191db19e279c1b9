"""How far the simulated server believes each host: `server.domain.trust`, with lists for tables.

What `server.services.trusting` and `.book` do around those rules is done here in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from server.domain import trust
from server.domain.intervals import Intervals
from server.domain.policy import Policy
from server.domain.quorum import Copy, Verdict
from server.domain.trust import History, Standing
from tools.simulation.desk import Task
from tools.simulation.hosts import Host

PRODUCTION = 1
# Who is here is counted anew so often; the server does it every 10 s, which costs too much here.
KEPT_S = 600.0
NONE = History()


@dataclass(frozen=True)
class Faith:
    """How far the hosts of a unit are believed; ``spots`` is None if the production trusts none."""

    standings: Mapping[int, Standing]
    spots: Intervals | None

    def mark(self, copy: Copy) -> Copy:
        """A copy with what is thought of its host."""
        flags = self.flags(copy.host)
        if flags == (copy.trusted, copy.doubted):
            return copy
        return replace(copy, trusted=flags[0], doubted=flags[1])

    def flags(self, host: int) -> tuple[bool, bool]:
        """Whether a host is trusted, and whether it is doubted."""
        found = self.standings.get(host, Standing.NEW)
        return found is Standing.TRUSTED, found is Standing.DOUBTED

    def without(self, caught: set[int]) -> Faith:
        """The same but for those who were caught, if that makes a difference; else this."""
        fallen = {host for host in caught if self.standings.get(host) is not Standing.DOUBTED}
        if self.spots is None or not fallen:
            return self
        return replace(self, standings={**self.standings, **dict.fromkeys(fallen, _DOUBTED)})


_DOUBTED = Standing.DOUBTED
NOBODY = Faith({}, None)


class Keeper:
    """Histories of all hosts, by host; and who may check whom."""

    def __init__(self, policy: Policy, hosts: Iterable[Host], seed: int) -> None:
        """``hosts`` bring what they earned before (`Host.history`)."""
        self.policy = policy
        self.key = seed.to_bytes(16, "big")
        self.hosts = list(hosts)
        self.histories: dict[int, History] = {}
        self.owned: dict[int, list[int]] = {}
        for host in self.hosts:
            self.owned.setdefault(host.account, []).append(host.id)
            if host.history:
                self.histories[host.id] = History(host.history, (-1, -2, -3), 0.0)
        # Until its account's histories change; the days after which trust fades are not simulated.
        self._standings: dict[int, Standing] = {}
        self._spots: dict[int, Intervals] = {}
        self._here: tuple[float, set[int], int] | None = None

    def standing(self, host: Host, now: float) -> Standing:
        """How far a host is believed."""
        kept = self._standings.get(host.id)
        if kept is not None:
            return kept
        needed = self.policy.trust_events
        hosts = (self.histories.get(one, NONE) for one in self.owned[host.account])
        disgrace = trust.disgraced(hosts, needed, now)
        found = trust.standing(self.histories.get(host.id, NONE), disgrace, needed, now)
        self._standings[host.id] = found
        return found

    def _put(self, host: int, history: History) -> None:
        self.histories[host] = history
        for one in self.owned[self.hosts[host].account]:
            self._standings.pop(one, None)

    def faith(self, unit: int, bounds: tuple[int, int], hosts: Iterable[Host], now: float) -> Faith:
        """How far those are believed who had tasks of a unit."""
        if not self.policy.adaptive:
            return NOBODY
        standings = {host.id: self.standing(host, now) for host in hosts}
        spots = self._spots.get(unit)
        if spots is None:
            share = self.policy.spot_checks
            spots = trust.spots(self.key, PRODUCTION, unit, bounds, 1, share)
            self._spots[unit] = spots
        return Faith(standings, spots)

    def forget(self, unit: int) -> None:
        """It is settled."""
        self._spots.pop(unit, None)

    def book(
        self, verdict: Verdict, faith: Faith, owners: Mapping[int, Task], now: float
    ) -> set[int]:
        """Book what a verdict says of hosts; who was caught."""
        if not self.policy.adaptive:
            return set()
        against = {part.host for part in verdict.rejected}
        for wrong in against:
            self._put(wrong, trust.caught(self.histories.get(wrong, NONE), now))
        for part in verdict.settled:
            agreeing = [owners[task].host for task in part.agreeing]
            for host in agreeing:
                by = {
                    other.account
                    for other in agreeing
                    if other.account != host.account
                    and faith.standings.get(other.id, Standing.NEW) is not _DOUBTED
                }
                if host.id not in against:
                    before = self.histories.get(host.id, NONE)
                    self._put(host.id, trust.agreed(before, part.last - part.first, by, now))
        return against

    def guard(self, unit: int, clock: Callable[[], float]) -> Callable[[int], bool]:
        """Who may have a second copy of events of this unit: partners by chance."""
        known, others = self._who(clock())
        since = clock()

        places: dict[int, float] = {}

        def may(account: int) -> bool:
            place = places.get(account)
            if place is None:
                place = trust.place(self.key, PRODUCTION, unit, account, account in known)
                places[account] = place
            return place < trust.reach(len(known), others, clock() - since)

        return may

    def _who(self, now: float) -> tuple[set[int], int]:
        if self._here is None or now - self._here[0] > KEPT_S:
            here = [h for h in self.hosts if h.life.start <= now < h.life.until]
            known = {h.account for h in here if self.standing(h, now) is Standing.TRUSTED}
            self._here = now, known, len({h.account for h in here} - known)
        return self._here[1], self._here[2]
