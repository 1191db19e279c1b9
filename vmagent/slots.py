"""Slots: a thread each, in which ranges and reference events are run; and where their events go."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional

from vmagent import stimuli
from vmagent.gap import Job
from vmagent.gather import Gather
from vmagent.pace import Pace
from vmagent.process import Most
from vmagent.room import Room
from vmagent.runner import Outcome, Runner
from vmagent.spool import Spool
from vmagent.wire import messages

log = logging.getLogger("vmagent.slots")

IDLE_S = 300.0
RETRY_S = 0.5
# Frames waiting to be sent hold the payload up beyond this: an up-link slower than the payload.
UNSENT_MOST = 512 * 1024 * 1024


class TaskWork:
    """Events of a task: gathered, cut into frames, spooled; then told."""

    def __init__(
        self,
        task: int,
        gather: Gather,
        spool: Spool,
        pace: Pace,
        room: Room,
        tell: Callable[[stimuli.Stimulus], None],
        wake: Callable[[], None],
    ) -> None:
        self.gather = gather
        self._task, self._spool, self._pace, self._room = task, spool, pace, room
        self._tell, self._wake = tell, wake
        self._flushed_at = time.monotonic()
        self._uncut: list[tuple[int, int, bytes]] = []
        self._retry_at = 0.0
        self._at = -1

    def gaps(self) -> list[tuple[int, int]]:
        """What is still to do."""
        return self.gather.gaps()

    def begin(self) -> None:
        """Nothing hangs on when the payload was ready."""

    def add(self, first: int, last: int, records: tuple[bytes, ...]) -> None:
        """Events are finished."""
        if not self.gather.pending_bytes:
            self._flushed_at = time.monotonic()
        self.gather.add(first, last, records)
        if self.gather.pending_bytes >= self._pace.flush_bytes:
            self.flush(True)

    def fail(self, first: int, last: int, word: str) -> None:
        """Events failed."""
        self.gather.fail(first, last, word)

    def at(self, event: int) -> None:
        """This event is being made."""
        self._at = event

    def suspect(self) -> Optional[tuple[int, int]]:
        """The granule that a death is put down to: of those missing the one named, or the first."""
        gaps = self.gaps()
        if not gaps:
            return None
        first, last = next((gap for gap in gaps if gap[0] <= self._at < gap[1]), gaps[0])
        granule = self.gather.granule
        start = max(first, self._at - self._at % granule)
        if not start < last:
            start = first
        return start, min(last, start - start % granule + granule)

    def trim(self, last: int) -> None:
        """The range ends here now."""
        self.gather.trim(last)

    def room(self) -> bool:
        """Whether the disk and the way to the server can take more."""
        return not (self._uncut or self._room.full() or self._spool.unsent > UNSENT_MOST)

    @property
    def unkept(self) -> bool:
        """Whether finished events could not be spooled."""
        return bool(self._uncut)

    def flush(self, force: bool) -> None:
        """Spool what is due. On a full disk frames wait in memory, and the payload at its pipe."""
        now = time.monotonic()
        due = self.gather.pending_bytes and now - self._flushed_at >= self._pace.seconds
        if (force or due) and self.gather.pending_bytes:
            self._uncut.extend(self.gather.cut(self._pace.flush_bytes))
            self._flushed_at = now
        while self._uncut and (force or now >= self._retry_at):
            first, last, raw = self._uncut[0]
            try:
                self._spool.append(first, last, raw)
            except OSError as error:
                log.warning("cannot spool", extra={"task": self._task, "why": str(error)})
                self._retry_at = now + RETRY_S
                return
            self._uncut.pop(0)
            self._tell(stimuli.Spooled(self._task, last - first))
            self._wake()


@dataclass(frozen=True)
class Assignment:
    """A job for a slot, and what to do with its outcome."""

    job: Job
    ended: Callable[[Outcome], None]


class Slot(threading.Thread):
    """Runs one job after the other; the payload of the last one stays ready for a while."""

    def __init__(self, number: int, home: Path, helper: Path, most: Most) -> None:
        super().__init__(name=f"slot-{number}", daemon=True)
        self._runner = Runner(home / "work" / f"slot-{number}", helper, most)
        self._jobs: queue.Queue[Optional[Assignment]] = queue.Queue()
        self._over = False

    def give(self, assignment: Assignment) -> None:
        """The next job."""
        self._jobs.put(assignment)

    def order(self, task: int, word: str, value: float = 0.0) -> None:
        """An order for the running task: trim, finish, kill, pause, resume."""
        self._runner.order(task, word, value)

    def stop(self) -> None:
        """End the thread and its payload after the job it has (kill that first)."""
        self._jobs.put(None)

    def run(self) -> None:
        """Until stopped."""
        while True:
            try:
                assignment = self._jobs.get(timeout=IDLE_S)
            except queue.Empty:
                self._runner.drop()
                continue
            if assignment is None:
                break
            try:
                outcome = self._runner.run(assignment.job)
            except Exception as error:  # a fault of ours must not look like a hung task
                log.exception("slot fault")
                outcome = Outcome("crashed", f"agent fault: {type(error).__name__}")
                self._runner.drop()
            assignment.ended(outcome)
        self._runner.close()


def run_ended(task: int, outcome: Outcome, work: TaskWork) -> stimuli.RunEnded:
    """What the brain is told of a run: a death names the event it most likely died of."""
    failures = [messages.EventFailure(f.first, f.last, f.word) for f in work.gather.failures]
    suspect = work.suspect()
    if work.unkept:
        outcome = replace(outcome, word="disk", why="finished events could not be spooled")
        suspect = None
    if outcome.word not in ("done", "stopped") and outcome.ready and suspect is not None:
        failures.append(messages.EventFailure(*suspect, outcome.word))
    return stimuli.RunEnded(
        task,
        outcome.word,
        outcome.why,
        tuple(failures),
        outcome.wall_s,
        outcome.cpu_s,
        outcome.rss_mb,
        outcome.exit,
        outcome.log,
        random.random(),  # noqa: S311 - spreads retries, no secret
    )
