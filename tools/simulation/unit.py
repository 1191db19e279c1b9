"""A work unit of the simulated server: its leases, what is in hand of each, what is settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from server.domain.intervals import Intervals
from server.domain.line import Taken
from server.domain.poison import Held, Poison, Told, poisoned
from server.domain.policy import Policy
from server.domain.quorum import Copy, Pending, Rejected, Settled
from tools.simulation.desk import Task
from tools.simulation.ledger import Ledger
from tools.simulation.people import is_right
from tools.simulation.trusting import Faith
from tools.simulation.workload import Workload


class Books(Protocol):
    """What a unit needs of its server."""

    workload: Workload
    ledger: Ledger
    flush_s: float
    streams: bool


class Unit:
    """Events ``[first, last)``; ``ready`` are its tasks that wait, by id."""

    __slots__ = (
        *("aside", "errors", "first", "held", "last", "leased", "leased_first", "number", "over"),
        *("ready", "rejected", "settled", "told"),
        *("_acked", "_copies", "_failed", "_tasks"),
    )

    def __init__(self, number: int, first: int, last: int) -> None:
        """Nothing of it is done."""
        self.number, self.first, self.last = number, first, last
        self.ready: dict[int, tuple[int, int]] = {}
        self.leased: dict[int, Task] = {}
        self.settled = Intervals()
        self.rejected: list[Rejected] = []
        self.errors = 0
        self.held = self.over = False
        self.told: list[Told] = []
        self.aside = Intervals()
        self.leased_first: float | None = None
        self._tasks: dict[int, Task] = {}
        self._copies: dict[int, Copy] = {}
        self._acked = 0
        self._failed: set[int] = set()

    def take(self, taken: Taken) -> None:
        """A lease is cut from what waits, as it would be in the table."""
        ready = self.ready
        if taken.split is not None:
            first, last = ready[taken.split.id]
            ready[taken.split.id] = (first, taken.first)
            ready[taken.waiting.id] = (taken.first, last)
        if taken.rest is None:
            del ready[taken.waiting.id]
        else:
            ready[taken.rest] = (taken.last, ready[taken.rest][1])

    def lease(self, task: Task) -> None:
        """A task is its host's from now on."""
        self.leased[task.id] = self._tasks[task.id] = task
        if self.leased_first is None:
            self.leased_first = task.leased_at

    def has(self, account: int, first: int, last: int) -> bool:
        """Whether an account holds or computes some of these events already."""
        return any(
            task.host.account == account
            and task.first < last
            and first < (task.last if task.leased else task.acked)
            for task in self._tasks.values()
        )

    def hear(self, task: Task, now: float, books: Books) -> None:
        """Learn what a running host has sent up to its last flush."""
        if task.running and books.streams and task.silent_since is None:
            flushes = (now - task.began) // books.flush_s
            done = task.carried + flushes * books.flush_s * task.rate
            upto = books.workload.reached(task.made, max(task.made, task.last), done)
            if upto > task.acked:
                books.ledger.bytes += (upto - max(task.acked, task.made)) * (
                    books.workload.shape.event_bytes
                )
                task.acked = upto
                task.grown_at = now

    def heard(self, task: Task, now: float, books: Books) -> None:
        """What a lease that still runs has sent is a copy too, near the end."""
        self.hear(task, now, books)
        self._hold(task)

    def ended(self, task: Task) -> None:
        """It is leased no longer; what is in hand of it counts."""
        self.leased.pop(task.id, None)
        self._hold(task)
        if task.acked == task.first:
            self._tasks.pop(task.id, None)

    def late(self, task: Task) -> bool:
        """Frames of a lease that is over came; whether they bring anything to an open unit."""
        if self.over or task.acked <= task.first:
            return False
        self._tasks[task.id] = task
        return self._hold(task)

    def _hold(self, task: Task) -> bool:
        """Keep what is in hand as one copy; whether it is more than before."""
        known = self._copies.get(task.id)
        if task.acked <= (task.first if known is None else known.last):
            return False
        start = task.first if known is None else known.last
        digests = tuple(task.host.person.digests(start, task.acked))
        task.host.person.sent += task.acked - start
        self._copies[task.id] = Copy(
            task.id, task.host.id, task.host.account, task.first, task.acked,
            digests if known is None else (*known.digests, *digests),
        )  # fmt: skip
        self._acked += task.acked - start
        return True

    def alone(self, task: Task) -> bool:
        """Whether nobody else's copy of a task's events is in hand: then nothing can be settled."""
        return not any(
            copy.first < task.last and task.first < copy.last and copy.task != task.id
            for copy in self._copies.values()
        )

    def marked(self, faith: Faith) -> list[Copy]:
        """The copies, with what is thought of their hosts."""
        self._copies = {task: faith.mark(copy) for task, copy in self._copies.items()}
        return list(self._copies.values())

    def copies(self) -> list[Copy]:
        """What is in hand of leases that ended, in the order in which they did."""
        return list(self._copies.values())

    def pending(self, faith: Faith, late: bool = False) -> list[Pending]:
        """What waiting and leased tasks will still bring; those that are late, if asked."""
        waiting = [Pending(None, first, last) for first, last in self.ready.values()]
        return waiting + [
            Pending(task.host.account, first, task.last, *faith.flags(task.host.id))
            for task in self.leased.values()
            if (late or not task.late) and (first := self.missing_from(task)) < task.last
        ]

    def missing_from(self, task: Task) -> int:
        """From which event on nothing of a lease is in hand."""
        copy = self._copies.get(task.id)
        return task.first if copy is None else copy.last

    def failed(self, account: int, event: int) -> None:
        """An account's first failure in the unit is an error of the unit."""
        self.told.append(Told(event, event + 1, account, "crash"))
        if account not in self._failed:
            self._failed.add(account)
            self.errors += 1

    def set_aside(self, policy: Policy, most: int) -> list[Poison]:
        """What failed with enough accounts is set aside: it counts as decided."""
        held = [Held(copy.first, copy.last, copy.account) for copy in self._copies.values()]
        span = (self.first, self.last)
        found = poisoned(
            self.told, held, self.settled.union(self.aside), span, 1, policy.set_aside_after, most
        )
        for one in found:
            self.aside = self.aside.add(one.first, one.last)
        return found

    @property
    def decided(self) -> Intervals:
        """What is settled or set aside."""
        return self.settled.union(self.aside) if self.aside else self.settled

    @property
    def owners(self) -> Mapping[int, Task]:
        """Who has, or had, which task."""
        return self._tasks

    def settle(self, part: Settled, now: float, books: Books) -> None:
        """These events are decided; that they were not before is a rule."""
        if self.settled.overlaps(part.first, part.last):
            books.ledger.fault(f"[{part.first}, {part.last}) is settled twice")
        accounts = [self._copies[task].account for task in part.agreeing]
        if len(set(accounts)) < len(accounts):
            books.ledger.fault(f"[{part.first}, {part.last}) has an account with two voices")
        self.settled = self.settled.add(part.first, part.last)
        work = books.workload.work(part.first, part.last)
        if not self.held:
            books.ledger.settle(now, part.first, part.last, work, len(part.agreeing))
        copy = self._copies[part.task]
        chosen = copy.digests[part.first - copy.first : part.last - copy.first]
        books.ledger.wrong += sum(not is_right(digest) for digest in chosen)
        if self.leased_first is not None:
            books.ledger.lock(now - self.leased_first)

    def reject(self, wrong: Iterable[Rejected], books: Books) -> None:
        """Copies that differ from what settled the events."""
        for part in wrong:
            self.rejected.append(part)
            books.ledger.rejected += books.workload.work(part.first, part.last) / (
                self._tasks[part.task].host.person.rush
            )

    def check(self, books: Books) -> None:
        """At the end: nothing acknowledged went missing, nothing was issued without end."""
        kept = sum(copy.last - copy.first for copy in self._copies.values())
        # Of a lease that still runs, only what was looked at near the end is a copy.
        held = sum(
            (self.missing_from(t) if t.leased else t.acked) - t.first for t in self._tasks.values()
        )
        if kept != self._acked or held != kept:
            books.ledger.fault(f"unit {self.number}: {held} events acknowledged, {kept} in hand")
        if self.decided != Intervals([(self.first, self.last)]):
            books.ledger.fault(f"unit {self.number}: settled is {self.settled}")
        ledger = books.ledger
        ledger.most_copies = max(ledger.most_copies, _deepest(self._copies.values()))

    def closed(self) -> Unit:
        """What is left of a settled unit: that it is."""
        over = Unit(self.number, self.first, self.last)
        over.over = True
        return over


def _deepest(copies: Iterable[Copy]) -> int:
    """The most copies that lie on one event."""
    depth = most = 0
    for _, step in sorted(edge for copy in copies for edge in ((copy.first, 1), (copy.last, -1))):
        depth += step
        most = max(most, depth)
    return most
