"""What the agent knows, and what follows from it whatever happened last: pure, like the brain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional

from vmagent import orders
from vmagent.hand import CLOSING, INQUIRING, PREPARING, READY, REPORTING, RUNNING, Task
from vmagent.wire import messages

BEAT_MOST_S, BEAT_LEAST_S = 30.0, 2.0
# After the grace: the time to flush, send and report before the spool is left for the next start.
CLOSING_S = 5.0
# Leaving with empty hands: the time that an answer under way still has.
ANSWER_S = 1.0


@dataclass(frozen=True)
class Rules:
    """What the brain goes by."""

    slots: int = 1
    grace_s: float = 10.0
    exit_when_idle_s: Optional[float] = None
    lifetime_s: Optional[float] = None


class Plan:
    """The state of an agent, and what is due in it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tasks: dict[int, Task] = {}
        self.leaving = ""
        self.suspended = self.disk_low = self.revoked = False
        self.seq = 0
        self._warm: dict[int, str] = {}
        self._asking = self._beating = self._exited = False
        self._asks_failed = self._runs_failed = self._beats_failed = self._refusals = 0
        self._ask_at = self._beat_at = 0.0
        self._wanted_probes: dict[str, float] = {}
        self._probe_failures: dict[str, int] = {}
        self._probes_told: dict[str, int] = {}
        self._barred: dict[str, float] = {}
        self._probes_lost = 0
        self.probing: dict[str, int] = {}
        self._goodbye_s = rules.grace_s + CLOSING_S
        self._leave_at: Optional[float] = None
        self._answer_by: Optional[float] = None
        self._idle_since: Optional[float] = None
        self._ends_at: Optional[float] = None

    @property
    def doing(self) -> str:
        """In a word: stopping, draining, suspended, working or idle."""
        if self.leaving:
            return "stopping" if self.leaving == "stop" else "draining"
        if self.suspended:
            return "suspended"
        return "working" if self.tasks or self.probing else "idle"

    def _exit(self, code: int, why: str) -> Iterator[orders.Order]:
        self._exited = True
        yield from (orders.Kill(t.task) for t in self.tasks.values() if t.phase == RUNNING)
        yield from (orders.KillProbe(manifest) for manifest in self.probing)
        yield orders.Say("leaving", why=why, grave=code != 0)
        yield orders.Exit(code)

    def _set(self, task: Task) -> None:
        self.tasks[task.task] = task

    def _forget(self, task: Task) -> Iterator[orders.Order]:
        if task.phase == RUNNING:
            yield orders.Kill(task.task)
        del self.tasks[task.task]
        yield orders.Forget(task.task)

    def _close(
        self, task: Task, report: Optional[messages.ReportRequest]
    ) -> Iterator[orders.Order]:
        """No more is computed; when all is sent the report goes, or there is none to go."""
        self._set(replace(task, phase=CLOSING, slot=-1, report=report, failures=0, not_before=0.0))
        yield from ()

    def _decide(self, now: float) -> Iterator[orders.Order]:
        yield from self._finish_closed()
        if not self.suspended and not self.leaving:
            yield from self._start_ready()
            yield from self._start_probes(now)
        elif self.leaving == "drain" and not self.suspended:
            yield from self._start_ready()
        yield from self._beat(now)
        if self.leaving:
            if not self.probing and not self._waited_for() and self._answered(now):
                yield from self._exit(0, "nothing is left to do")
            return
        yield from self._ask(now)
        yield from self._idle(now)

    def _answered(self, now: float) -> bool:
        """Whether no answer is under way, or it takes too long to be waited for.

        The question is kept: the next start asks it again, and has the leases that got lost.
        """
        if self._answer_by is None:
            self._answer_by = now + ANSWER_S
        return not self._asking or now >= self._answer_by

    def _waited_for(self) -> list[Task]:
        """Tasks that a farewell waits for: one found on disk keeps, if there is no time for it."""
        tasks = self.tasks.values()
        return [t for t in tasks if self.leaving == "drain" or t.phase != INQUIRING]

    def _finish_closed(self) -> Iterator[orders.Order]:
        for task in list(self.tasks.values()):
            if task.phase == CLOSING and task.unsent <= 0:
                if task.report is None:
                    yield from self._forget(task)
                else:
                    self._set(replace(task, phase=REPORTING))
                    yield orders.Report(task.task, task.report)

    def free(self) -> int:
        """Slots that nothing in hand has a claim on."""
        claimed = [
            min(task.cores, self.rules.slots)
            for task in self.tasks.values()
            if task.phase in (INQUIRING, PREPARING, READY, RUNNING)
        ]
        return self.rules.slots - sum(claimed) - len(self.probing)

    def _open_slots(self) -> list[int]:
        taken = {t.slot for t in self.tasks.values() if t.phase == RUNNING}
        taken |= set(self.probing.values())
        return [slot for slot in range(self.rules.slots) if slot not in taken]

    def _start_ready(self) -> Iterator[orders.Order]:
        for task in list(self.tasks.values()):
            if task.phase != READY:
                continue
            running = [t for t in self.tasks.values() if t.phase == RUNNING]
            used = sum(min(t.cores, self.rules.slots) for t in running) + len(self.probing)
            open_slots = self._open_slots()
            if not open_slots or used + min(task.cores, self.rules.slots) > self.rules.slots:
                return
            warm = [slot for slot in open_slots if self._warm.get(slot) == task.manifest]
            slot = (warm or open_slots)[0]
            self._warm[slot] = task.manifest
            self._set(replace(task, phase=RUNNING, slot=slot))
            yield orders.Start(task.task, slot)

    def _start_probes(self, now: float) -> Iterator[orders.Order]:
        for manifest, at in list(self._wanted_probes.items()):
            open_slots = self._open_slots()
            if now >= at and open_slots and self.free() > 0:
                del self._wanted_probes[manifest]
                self.probing[manifest] = open_slots[0]
                self._warm[open_slots[0]] = manifest
                yield orders.Probe(manifest, open_slots[0])

    def _beat(self, now: float) -> Iterator[orders.Order]:
        if not self.tasks or self._beating or now < self._beat_at:
            return
        live = [t for t in self.tasks.values() if t.phase != INQUIRING]
        shortest = min((task.lease_s for task in live), default=BEAT_MOST_S * 3)
        interval = min(BEAT_MOST_S, max(BEAT_LEAST_S, shortest / 3))
        first, self._beat_at = self._beat_at == 0.0, now + interval
        if live and not first:
            self._beating = True
            yield orders.Heartbeat(tuple(messages.Progress(t.task, t.done) for t in live))

    def _ask(self, now: float) -> Iterator[orders.Order]:
        in_hand = any(t.phase in (INQUIRING, PREPARING, READY) for t in self.tasks.values())
        held_back = self.suspended or self.disk_low or self._asking or in_hand
        due = [at for at in self._wanted_probes.values() if at <= now]
        if not held_back and not due and now >= self._ask_at and self.free() > 0:
            self._asking = True
            yield orders.Ask(self.free())

    def _idle(self, now: float) -> Iterator[orders.Order]:
        if self.tasks or self.probing:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        limit = self.rules.exit_when_idle_s
        if limit is not None and now - self._idle_since >= limit:
            yield from self._exit(0, "idle long enough")
