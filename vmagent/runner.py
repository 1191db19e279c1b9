"""Runs one range after the other through a payload, in any of the three modes."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent.gap import Ended, Job, Pass, cpu_allowance
from vmagent.pipe import Misbehaved
from vmagent.process import Most, Process


@dataclass(frozen=True)
class Outcome:
    """How a range ended, what it cost, and what the payload wrote."""

    word: str
    why: str = ""
    ready: bool = False
    wall_s: float = 0.0
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    exit: Optional[int] = None
    log: str = ""


class Runner:
    """One slot: a payload process, kept alive from range to range of the same manifest."""

    def __init__(self, home: Path, helper: Path, most: Most = Most()) -> None:  # noqa: B008
        self._home, self._helper, self._most = home, helper, most
        self._process: Optional[Process] = None
        self._shown: Optional[Process] = None
        self._digest = ""
        self._orders: deque[tuple[int, str, float]] = deque()
        self.woken, self._wake = os.pipe()
        os.set_blocking(self.woken, False)
        os.set_blocking(self._wake, False)

    def order(self, task: int, word: str, value: float = 0.0) -> None:
        """From another thread: trim (value: new last), finish (seconds), kill, pause, resume.

        An order for a task that is not the one running is passed over.
        """
        self._orders.append((task, word, value))
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"!")

    def orders_for(self, task: int) -> Iterator[tuple[str, float]]:
        """The orders that came for this task; those for another are gone."""
        while self._orders:
            wanted, word, value = self._orders.popleft()
            if wanted == task:
                yield word, value

    def run(self, job: Job, log_most: int = 60_000) -> Outcome:
        """Run a range to its end, whatever end that is; never raises for what a payload does."""
        begun, self._shown, cpu_before = time.monotonic(), None, 0.0
        try:
            self._take_process(job)
            cpu_before = self._process.used()[0] if self._process else 0.0
            ended = self._run(job)
        except Misbehaved as fault:
            ended = Ended(fault.word, fault.why)
        except OSError as error:
            ended = Ended("disk" if error.errno == errno.ENOSPC else "crashed", str(error))
        wall_s = time.monotonic() - begun
        process = self._last()
        used = process.used() if process else (0.0, 0.0)
        if ended.word != "done" or job.manifest.mode != "pipe":
            self.drop()
        job.work.flush(True)
        if process is None:
            return Outcome(ended.word, ended.why, wall_s=wall_s)
        code = process.exit.code if process.exit else None
        cpu_s, rss_mb = max(used, process.used())
        log = process.log.text(log_most)
        cpu_s = max(0.0, cpu_s - cpu_before)
        return Outcome(ended.word, ended.why, process.greeted, wall_s, cpu_s, rss_mb, code, log)

    def drop(self) -> None:
        """End the payload process kept, if any."""
        process, self._process = self._process, None
        self._digest = ""
        if process is not None:
            process.close()

    def close(self) -> None:
        """Let go of everything."""
        self.drop()
        os.close(self._wake)
        os.close(self.woken)

    def _last(self) -> Optional[Process]:
        return self._shown

    def _take_process(self, job: Job) -> None:
        kept = self._process
        if kept is not None and self._digest == job.digest and not kept.over():
            kept.read_log()
            kept.log.clear()
            if kept.paused:  # its last range was taken back while it stood still
                kept.paused = False
                kept.resume()
            self._shown = kept
            return
        self.drop()
        manifest, gaps, extra = job.manifest, job.work.gaps(), {}
        if manifest.mode != "pipe" and gaps:
            extra = {"EVP_FIRST": str(gaps[0][0]), "EVP_LAST": str(gaps[0][1])}
        process = Process(manifest, job.bundle, self._home, self._helper, self._most)
        process.start(cpu_allowance(job) + manifest.limits.silence_s, extra)
        process.greeted = manifest.mode != "pipe"
        self._process, self._digest, self._shown = process, job.digest, process

    def _run(self, job: Job) -> Ended:
        while job.work.gaps():
            if self._process is None:
                return Ended("crashed", "it is not there")
            one = Pass(self, job, self._process)
            ended = one.run()
            if ended is not None:
                return ended
            if job.work.gaps() and (job.manifest.mode != "pipe" or one.over):
                self.drop()
                self._take_process(job)
        return Ended("done")
