"""What every simulated server has: hosts that wait for work, a limit of requests, leases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Protocol

import simpy

from server.domain.task import MOVES, TaskState
from tools.simulation.hosts import Host
from tools.simulation.ledger import Ledger
from tools.simulation.workload import Workload

RETRY_S = 5.0  # as the server tells who finds nothing (server.services.deps.Limits)
LEAST_WAKES = 64
REQUEST_BYTES = 700  # of an ask, a report or a frame's head, with its answer


@dataclass(slots=True, eq=False)
class Task:
    """A lease and what its host has made of it: ``[first, acked)`` is durable at the server.

    ``[acked, made)`` is on the host's disk; ``grown_at`` is when the server heard of more. While
    it runs, it has done ``rate`` reference seconds a second since ``began``, from event ``made``
    on; ``carried`` was done of that before. ``late`` is who is not counted on any more.
    """

    id: int
    unit: int
    first: int
    last: int
    host: Host
    leased_at: float
    acked: int
    made: int
    state: TaskState = TaskState.LEASED
    carried: float = 0.0
    began: float = 0.0
    rate: float = 0.0
    running: bool = False
    silent_since: float | None = None
    quorum: int = 0
    grown_at: float = 0.0
    late: bool = False
    trimmed: bool = False
    process: simpy.Process | None = None

    def end(self, cause: str) -> None:
        """It is leased no longer; IllegalMove if it was not."""
        self.state = MOVES.after(self.state, cause)

    @property
    def leased(self) -> bool:
        """Whether it still belongs to its host."""
        return self.state is TaskState.LEASED


class Server(Protocol):
    """What a host sees of a server."""

    over: bool
    streams: bool
    flush_s: float

    def ask(self, host: Host) -> Task | None:
        """A lease for one slot, if there is work for this host."""
        ...

    def park(self, host: Host) -> simpy.Event:
        """Wait until there may be work."""
        ...

    def wait(self) -> float:
        """How long the server takes to get to a request now."""
        ...

    def deliver(self, task: Task) -> None:
        """Everything of it is in hand."""
        ...

    def give_back(self, task: Task) -> None:
        """The host ends; what is acknowledged stays."""
        ...

    def fail(self, task: Task, event: int) -> None:
        """The payload dies at this event."""
        ...

    def silent(self, task: Task) -> None:
        """The host is not heard of from now on (nobody tells the server: time does)."""
        ...

    def back(self, task: Task) -> bool:
        """The host is there again, with what it made meanwhile; False if the lease is over."""
        ...


class Desk:
    """Waiting hosts and requests: the part that is the same whatever the policy is."""

    streams, flush_s = False, 30.0

    def __init__(
        self, env: simpy.Environment, workload: Workload, ledger: Ledger, seed: int, rate: float
    ) -> None:
        """``rate`` is how many requests a second the server can take."""
        self.env, self.workload, self.ledger = env, workload, ledger
        self.chance = Random(seed)
        self.over = False
        self.finished = env.event()
        self.tasks = 0
        self.leased = 0
        self._rate, self._free_at = rate, 0.0
        self._parked: list[tuple[simpy.Event, Host]] = []
        self._wakes, self._leases_before = LEAST_WAKES, 0

    def number(self) -> int:
        """A task id that was never given."""
        self.tasks += 1
        return self.tasks

    def park(self, host: Host) -> simpy.Event:
        """An event for a slot that found nothing; it happens when it may ask again."""
        event = self.env.event()
        self._parked.append((event, host))
        return event

    def idle(self) -> Iterator[Host]:
        """The hosts of the slots that wait."""
        return (host for _, host in self._parked)

    @property
    def parked(self) -> int:
        """How many wait."""
        return len(self._parked)

    def wake(self, most: int) -> None:
        """Let some of those that wait ask again, whoever's turn it is."""
        for _ in range(min(most, len(self._parked))):
            index = self.chance.randrange(len(self._parked))
            event, _ = self._parked[index]
            self._parked[index] = self._parked[-1]
            self._parked.pop()
            event.succeed()

    def wake_those(self, fit: Callable[[Host], bool], most: int) -> None:
        """Let the first of those that wait and fit ask again."""
        kept, woken, looked = [], 0, 0
        for looked, (event, host) in enumerate(self._parked, 1):  # noqa: B007
            if fit(host):
                woken += 1
                event.succeed()
            else:
                kept.append((event, host))
            if woken >= most:
                break
        self._parked = kept + self._parked[looked:]

    def wake_some(self, most: int) -> None:
        """Wake about as many as find something: fewer if those of the last time found little.

        All of them ask every `RETRY_S` in truth, most in vain; which of them comes first is chance.
        """
        found = self.ledger.leases - self._leases_before
        self._leases_before = self.ledger.leases
        if 2 * found >= self._wakes:
            self._wakes *= 4
        elif 8 * found < self._wakes:
            self._wakes = max(LEAST_WAKES, self._wakes // 2)
        self._wakes = min(max(LEAST_WAKES, self._wakes), 1 << 20)
        self.wake(min(most, self._wakes))

    def wait(self) -> float:
        """One server, first come first served; frames and signs of life take their share."""
        now, frames = self.env.now, self.leased / self.flush_s if self.streams else 0.0
        room = max(0.1 * self._rate, self._rate - frames)
        self._free_at = max(now, self._free_at) + 1.0 / room
        return self._free_at - now

    def finish(self) -> None:
        """Every event is settled or set aside."""
        if not self.over:
            self.over = True
            self.finished.succeed()
            self.wake(len(self._parked))

    def after(self, delay: float, what: Callable[[], None]) -> None:
        """Do this after so many seconds."""
        timeout = self.env.timeout(delay)
        if timeout.callbacks is not None:
            timeout.callbacks.append(lambda _: what())

    def told(self, task: Task) -> None:
        """Interrupt whoever computes this task: it changed under him."""
        if task.running and task.process is not None and task.process.is_alive:
            task.running = False  # one interrupt is enough: he looks at all of it when he wakes
            task.process.interrupt()
