"""What the agent knows, and what follows from it whatever happened last: pure, like the brain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional

from vmagent import orders, wishes
from vmagent.hand import CLOSING, INQUIRING, PREPARING, READY, REPORTING, RUNNING, Task
from vmagent.wire import messages

BEAT_MOST_S, BEAT_LEAST_S = 30.0, 2.0
# After the grace: as long as it, at most this, has a payload from SIGTERM to SIGKILL; and then
# there is this to flush, send and report before the spool is left for the next start.
TERM_S, CLOSING_S = 5.0, 5.0
# Leaving with empty hands: the time that an answer under way still has.
ANSWER_S = 1.0


@dataclass(frozen=True)
class Rules:
    """What the brain goes by."""

    slots: int = 1
    grace_s: float = 10.0
    exit_when_idle_s: Optional[float] = None
    lifetime_s: Optional[float] = None

    @property
    def goodbye_s(self) -> float:
        """What an orderly end takes at most."""
        return self.grace_s + min(TERM_S, self.grace_s) + CLOSING_S


class Plan:
    """The state of an agent, and what is due in it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tasks: dict[int, Task] = {}
        self.anew = False
        self.leaving = ""
        self.reason = self.wish_reason = ""
        self.wish = wishes.NONE
        self.worked = False  # whether any task was ever reported
        self.unsure = self.disk_low = self.revoked = False
        # Of the server, until it says resume: suspend, or stop or drain and stay.
        self.hold = ""
        self._hand_back_at: Optional[float] = None
        self._release_seq, self._release_at = 0, 0.0
        self.by: Optional[float] = None
        self.goodbye_s = rules.goodbye_s
        self.seq = 0
        self._warm: dict[int, str] = {}
        self._asking = self._beating = self._exited = self._still = self._old_beat = False
        self._paused_probes: set[str] = set()
        self._mood_told: tuple[str, str] = ("", "")
        self._asks_failed = self._runs_failed = self._beats_failed = self._refusals = 0
        self._ask_at = self._beat_at = 0.0
        self._wanted_probes: dict[str, float] = {}
        self._probe_failures: dict[str, int] = {}
        self._probes_told: dict[str, int] = {}
        self._barred: dict[str, float] = {}
        self._probes_lost = 0
        self.probing: dict[str, int] = {}
        self._leave_at: Optional[float] = None
        self._answer_by: Optional[float] = None
        self._idle_since: Optional[float] = None
        self._ends_at: Optional[float] = None

    @property
    def doing(self) -> str:
        """In a word: stopping, draining, suspended, resting, working or idle."""
        if self.leaving:
            return "draining" if self.leaving == "drain" else "stopping"
        if self.suspended:
            return "suspended"
        if self.resting:
            return "draining" if self.tasks and self.wish != wishes.REST else "resting"
        return "working" if self.tasks or self.probing else "idle"

    @property
    def why(self) -> str:
        """Why it does not simply work, in a word; empty if it does."""
        if self.leaving:
            return self.reason
        if self.hold:
            return f"server-{self.hold}"
        return self.wish_reason if self.wish != wishes.NONE else ""

    @property
    def suspended(self) -> bool:
        """Whether payloads are frozen, by the server or by a wish."""
        return self.hold == "suspend" or self.wish == wishes.SUSPEND

    @property
    def resting(self) -> bool:
        """Whether it is to have no work at all, and to stay."""
        return self.hold in ("stop", "drain") or self.wish == wishes.REST

    def seconds_left(self, now: float) -> Optional[float]:
        """How long there is for work; None if nobody says."""
        ends = [end for end in (self._ends_at, self.by) if end is not None]
        return max(0.0, min(ends) - now - self.goodbye_s) if ends else None

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
        if not self.suspended and self.wish != wishes.REST and not self.unsure:
            if self.leaving in ("", "drain") and self.hold != "stop":
                yield from self._start_ready()
            if not self.leaving and not self.hold:
                yield from self._start_probes(now)
        yield from self._hold()
        yield from self._released(now)
        yield from self._beat(now)
        if self.leaving:
            if not self.probing and not self._waited_for() and self._answered(now):
                yield from self._exit(0, "nothing is left to do")
            return
        yield from self._ask(now)
        yield from self._idle(now)

    def _hold(self) -> Iterator[orders.Order]:
        """Freeze what runs, or let it go on; never what is being ended."""
        still = self.suspended or self._still or self.unsure
        for task in list(self.tasks.values()):
            if task.phase == RUNNING and not task.ending and task.paused != still:
                self._set(replace(task, paused=still))
                yield orders.Pause(task.task) if still else orders.Resume(task.task)
        self._paused_probes &= set(self.probing)
        for manifest in self.probing:
            if (manifest in self._paused_probes) != still:
                (self._paused_probes.add if still else self._paused_probes.discard)(manifest)
                yield orders.PauseProbe(manifest) if still else orders.ResumeProbe(manifest)

    def _released(self, now: float) -> Iterator[orders.Order]:
        """Tell a server that switched us off once nothing runs and nothing is held back."""
        # The answer to a question under way may bring a lease, which is to be given back as well.
        busy = self.hold != "suspend" and bool(self.tasks or self.probing or self._asking)
        if self._release_seq and not busy and now >= self._release_at:
            yield orders.Release(self._release_seq)
            self._release_seq, self._release_at = 0, 0.0

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
        news = self._mood() != self._mood_told
        if not (self.tasks or news) or self._beating or (now < self._beat_at and not news):
            return
        live = self._live()
        shortest = min((task.lease_s for task in live), default=BEAT_MOST_S * 3)
        interval = min(BEAT_MOST_S, max(BEAT_LEAST_S, shortest / 3))
        first, self._beat_at = self._beat_at == 0.0, now + interval
        if (live and not first) or news:
            self._beating, self._mood_told = True, self._mood()
            tasks = tuple(messages.Progress(t.task, t.done) for t in live)
            yield orders.Heartbeat(tasks, *self._mood_told)

    def _live(self) -> list[Task]:
        return [t for t in self.tasks.values() if t.phase != INQUIRING]

    def _mood(self) -> tuple[str, str]:
        """What the server is told beside the tasks: nothing while all is as it should be."""
        if self.leaving and not self.tasks:
            return self._mood_told  # it is as good as gone
        return (self.doing, self.why) if self.why else ("", "")

    def _ask(self, now: float) -> Iterator[orders.Order]:
        in_hand = any(t.phase in (INQUIRING, PREPARING, READY) for t in self.tasks.values())
        left = self.seconds_left(now)
        held_back = self.suspended or self.resting or self.unsure or self.disk_low
        held_back = held_back or self._asking or in_hand
        held_back = held_back or (left is not None and left < wishes.USEFUL_S)
        due = [at for at in self._wanted_probes.values() if at <= now]
        if not held_back and not due and now >= self._ask_at and self.free() > 0:
            self._asking = True
            yield orders.Ask(self.free(), left)

    def _idle(self, now: float) -> Iterator[orders.Order]:
        if self.tasks or self.probing:
            self._idle_since = None
            return
        if self._idle_since is None:
            self._idle_since = now
        limit = self.rules.exit_when_idle_s
        if limit is not None and now - self._idle_since >= limit:
            yield from self._exit(0, "idle long enough")
