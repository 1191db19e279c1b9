"""A slot of a host as a process on the virtual clock: it asks, computes, stops, comes back.

It has a few steps for each lease, none for an event: what was finished at any moment follows from
when the computing began and from the work of each event.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import simpy

from tools.simulation.desk import REQUEST_BYTES, Server, Task
from tools.simulation.hosts import Host
from tools.simulation.ledger import Ledger
from tools.simulation.lives import KEPT, OFFLINE, SUSPENDED, WARNED, WIPED, Life
from tools.simulation.workload import Workload

FETCH_S = 1.0  # from the ask to the first event
CHECKPOINT_S = 300.0  # BOINC's default for how often a program writes its state
BEAT_S = 30.0
_EPSILON = 1e-6

Steps = Generator[simpy.Event, Any, None]


class Slot:
    """One slot; ``streams`` of the server decides what outlives a stop."""

    def __init__(
        self,
        env: simpy.Environment,
        host: Host,
        server: Server,
        workload: Workload,
        ledger: Ledger,
        checkpoints: bool,
    ) -> None:
        """``checkpoints`` is whether a killed program goes on where it was a while before."""
        self.env, self.host, self.server = env, host, server
        self.workload, self.ledger, self.checkpoints = workload, ledger, checkpoints
        self.task: Task | None = None
        self.warm = False
        shape = workload.shape
        sends = host.uplink * shape.event_s / max(1, shape.event_bytes)
        self.speed = min(host.speed, sends) if server.streams else host.speed
        self.process = env.process(self._live())

    def _live(self) -> Steps:
        env, host = self.env, self.host
        yield env.timeout(host.chance.random() * 5.0)
        while not self.server.over:
            life = host.life_at(env.now)
            if env.now < life.start:
                yield env.timeout(life.start - env.now)
            elif env.now >= life.until:
                if life.back is None and self.task is None:
                    return
                yield from self._away(life)
            elif not self.warm:
                yield from self._set_up(life)
            elif self.task is None:
                yield from self._ask(life)
            else:
                yield from self._compute(life, self.task)

    def _set_up(self, life: Life) -> Steps:
        need = self.workload.shape.setup_s
        lasts = min(need, life.until - self.env.now)
        yield self.env.timeout(lasts)
        self.ledger.busy += lasts * self.speed
        self.ledger.set_up += lasts * self.speed
        self.warm = lasts >= need

    def _ask(self, life: Life) -> Steps:
        resting = self.host.rests_until - self.env.now
        if resting > 0:
            yield self.env.timeout(min(resting, life.until - self.env.now))
            return
        delay = FETCH_S + self.server.wait()
        self.ledger.asks += 1
        self.ledger.bytes += REQUEST_BYTES
        if self.env.now + delay >= life.until:
            yield self.env.timeout(life.until - self.env.now)
            return
        yield self.env.timeout(delay)
        self.task = None if self.server.over else self.server.ask(self.host)
        if self.task is None:
            yield self.server.park(self.host)
        else:
            self.task.process = self.process

    def _compute(self, life: Life, task: Task) -> Steps:
        env, workload = self.env, self.workload
        crash = workload.crash(task.made, task.last)
        upto = task.last if crash is None else crash + 1
        rate = self.speed * self.host.person.rush
        need = max(0.0, workload.work(task.made, upto) - task.carried) / rate
        if not self.server.streams and crash is None:
            need += (upto - task.made) * workload.shape.event_bytes / self.host.uplink
        began, lasts = env.now, min(need, life.until - env.now)
        task.began, task.rate, task.running = began, rate, True
        with contextlib.suppress(simpy.Interrupt):
            yield env.timeout(lasts)
        task.running = False
        spent = env.now - began
        self.ledger.busy += spent * self.speed
        self._count(spent)
        self._advance(task, spent * rate)
        if not task.leased:
            self._drop(task)
        elif crash is not None and crash < task.last and spent >= need - _EPSILON:
            self.ledger.lost += workload.work(crash, crash + 1)
            task.made, task.carried = crash, 0.0
            self._send(task)
            self.server.fail(task, crash)
            self.task = None
        elif task.made >= task.last:
            task.made = task.last
            self._deliver(task)
        # Else its life is over, or its lease was trimmed: what follows is decided in `_live`.

    def close(self) -> None:
        """The production is over: what is being computed now was spent as well."""
        if self.task is not None and self.task.running:
            self.ledger.busy += (self.env.now - self.task.began) * self.speed

    def _advance(self, task: Task, work: float) -> None:
        """So much more is done of a task."""
        done, start = task.carried + work + _EPSILON, task.made
        if task.trimmed:  # perhaps below what was done already
            self.ledger.lost += max(0.0, done - self.workload.work(start, max(start, task.last)))
        task.made = self.workload.reached(start, max(start, task.last), done)
        task.carried = max(0.0, done - _EPSILON - self.workload.work(start, task.made))
        if task.made >= task.last:
            task.carried = 0.0

    def _count(self, spent: float) -> None:
        beats = spent / BEAT_S
        self.ledger.beats += beats
        frames = spent / self.server.flush_s if self.server.streams else 0.0
        self.ledger.frames += frames
        self.ledger.bytes += (beats + frames) * REQUEST_BYTES

    def _send(self, task: Task) -> None:
        """What was made is at the server now."""
        self.ledger.bytes += (task.made - task.acked) * self.workload.shape.event_bytes
        task.acked = task.made if self.server.streams else task.acked

    def _deliver(self, task: Task) -> None:
        self._send(task)
        self.ledger.reports += 1
        self.ledger.bytes += REQUEST_BYTES
        task.acked = task.last
        self.server.deliver(task)
        self.task = None

    def _drop(self, task: Task) -> None:
        """The lease is over, and nobody wants what was not sent of it."""
        self.ledger.lost += task.carried
        self.task = None

    def _away(self, life: Life) -> Steps:
        """The host stops; it comes back, or not, with what was on its disk, or without."""
        task, stop = self.task, life.stop
        if task is not None and not task.leased and not self.checkpoints:
            self._drop(task)
            task = None
        if task is not None and stop == WARNED and not self.checkpoints:
            self._leave_in_order(task)
            task = None
        elif task is not None:
            self._cut_off(task, stop, life)
            task = self.task
        self.warm = stop in {SUSPENDED, OFFLINE} and life.back is not None
        if life.back is None:
            return
        began = self.env.now
        yield self.env.timeout(max(0.0, life.back - began))
        if task is None:
            return
        if stop == OFFLINE:
            self._compute_unheard(task, self.env.now - began)
        if self.checkpoints:
            return
        self._send(task)
        if not self.server.back(task):
            self._drop(task)

    def _leave_in_order(self, task: Task) -> None:
        """Warned in time: what is finished is sent, the rest given back."""
        self.ledger.lost += task.carried
        if not self.server.streams:
            self.ledger.lost += self.workload.work(task.first, task.made)
            task.made = task.first
        self._send(task)
        self.ledger.reports += 1
        self.server.give_back(task)
        self.task = None

    def _cut_off(self, task: Task, stop: str, life: Life) -> None:
        """Without a word: what was flushed is at the server, the rest is where the disk is."""
        work = self.workload.work
        if self.server.streams:
            self._flushed_before_stop(task)
        self.server.silent(task)
        if stop == WIPED or life.back is None:
            self.ledger.lost += work(task.acked, task.made) + task.carried
            self.task = None
        elif stop in {KEPT, WARNED} and self.checkpoints:
            since = min(self.host.chance.random() * CHECKPOINT_S * task.rate,
                        work(task.first, task.made) + task.carried)  # fmt: skip
            self.ledger.lost += since
            self._go_back(task, since)
        elif stop == KEPT:
            self.ledger.lost += task.carried
            task.carried = 0.0
            if not self.server.streams:
                self.ledger.lost += work(task.first, task.made)
                task.made = task.first

    def _go_back(self, task: Task, since: float) -> None:
        """To the last checkpoint, so much work ago."""
        there = self.workload.work(task.first, task.made) + task.carried - since
        task.made, task.carried = task.first, 0.0
        self._advance(task, max(0.0, there - _EPSILON))

    def _flushed_before_stop(self, task: Task) -> None:
        """Of what was made, the events finished at the last flush were sent."""
        since = self.host.chance.random() * self.server.flush_s * task.rate
        done = self.workload.work(task.acked, task.made) + task.carried - since
        upto = self.workload.reached(task.acked, task.made, max(0.0, done))
        self.ledger.bytes += (upto - task.acked) * self.workload.shape.event_bytes
        task.acked = max(task.acked, upto)

    def _compute_unheard(self, task: Task, outage: float) -> None:
        rate = self.speed * self.host.person.rush
        left = max(0.0, self.workload.work(task.made, task.last) - task.carried) / rate
        crash = self.workload.crash(task.made, task.last)
        if crash is not None:
            left = min(left, max(0.0, self.workload.work(task.made, crash) - task.carried) / rate)
        spent = min(left, outage)
        self.ledger.busy += spent * self.speed
        self._advance(task, spent * rate)
