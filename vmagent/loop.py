"""The agent at work: what happens goes to the brain, what the brain wants is carried out here."""

from __future__ import annotations

import logging
import queue
import secrets
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Optional

from vmagent import cgroups, clock, errors, mjf, monitor, orders, probe, sandbox, stimuli
from vmagent.brain import Brain
from vmagent.calls import Server
from vmagent.chores import Chores
from vmagent.errands import Errands, jitter, taken_of
from vmagent.gap import Job, leased
from vmagent.gather import Gather
from vmagent.home import Home, Identity
from vmagent.pace import Pace
from vmagent.plan import Rules
from vmagent.poller import Poller
from vmagent.process import Most, lay_out_helpers
from vmagent.room import Room
from vmagent.runner import Outcome
from vmagent.sender import Sender
from vmagent.service import Service
from vmagent.settings import Settings
from vmagent.shown import status
from vmagent.slots import Assignment, Slot, TaskWork, run_ended
from vmagent.watcher import Watcher, best_unix

log = logging.getLogger("vmagent.loop")

TICK_S = 0.5
STATUS_S = 2.0
ENDING_S = 20.0
# Calls at the same time: a slow download must not keep a heartbeat waiting.
ERRANDS = 4


@dataclass(frozen=True)
class _Do:
    """Something to be done in the loop's own thread."""

    action: Callable[[], None]


class Agent:
    """One running agent."""

    def __init__(
        self,
        home: Home,
        identity: Identity,
        settings: Settings,
        server: Server,
        service: Optional[Service] = None,
    ) -> None:
        """``service`` is the manager that started it, if one did."""
        self._service = service or Service({})
        self._home, self._identity, self._settings, self._server = home, identity, settings, server
        # Its put may be called from a signal handler while its get waits, unlike Queue's.
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        unix = best_unix(server.time, time.time)
        features = mjf.Features(settings.machine_features, settings.job_features, unix)
        if features.given:
            settings = self._settings = mjf.fit(settings, features.look())
        self.errands = Errands(home, identity.host, server, settings, self._inbox.put)
        self.errands.benchmarks = lambda: features.benchmarks
        self.errands.bundles.tidy()
        self.brain = Brain(
            Rules(settings.slots, settings.grace, settings.exit_when_idle, settings.lifetime_s)
        )
        self._room = Room(home.path, settings.reserve_mb)
        self._pace = Pace(settings.flush_bytes, settings.flush_s, settings.mean_life_s)
        self._sender = Sender(server, self._pace, self._inbox.put)
        helper = lay_out_helpers(home.path)
        box = sandbox.ready(settings, home.path)
        self.errands.sandbox = sandbox.plain_word(box)
        groups = cgroups.ready(settings, home.path)
        most = Most(monitor.memory_mb(settings.memory_mb), settings.reserve_mb, box, groups)
        self._slots = [Slot(n, home.path, helper, most) for n in range(settings.slots)]
        self._pool = ThreadPoolExecutor(ERRANDS, thread_name_prefix="errand")
        self._poller = Poller(server, settings.poll_s, lambda: self.brain.seq, self._inbox.put)
        goodbye_s = self.brain.goodbye_s
        self._watcher = Watcher(settings, home.path, features, self._inbox.put, goodbye_s, unix)
        self._chores = Chores(home, server, settings.apply, self._inbox.put)
        self._running: dict[int, int] = {}
        self._doomed: set[int] = set()
        self._code: Optional[int] = None
        self._started = time.time()
        self._status_at = 0.0
        self._ended_well = False

    def run(self) -> int:
        """Until the brain has had enough; the exit code."""
        found = self.errands.journal.kept(self.errands.pins)
        for kept in found:
            self.errands.keep(kept.lease, kept.spool)
        for thread in (self._sender, *self._slots, self._poller, self._watcher, self._chores):
            thread.start()
        started = stimuli.Started(tuple(taken_of(k.lease) for k in found), *self._seq())
        log.info("started", extra={"host": self._identity.host, "found": len(found)})
        self._hear(started)
        self._service.ready()
        while self._code is None:
            self._turn()
        self._end()
        return self._code

    def watch_signals(self) -> None:
        """Stop on SIGTERM, SIGINT and SIGHUP (twice: at once), finish on SIGUSR1, drain on SIGUSR2.

        A signal without a handler would do nothing at all to process 1 of a container.
        """

        def tell(event: stimuli.Stimulus) -> Callable[..., None]:
            return lambda *_: self._inbox.put(event)

        stops = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
            stops.append(signal.SIGHUP)
        for number in stops:
            signal.signal(number, tell(stimuli.StopAsked(signal.Signals(number).name.lower())))
        signal.signal(signal.SIGUSR1, tell(stimuli.FinishAsked("sigusr1")))
        signal.signal(signal.SIGUSR2, tell(stimuli.DrainAsked("sigusr2")))

    def _seq(self) -> tuple[int, str]:
        found = self._home.note("seq")
        if isinstance(found, dict):
            return int(found.get("seq", 0)), str(found.get("hold", ""))
        return (found, "") if isinstance(found, int) else (0, "")  # as version 0.1 kept it

    def _turn(self) -> None:
        try:
            event = self._inbox.get(timeout=TICK_S)
        except queue.Empty:
            event = stimuli.Ticked()
        if isinstance(event, _Do):
            event.action()
            return
        if isinstance(event, stimuli.Inquired):
            held = self.errands.held.get(event.state.task)
            if held is not None:
                self._sender.add(event.state.task, held.lease.production, held.spool)
        self._hear(event)
        if clock.monotonic() >= self._status_at:
            self._status_at = clock.monotonic() + STATUS_S
            self._hear(stimuli.Ticked())
            self._hear(stimuli.DiskChanged(self._room.short()))
            self._show()
            self._service.alive(clock.monotonic(), f"{self.brain.doing} {self.brain.why}".strip())

    def _hear(self, event: stimuli.Stimulus) -> None:
        before = self.brain.doing
        for order in self.brain.handle(event, clock.monotonic()):
            _CARRIES[type(order)](self, order)
        if self.brain.doing != before:
            self._status_at = 0.0  # who asks how it does shall not hear of before

    def _errand(self, otherwise: stimuli.Stimulus, errand: Callable[..., None], *args: Any) -> None:
        def go() -> None:
            try:
                errand(*args)
            except Exception:  # a fault of ours: say so, and let the brain try again
                log.exception("errand fault", extra={"errand": errand.__name__})
                self._inbox.put(otherwise)

        self._pool.submit(go)

    def _ask(self, order: orders.Ask) -> None:
        self._errand(stimuli.AskFailed(jitter()), self.errands.ask, order, self.brain.seq)

    def _inquire(self, order: orders.Inquire) -> None:
        failed = stimuli.CallFailed(order.task, jitter())
        self._errand(failed, self.errands.inquire, order.task)

    def _prepare(self, order: orders.Prepare) -> None:
        failed = stimuli.CallFailed(order.task, jitter())
        self._errand(failed, self.errands.prepare, order.task)

    def _report(self, order: orders.Report) -> None:
        failed = stimuli.CallFailed(order.task, jitter())
        self._errand(failed, self.errands.report, order.task, order.report)

    def _heartbeat(self, order: orders.Heartbeat) -> None:
        self._errand(
            stimuli.HeartbeatFailed(jitter()), self.errands.heartbeat, order, self.brain.seq
        )

    def _refresh(self, _: orders.RefreshKeys) -> None:
        self._errand(stimuli.Ticked(), self.errands.refresh_keys)

    def _start(self, order: orders.Start) -> None:
        held = self.errands.held[order.task]
        lease, manifest, bundle = held.lease, held.manifest, held.bundle
        if manifest is None or bundle is None:
            raise errors.PayloadFailed("unprepared")
        last = self.brain.tasks[order.task].last
        work = TaskWork(
            lease.task,
            Gather(lease.first, last, manifest.granule, held.done),
            held.spool,
            self._pace,
            self._room,
            self._inbox.put,
            self._sender.wake,
        )
        self._sender.add(lease.task, lease.production, held.spool)
        job = leased(lease, manifest, bundle, work)
        self._running[lease.task] = order.slot
        log.info("running", extra={"task": lease.task, "first": lease.first, "last": last})

        def ended(outcome: Outcome) -> None:
            told = run_ended(lease.task, outcome, work)
            self._inbox.put(_Do(lambda: self._ended(lease.task, told)))

        self._slots[order.slot].give(Assignment(job, ended))

    def _ended(self, task: int, told: stimuli.RunEnded) -> None:
        del self._running[task]
        extra = {"task": task, "word": told.word, "wall_s": round(told.wall_s, 1)}
        log.info("ended", extra={**extra, "why": told.why})
        if task in self._doomed:
            self._doomed.discard(task)
            self._forget(orders.Forget(task))
        self._hear(told)

    def _probe(self, order: orders.Probe) -> None:
        failed = stimuli.ProbeFailed(order.manifest, jitter())
        self._errand(failed, self._run_probe, order.manifest, order.slot)

    def _run_probe(self, digest: str, slot: int) -> None:
        known = self.errands.classes.get(digest)
        if known is not None:
            self.errands.tell_class(digest, known)
            return
        if self.errands.tell_again(digest):
            return
        try:
            manifest, bundle = self.errands.fetch(digest)
        except (errors.Untrusted, errors.LinkFault, OSError) as error:
            self.errands.probe_refused(digest, error)
            return
        job, reference = probe.job(digest, manifest, bundle)

        def ended(outcome: Outcome) -> None:
            failed = stimuli.ProbeFailed(digest, jitter())
            self._errand(failed, self._probed, job, outcome, reference)

        self._slots[slot].give(Assignment(job, ended))

    def _probed(self, job: Job, outcome: Outcome, reference: probe.Reference) -> None:
        digest = job.digest
        if outcome.word != "done":
            self.errands.probe_ended(job.manifest, digest, outcome)
            return
        found = probe.judge(outcome, reference)
        self.errands.classes.put(digest, found)
        log.info("probed", extra={"manifest": digest[:12], "class": found.digest[:12]})
        self.errands.tell_class(digest, found)

    def _order(self, task: int, word: str, value: float = 0.0) -> None:
        slot = self._running.get(task)
        if slot is not None:
            self._slots[slot].order(task, word, value)

    def _order_probe(self, manifest: str, word: str) -> None:
        slot = self.brain.probing.get(manifest)
        if slot is not None:
            self._slots[slot].order(0, word)

    def _reconnect(self, _: orders.Reconnect) -> None:
        self._server.line.renew()
        self._sender.hurry()
        self._poller.hurry()

    def _forget(self, order: orders.Forget) -> None:
        self._sender.drop(order.task)
        if order.task in self._running:
            self._doomed.add(order.task)  # its slot still writes to its spool
        else:
            self.errands.forget(order.task)

    def _release(self, order: orders.Release) -> None:
        failed = stimuli.ReleaseFailed(order.seq, jitter())
        self._errand(failed, self.errands.release, order.seq)

    def _remember(self, order: orders.Remember) -> None:
        self._home.keep_note("seq", {"seq": order.seq, "hold": order.hold})

    def _say(self, order: orders.Say) -> None:
        level = logging.WARNING if order.grave else logging.INFO
        log.log(level, order.action, extra={"task": order.task or None, "why": order.why})

    def _leave(self, order: orders.Exit) -> None:
        self._service.stopping(self.brain.why or "ending")
        self._code = order.code

    def _show(self) -> None:
        now = clock.monotonic()
        shown = status(self._home, self._identity, self.brain, self.errands, now, self._ended_well)
        shown["since"] = round(self._started)
        shown["room_mb"] = max(0, self._room.left()) >> 20
        try:
            self._home.keep_note("status", shown)
        except OSError as error:  # a full disk: work in hand goes on
            log.warning("status not written", extra={"why": str(error)})

    def _end(self) -> None:
        self._poller.stop()
        self._watcher.stop()
        self._chores.stop()
        for task, slot in self._running.items():
            self._slots[slot].order(task, "kill")
        for thread in self._slots:
            thread.order(0, "kill")
            thread.stop()
        until = time.monotonic() + ENDING_S
        for thread in self._slots:
            thread.join(max(0.1, until - time.monotonic()))
        self._sender.stop()
        self._sender.join(1.0)
        self._pool.shutdown(wait=False)
        self._ended_well = True
        self._show()


_CARRIES: dict[type[Any], Callable[[Agent, Any], None]] = {
    orders.Ask: Agent._ask,
    orders.Inquire: Agent._inquire,
    orders.Prepare: Agent._prepare,
    orders.Start: Agent._start,
    orders.Probe: Agent._probe,
    orders.Trim: lambda agent, order: agent._order(order.task, "trim", order.last),
    orders.Finish: lambda agent, order: agent._order(order.task, "finish", order.seconds),
    orders.Kill: lambda agent, order: agent._order(order.task, "kill"),
    orders.KillProbe: lambda agent, order: agent._order_probe(order.manifest, "kill"),
    orders.PauseProbe: lambda agent, order: agent._order_probe(order.manifest, "pause"),
    orders.ResumeProbe: lambda agent, order: agent._order_probe(order.manifest, "resume"),
    orders.Reconnect: Agent._reconnect,
    orders.Pause: lambda agent, order: agent._order(order.task, "pause"),
    orders.Resume: lambda agent, order: agent._order(order.task, "resume"),
    orders.Report: Agent._report,
    orders.Forget: Agent._forget,
    orders.Heartbeat: Agent._heartbeat,
    orders.RefreshKeys: Agent._refresh,
    orders.Owe: lambda agent, order: agent._chores.owe(order.what, secrets.token_hex(4)),
    orders.Remember: Agent._remember,
    orders.Release: Agent._release,
    orders.Say: Agent._say,
    orders.Exit: Agent._leave,
}
