"""The agent's decisions: events in, instructions out; no clock, no chance, nothing of the world.

`Brain.handle` is told what happened and when, and answers with what is to be done. Chance comes in
as ``jitter`` in [0, 1) on the events that make it wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from vmagent import hand, orders, stimuli
from vmagent.backoff import ASKED_MOST_S, pause
from vmagent.hand import CLOSING, INQUIRING, PREPARING, READY, REPORTING, RUNNING
from vmagent.plan import BEAT_MOST_S
from vmagent.presence import Presence
from vmagent.wire import messages

REVOKED_CODE, UNMANAGED_CODE = 5, 14
IDLE_ASK_S = 10.0
PROBE_TRIES = 5
BARRED_S = 600.0  # as long as the server, told of it, does not offer the manifest again
# What one answer may make an agent do, and how often it may make it ask.
PROBES_MOST, FAILURES_MOST = 16, 256
ASK_LEAST_S = 0.05


class Brain(Presence):
    """What the agent makes of what happens to it."""

    def handle(self, event: stimuli.Stimulus, now: float) -> list[orders.Order]:
        """Take in what happened at this moment (of any steady clock); what to do about it."""
        if self._exited:
            return []
        told: list[orders.Order] = list(_HEARS[type(event)](self, event, now))
        if not self._exited:
            told.extend(self._decide(now))
        return told

    def _started(self, event: stimuli.Started, now: float) -> Iterator[orders.Order]:
        self.seq, self.hold = event.seq, event.hold
        if self.rules.lifetime_s is not None:
            self._ends_at = now + self.rules.lifetime_s
        for taken in event.found:
            self.tasks[taken.task] = hand.of(taken, INQUIRING)
            yield orders.Inquire(taken.task)

    def _ticked(self, _: stimuli.Ticked, now: float) -> Iterator[orders.Order]:
        ends = self._ends_at
        if ends is not None and now >= ends - self.goodbye_s and self.leaving != "stop":
            yield from self._stop(now, "lifetime", self.rules.grace_s, ends)
        yield from self._in_haste(now)
        if self.leaving == "stop" and self._leave_at is not None and now >= self._leave_at:
            yield from self._exit(0, "left with a spool")
            return
        for task in list(self.tasks.values()):
            if task.not_before and now >= task.not_before:
                self._set(replace(task, not_before=0.0))
                if task.phase == INQUIRING:
                    yield orders.Inquire(task.task)
                elif task.phase == PREPARING:
                    yield orders.Prepare(task.task)
                elif task.phase == REPORTING and task.report is not None:
                    yield orders.Report(task.task, task.report)

    def _ask_answered(self, event: stimuli.AskAnswered, now: float) -> Iterator[orders.Order]:
        self._asking, self._asks_failed = False, 0
        self._refusals = self._refusals + 1 if event.refused else 0
        for taken in event.taken:
            self.tasks[taken.task] = hand.of(taken, PREPARING)
            if self.leaving or self.resting:
                word = "leaving" if self.leaving else "resting"
                yield from self._close(self.tasks[taken.task], hand.returned(word))
            else:
                yield orders.Prepare(taken.task)
        fresh = [manifest for manifest in event.probes[:PROBES_MOST] if self._new(manifest, now)]
        self._wanted_probes.update((manifest, now) for manifest in fresh)
        if event.refused:
            self._ask_at = now + pause(self._refusals, event.jitter, event.retry_after)
        elif not event.taken and not fresh:
            wait = event.retry_after or IDLE_ASK_S * (0.5 + event.jitter)
            self._ask_at = now + min(ASKED_MOST_S, max(ASK_LEAST_S, wait))

    def _new(self, manifest: str, now: float) -> bool:
        """Whether an offered probe is to be made: not one under way, or that failed just now."""
        if manifest in self.probing or manifest in self._wanted_probes:
            return False
        if self._barred.get(manifest, 0.0) > now:
            return False
        if self._barred.pop(manifest, None) is not None:
            self._probe_failures.pop(manifest, None)
        return True

    def _ask_failed(self, event: stimuli.AskFailed, now: float) -> Iterator[orders.Order]:
        self._asking = False
        self._asks_failed += 1
        self._ask_at = now + pause(self._asks_failed, event.jitter, event.retry_after)
        yield from ()

    def _inquired(self, event: stimuli.Inquired, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.state.task)
        if task is None or task.phase != INQUIRING:
            return
        state = event.state.state
        if state in hand.UNWANTED:
            yield orders.Say("dropped", task.task, f"the server says {state}")
            yield from self._forget(task)
            return
        task = replace(task, unsent=event.unsent, last=min(task.last, event.state.last))
        if state not in hand.OURS:
            yield from self._close(replace(task, lost=True), None)
        elif not event.missing:
            yield from self._close(task, messages.ReportRequest("delivered"))
        elif self.leaving or self.resting:
            yield from self._close(task, hand.returned("leaving" if self.leaving else "resting"))
        else:
            self._set(replace(task, phase=PREPARING, failures=0))
            yield orders.Prepare(task.task)

    def _prepared(self, event: stimuli.Prepared, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None and task.phase == PREPARING:
            self._set(replace(task, phase=READY, cores=event.cores))
        yield from ()

    def _unprepared(self, event: stimuli.Unprepared, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None and task.phase == PREPARING:
            self._runs_failed += 1
            self._ask_at = max(self._ask_at, now + pause(self._runs_failed, 0.5))
            yield orders.Say("refused", task.task, event.word, grave=True)
            yield from self._close(task, hand.returned(f"refused-{event.word}"))

    def _spooled(self, event: stimuli.Spooled, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None:
            self._set(replace(task, unsent=task.unsent + 1, done=task.done + event.events))
        yield from ()

    def _frame_taken(self, event: stimuli.FrameTaken, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None:
            self._set(replace(task, unsent=task.unsent - 1))
        yield from self._told(event, now)

    def _frame_refused(self, event: stimuli.FrameRefused, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None:
            yield orders.Say("dropped", task.task, event.word)
            yield from self._forget(task)

    def _told(self, event: Any, now: float) -> Iterator[orders.Order]:
        state: messages.TaskState = event.state
        task = self.tasks.get(state.task)
        if task is None or task.lost or task.phase in (INQUIRING, REPORTING):
            return
        if state.state in hand.UNWANTED:
            yield orders.Say("dropped", task.task, f"the server says {state.state}")
            yield from self._forget(task)
        elif state.state not in hand.OURS:
            if task.phase == CLOSING and state.state == "delivered":
                return  # it saw the last frame before our report: still to be told how it went
            yield orders.Say("lost", task.task, f"the server says {state.state}")
            self._set(replace(task, lost=True))
            if task.phase == RUNNING:
                yield orders.Kill(task.task)
            else:
                yield from self._close(replace(task, lost=True), None)
        elif state.last < task.last:
            self._set(replace(task, last=state.last))
            yield orders.Trim(task.task, state.last)

    def _beat_failed(self, event: stimuli.HeartbeatFailed, now: float) -> Iterator[orders.Order]:
        self._beating = self._old_beat = False
        self._beats_failed += 1
        wait = pause(self._beats_failed, event.jitter, event.retry_after)
        self._beat_at = now + max(1.0, min(wait, BEAT_MOST_S))
        yield from ()

    def _beat_taken(self, event: stimuli.HeartbeatTaken, now: float) -> Iterator[orders.Order]:
        self._beating, self._beats_failed = False, 0
        if self._old_beat:  # of before the machine slept: it says nothing of now
            self._old_beat, self._beat_at = False, now
        elif self.unsure:
            self.unsure = False
            yield orders.Say("leases-known")

    def _run_ended(self, event: stimuli.RunEnded, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is None or task.phase != RUNNING:
            return
        if event.word in ("done", "stopped"):
            self._runs_failed = 0
        else:
            self._warm.pop(task.slot, None)
            self._runs_failed += 1
            self._ask_at = max(self._ask_at, now + pause(self._runs_failed, event.jitter))
            yield orders.Say(event.word, task.task, event.why, grave=True)
        yield from self._close(task, None if task.lost else hand.report_of(event))

    def _probed(self, event: stimuli.Probed, now: float) -> Iterator[orders.Order]:
        self.probing.pop(event.manifest, None)
        self._probe_failures.pop(event.manifest, None)
        self._probes_lost = 0
        told = self._probes_told.get(event.manifest, 0)
        self._probes_told[event.manifest] = told + 1
        # Asked for what it was told already, the agent lets the server wait.
        self._ask_sooner(now + (pause(told, 1.0) if told else 0.0))
        yield from ()

    def _ask_sooner(self, at: float) -> None:
        """The next question goes then, unless the server wants to be left alone for longer."""
        self._ask_at = max(self._ask_at, at) if self._asks_failed else at

    def _probe_failed(self, event: stimuli.ProbeFailed, now: float) -> Iterator[orders.Order]:
        self.probing.pop(event.manifest, None)
        tries = self._probe_failures.get(event.manifest, 0) + 1
        self._probe_failures[event.manifest] = tries
        for oldest in list(self._probe_failures)[:-FAILURES_MOST]:
            del self._probe_failures[oldest]
        # Other productions are not held up by it: only this manifest waits.
        if event.told or tries >= PROBE_TRIES:
            self._barred[event.manifest] = now + BARRED_S
            for oldest in list(self._barred)[:-FAILURES_MOST]:
                del self._barred[oldest]
            self._probes_lost += 1
            soon = max(ASK_LEAST_S, min(IDLE_ASK_S, pause(self._probes_lost, event.jitter)))
            self._ask_sooner(now + soon)
            yield orders.Say("probe-let-be", why=event.manifest[:12])
        else:
            wait = pause(tries + 3, event.jitter, event.retry_after)
            self._wanted_probes[event.manifest] = now + wait

    def _reported(self, event: stimuli.Reported, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None and task.phase == REPORTING:
            self.worked = True
            yield from self._forget(task)

    def _call_failed(self, event: stimuli.CallFailed, now: float) -> Iterator[orders.Order]:
        task = self.tasks.get(event.task)
        if task is not None:
            failures = task.failures + 1
            wait = max(0.001, pause(failures, event.jitter, event.retry_after))
            self._set(replace(task, failures=failures, not_before=now + wait))
        yield from ()

    def _host_revoked(self, event: stimuli.HostRevoked, now: float) -> Iterator[orders.Order]:
        self.revoked = True
        self.anew = False
        if event.unmanaged:
            yield from self._exit(UNMANAGED_CODE, "the owner has taken this machine away")
            return
        yield from self._exit(REVOKED_CODE, "the server does not believe this host; spool is kept")

    def _disk_changed(self, event: stimuli.DiskChanged, now: float) -> Iterator[orders.Order]:
        if event.low != self.disk_low:
            self.disk_low = event.low
            action = "disk-full" if event.low else "disk-has-room"
            yield orders.Say(action, why="no new work" if event.low else "", grave=event.low)


_HEARS: dict[type[Any], Callable[[Brain, Any, float], Iterator[orders.Order]]] = {
    stimuli.Started: Brain._started,
    stimuli.Ticked: Brain._ticked,
    stimuli.AskAnswered: Brain._ask_answered,
    stimuli.AskFailed: Brain._ask_failed,
    stimuli.Inquired: Brain._inquired,
    stimuli.Prepared: Brain._prepared,
    stimuli.Unprepared: Brain._unprepared,
    stimuli.Spooled: Brain._spooled,
    stimuli.FrameTaken: Brain._frame_taken,
    stimuli.FrameRefused: Brain._frame_refused,
    stimuli.TaskTold: Brain._told,
    stimuli.HeartbeatFailed: Brain._beat_failed,
    stimuli.HeartbeatTaken: Brain._beat_taken,
    stimuli.RunEnded: Brain._run_ended,
    stimuli.Probed: Brain._probed,
    stimuli.ProbeFailed: Brain._probe_failed,
    stimuli.Reported: Brain._reported,
    stimuli.CallFailed: Brain._call_failed,
    stimuli.Commanded: Brain._commanded,
    stimuli.ReleaseFailed: Brain._release_failed,
    stimuli.StopAsked: Brain._stop_asked,
    stimuli.FinishAsked: Brain._finish_asked,
    stimuli.DrainAsked: Brain._drain_asked,
    stimuli.Wished: Brain._wished,
    stimuli.Throttled: Brain._throttle,
    stimuli.Woke: Brain._woke,
    stimuli.HostRevoked: Brain._host_revoked,
    stimuli.SettingsChanged: Brain._settings_changed,
    stimuli.DiskChanged: Brain._disk_changed,
}
