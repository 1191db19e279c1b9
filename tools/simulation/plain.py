"""A plain server for comparison: jobs of a fixed size, whole results, a fixed deadline.

After BOINC's server (notes on BOINC, section 3): work units of one size, instances for ``quorum``
agreeing whole results, a report deadline after which another instance is made, late results taken
while the work unit is open, at most ``most_errors`` failures. With ``adaptive`` its replication:
a host of `TRUSTED` valid results in a row gets single instances, except once in as many as it has.
In BOINC's favour: two copies never go to one account (by default they do), no feeder, no set-up
of a client's queue, copies go to one numerical class (homogeneous redundancy, an option there),
and the deadline is a day instead of a week.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import simpy

from tools.simulation.desk import RETRY_S, Desk, Task
from tools.simulation.hosts import Host
from tools.simulation.ledger import Ledger
from tools.simulation.people import is_right
from tools.simulation.workload import Workload

TRUSTED = 10
LOOKS = 64


@dataclass(frozen=True)
class Terms:
    """How a plain server is run."""

    job_s: float = 3600.0
    deadline_s: float = 86400.0
    quorum: int = 2
    adaptive: bool = False
    most_errors: int = 3
    most_instances: int = 10


@dataclass(slots=True)
class Job:
    """A work unit: its events, who was sent it, which results are in."""

    number: int
    first: int
    last: int
    quorum: int
    unsent: int = 0
    out: int = 0
    accounts: set[int] = field(default_factory=set)
    results: list[tuple[Task, tuple[bytes, ...]]] = field(default_factory=list)
    rejected: set[int] = field(default_factory=set)
    errors: int = 0
    sent: int = 0
    sent_first: float | None = None
    klass: str | None = None
    over: bool = False


class Plain(Desk):
    """A production on a plain server."""

    def __init__(
        self,
        env: simpy.Environment,
        workload: Workload,
        ledger: Ledger,
        seed: int,
        rate: float,
        terms: Terms,
        hosts: Sequence[Host],
    ) -> None:
        """One production of this workload, on these terms."""
        super().__init__(env, workload, ledger, seed, rate)
        self.terms = terms
        size = max(1, round(terms.job_s / workload.shape.event_s))
        self.jobs = [
            Job(number, first, min(first + size, workload.events), terms.quorum)
            for number, first in enumerate(range(0, workload.events, size))
        ]
        self.queue: deque[Job] = deque()
        self.valid = {host.id: host.history // size for host in hosts if host.history}
        for job in self.jobs:
            self._want(job, 1 if terms.adaptive else terms.quorum)
        env.process(self._polls())

    def _want(self, job: Job, instances: int, again: bool = False) -> None:
        for _ in range(instances):
            job.unsent += 1
            if again:
                self.queue.appendleft(job)
            else:
                self.queue.append(job)

    def ask(self, host: Host) -> Task | None:
        """The next instance that this account may have."""
        for _ in range(min(LOOKS, len(self.queue))):
            job = self.queue.popleft()
            if job.over:
                continue
            if host.account in job.accounts or job.klass not in {None, host.person.klass}:
                self.queue.append(job)
                continue
            return self._send(job, host)
        return None

    def _send(self, job: Job, host: Host) -> Task:
        now = self.env.now
        if self.terms.adaptive and job.sent == 0:
            job.quorum = 1 if self._is_trusted(host) else self.terms.quorum
            self._want(job, job.quorum - 1, again=True)
        job.klass = host.person.klass
        job.unsent -= 1
        job.out += 1
        job.sent += 1
        job.accounts.add(host.account)
        if job.sent_first is None:
            job.sent_first = now
        self.leased += 1
        self.ledger.leases += 1
        task = Task(self.number(), job.number, job.first, job.last, host, now, job.first, job.first)
        self.after(self.terms.deadline_s, lambda: self._deadline(task))
        return task

    def _is_trusted(self, host: Host) -> bool:
        valid = self.valid.get(host.id, 0)
        return valid >= TRUSTED and self.chance.random() * valid > 1

    def _deadline(self, task: Task) -> None:
        """No reply: another instance, while the late result stays welcome."""
        if task.leased and task.silent_since is None:
            task.silent_since = self.env.now
            job = self.jobs[task.unit]
            job.out -= 1
            self.leased -= 1
            self.valid[task.host.id] = 0
            self._judge(job)

    def deliver(self, task: Task) -> None:
        """A whole result came, in time or late."""
        job = self.jobs[task.unit]
        self._returned(task, job, "deliver")
        digests = tuple(task.host.person.digests(task.first, task.last))
        task.host.person.sent += task.last - task.first
        job.results.append((task, digests))
        self._judge(job)

    def fail(self, task: Task, event: int) -> None:
        """It crashed: all of its work is for nothing."""
        job = self.jobs[task.unit]
        self._returned(task, job, "fail")
        self.ledger.lost += self.workload.work(task.first, event)
        job.errors += 1
        self.valid[task.host.id] = 0
        self._judge(job)

    def _returned(self, task: Task, job: Job, cause: str) -> None:
        if task.silent_since is None:
            job.out -= 1
            self.leased -= 1
        task.end(cause)

    def give_back(self, task: Task) -> None:
        """Nothing is given back here: what is stopped waits on its host's disk."""

    def silent(self, task: Task) -> None:
        """The server does not look."""

    def back(self, task: Task) -> bool:
        """It goes on where its checkpoint is."""
        return task.leased

    def _judge(self, job: Job) -> None:
        if job.over:
            self._reject_late(job)
            return
        groups: dict[tuple[bytes, ...], list[Task]] = {}
        for task, digests in job.results:
            groups.setdefault(digests, []).append(task)
        chosen = next((d for d, tasks in groups.items() if len(tasks) >= job.quorum), None)
        if chosen is not None:
            self._settle(job, chosen, len(groups[chosen]))
            return
        if len(groups) > 1:
            job.quorum = self.terms.quorum
        best = max(map(len, groups.values()), default=0)
        short = job.quorum - best - job.out - job.unsent
        full = job.errors >= self.terms.most_errors or job.sent >= self.terms.most_instances
        if full and short > 0:
            job.over = True
            self.ledger.put_aside(self.env.now, job.last - job.first)
            self.ledger.lost += len(job.results) * self.workload.work(job.first, job.last)
            job.results.clear()
            self._ask_whether_over()
        elif short > 0:
            self._want(job, short, again=True)

    def _settle(self, job: Job, chosen: tuple[bytes, ...], copies: int) -> None:
        job.over = True
        work, ledger = self.workload.work(job.first, job.last), self.ledger
        ledger.settle(self.env.now, job.first, job.last, work, copies)
        ledger.wrong += sum(not is_right(digest) for digest in chosen)
        if job.sent_first is not None:
            ledger.lock(self.env.now - job.sent_first)
        for task, digests in job.results:
            if digests == chosen:
                self.valid[task.host.id] = self.valid.get(task.host.id, 0) + 1
            else:
                ledger.rejected += work / task.host.person.rush
                self.valid[task.host.id] = 0
        ledger.most_copies = max(ledger.most_copies, len(job.results))
        job.results.clear()
        self._ask_whether_over()

    def _reject_late(self, job: Job) -> None:
        """Too late to count for anything; it is surplus."""
        job.results.clear()

    def _ask_whether_over(self) -> None:
        if self.ledger.settled + self.ledger.set_aside >= self.workload.events:
            self.finish()

    def _polls(self) -> simpy.events.ProcessGenerator:
        while not self.over:
            yield self.env.timeout(RETRY_S)
            self.ledger.polls += self.parked
            if self.queue:
                self.wake_some(4 * len(self.queue))
