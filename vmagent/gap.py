"""One gap of a range on its way through a payload: what it says is heard, checked, passed on."""

from __future__ import annotations

import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional, Protocol

from vmagent import output
from vmagent.pipe import At, Events, Fail, Hello, Misbehaved, Next, OutFile
from vmagent.plan import TERM_S
from vmagent.process import LOG_LEAST, Exit, Process, read
from vmagent.wire import messages, statements

TICK_S = 0.2
FILE_MOST = 256 * 1024 * 1024  # is held in memory once
LOG_FLOOD = 16  # times log_bytes without a finished event between
MEMORY_SIGNS = ("MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory")
DISK_SIGNS = ("No space left on device", "File too large", "Disk quota exceeded")


class Work(Protocol):
    """Where the events of a range go; told by the runner, never by the payload."""

    def gaps(self) -> list[tuple[int, int]]:
        """What is still to do."""
        ...

    def begin(self) -> None:
        """The payload is ready and has been asked for events."""
        ...

    def add(self, first: int, last: int, records: tuple[bytes, ...]) -> None:
        """Events are finished; `Misbehaved` if they are not to be had."""
        ...

    def fail(self, first: int, last: int, word: str) -> None:
        """Events failed."""
        ...

    def at(self, event: int) -> None:
        """This event is being made."""
        ...

    def trim(self, last: int) -> None:
        """The range ends here now."""
        ...

    def room(self) -> bool:
        """Whether more events can be taken in now."""
        ...

    def flush(self, force: bool) -> None:
        """Pass on what is due, or everything."""
        ...


@dataclass(frozen=True)
class Job:
    """A range to run: what is run, and where its events go."""

    task: int
    digest: str
    manifest: statements.Manifest
    bundle: Path
    work: Work


def leased(lease: messages.Lease, manifest: statements.Manifest, bundle: Path, work: Work) -> Job:
    """The job of a lease; one that grants more memory is for a process of its own."""
    memory_mb, digest = statements.granted_mb(manifest.limits, lease.memory_mb), lease.manifest
    if memory_mb != manifest.limits.memory_mb:
        digest = f"{digest}+{memory_mb}"
        manifest = replace(manifest, limits=replace(manifest.limits, memory_mb=memory_mb))
    return Job(lease.task, digest, manifest, bundle, work)


@dataclass(frozen=True)
class Ended:
    """How a range ended: done, stopped, or the class word of a failure."""

    word: str
    why: str = ""


class Orders(Protocol):
    """Where orders from other threads come in."""

    woken: int

    def orders_for(self, task: int) -> Iterator[tuple[str, float]]:
        """The orders that came for this task."""
        ...


class Pass:
    """One gap of a range on its way through the payload."""

    def __init__(self, orders: Orders, job: Job, process: Process) -> None:
        self._orders, self._job, self._work, self._process = orders, job, job.work, process
        self._mode = job.manifest.mode
        self._first, self._last = self._work.gaps()[0]
        self._given_last = self._last
        self._given = self.over = False
        self._finish_by: Optional[float] = None
        self._kill_by = self._still_since = 0.0
        self._asked_to_end = False
        self._heard_at = self._allowed_at = time.monotonic()
        self._log_since = 0
        self._cpu_s = cpu_allowance(job)

    def run(self) -> Optional[Ended]:
        """Until the gap is closed (None), or the range has ended."""
        while True:
            if self._mode == "pipe" and self._process.waiting and not self._given:
                self._give()
            self._wait()
            ended = self._obey() or self._listen()
            if ended is not None:
                return ended
            self._work.flush(False)
            if not self._left():
                return None
            if self._finish_by is not None and self._process.waiting:
                return Ended("stopped")
            self._check_silence()

    def _left(self) -> list[tuple[int, int]]:
        return [(a, b) for a, b in self._work.gaps() if a < self._last and self._first < b]

    def _give(self) -> None:
        self._given, self._process.waiting = True, False
        self._process.say(f"RANGE {self._first} {self._last}")
        self._work.begin()
        self._process.may_use_cpu(self._cpu_s)
        self._heard_at = self._allowed_at = time.monotonic()

    def _wait(self) -> None:
        poller = select.poll()
        for handle in (self._process.logs, self._process.answer, self._orders.woken):
            poller.register(handle, select.POLLIN)
        if self._work.room():
            poller.register(self._process.pipe, select.POLLIN)
        else:
            self._heard_at = time.monotonic()  # it is we who do not listen
        found = poller.poll(TICK_S * 1000)
        if found and all(
            event & select.POLLHUP and not event & select.POLLIN for _, event in found
        ):
            time.sleep(0.005)  # its ends are closed, the guard is still tidying up

    def _obey(self) -> Optional[Ended]:
        read(self._orders.woken)
        for word, value in self._orders.orders_for(self._job.task):
            if word == "kill":
                return Ended("stopped", "killed")
            if word == "finish":
                if not self._given and self._mode == "pipe":
                    return Ended("stopped", "before it began")
                self._finish(value)
            elif word == "trim":
                self._trim(int(value))
            elif word in ("pause", "resume"):
                self._stand_still(word == "pause")
        return None

    def _finish(self, seconds: float) -> None:
        """The current event may be finished, for this long at most."""
        by = time.monotonic() + seconds
        if self._finish_by is None:
            self._process.say("END")
            self._process.signal(signal.SIGUSR1)
        elif by >= self._finish_by:
            return
        self._finish_by = by
        self._kill_by = by + min(TERM_S, seconds)

    def _stand_still(self, still: bool) -> None:
        now = time.monotonic()
        if still:
            self._process.pause()
            self._still_since = now
        else:
            self._process.resume()
            # Silence does not count while it cannot speak, and counts on as soon as it can.
            self._heard_at += now - max(self._still_since, self._heard_at)
        self._process.paused = still

    def _trim(self, last: int) -> None:
        self._work.trim(last)
        if last < self._last:
            self._last = max(self._first, last)
            if self._given:
                self._process.trimmed = True
                self._process.say(f"TRIM {last}")

    def _listen(self) -> Optional[Ended]:
        logged = self._process.read_log()
        self._log_since += logged
        if logged and self._mode != "pipe":
            self._heard_at = time.monotonic()
        over = self.over = self._process.over()
        if self._work.room() or over:
            self._read_pipe(to_end=over)
        if self._mode == "directory":
            self._read_folder(over)
        if over:
            return self._ended()
        if self._log_since > LOG_FLOOD * max(LOG_LEAST, self._job.manifest.limits.log_bytes):
            raise Misbehaved("flooded", f"{self._log_since} bytes of log without an event")
        return None

    def _read_pipe(self, to_end: bool) -> None:
        while True:
            raw = read(self._process.pipe)
            if not raw:
                return
            for message in self._process.parser.feed(raw):
                self._hear(message)
            if not to_end:
                return

    def _hear(self, message: object) -> None:
        self._heard_at = time.monotonic()
        if self._mode != "pipe":
            raise Misbehaved("garbage", f"a payload in {self._mode} mode does not talk")
        late = isinstance(message, (Events, Fail, OutFile))
        if late and not self._given and self._process.trimmed:
            return  # of the range before, made before it heard that it was taken back
        if isinstance(message, Hello):
            self._process.greeted = True
        elif isinstance(message, Next):
            self._next()
        elif isinstance(message, Events):
            self._progress()
            self._work.add(message.first, message.last, message.records)
        elif isinstance(message, Fail):
            self._progress()
            self._work.fail(message.first, message.last, message.word)
        elif isinstance(message, At):
            self._work.at(message.event)
        elif isinstance(message, OutFile):
            self._file(message.first, message.last, message.path, message.sizes)

    def _next(self) -> None:
        if self._process.waiting:
            raise Misbehaved("garbage", "NEXT twice without a range between")
        left = self._left()
        if self._given and left and self._finish_by is None:
            raise Misbehaved("output-missing", f"NEXT, and events {left[0]} have not come")
        self._process.waiting, self._process.trimmed = True, False

    def _progress(self) -> None:
        if not self._given and self._mode == "pipe":
            raise Misbehaved("lied", "events before a range was given")
        self._log_since = 0
        now = time.monotonic()
        if now - self._allowed_at >= 1.0:
            self._process.may_use_cpu(self._cpu_s)
            self._allowed_at = now

    def _file(self, first: int, last: int, name: str, sizes: Optional[tuple[int, ...]]) -> None:
        self._progress()
        manifest = self._job.manifest
        most = min(manifest.limits.event_bytes * (last - first), FILE_MOST)
        raw = self._process.folder.take(name, most)
        records = output.split(raw, first, last, manifest.granule, manifest.split, sizes)
        self._work.add(first, last, records)

    def _read_folder(self, over: bool) -> None:
        for first, last, name in self._process.folder.named():
            if not self._work.room() and not over:
                return
            self._heard_at = time.monotonic()
            self._file(first, last, name, None)

    def _ended(self) -> Optional[Ended]:
        if self._process.parser.unfinished and not self._failed():
            raise Misbehaved("garbage", "the pipe ends inside a message")
        found = self._process.exit or Exit()
        if self._mode == "command" and found.code == 0 and self._left():
            self._whole_file()
        left = self._left()
        if not left:
            return None
        if self._finish_by is not None:
            return Ended("stopped")
        if self._failed():
            return Ended(self._word(found), _how(found))
        raise Misbehaved("output-missing", f"it ended well, and events {left[0]} have not come")

    def _whole_file(self) -> None:
        self._file(self._first, self._given_last, self._process.folder.only(), None)

    def _failed(self) -> bool:
        found = self._process.exit
        return found is None or bool(found.verdict) or found.code != 0

    def _word(self, found: Exit) -> str:
        if found.verdict in ("memory", "cpu", "disk", "processes", "sandbox"):
            return found.verdict
        if found.signal == 24:  # SIGXCPU
            return "cpu"
        if found.signal == 25:  # SIGXFSZ
            return "disk"
        tail = self._process.log.text(4096)
        if any(sign in tail for sign in MEMORY_SIGNS):
            return "memory"
        return "disk" if any(sign in tail for sign in DISK_SIGNS) else "crashed"

    def _check_silence(self) -> None:
        now = time.monotonic()
        if self._finish_by is not None and now >= self._finish_by:
            if now >= self._kill_by:
                self._process.end()
            elif not self._asked_to_end:
                self._asked_to_end = True
                self._process.signal(signal.SIGTERM)
        silent = now - self._heard_at
        if not self._process.paused and silent > self._job.manifest.limits.silence_s:
            raise Misbehaved("hung", f"silent for {silent:.0f} s")


def cpu_allowance(job: Job) -> float:
    """Seconds of CPU until the next event must be there."""
    manifest = job.manifest
    events = max(manifest.block, manifest.granule)
    if manifest.mode == "command":
        events = max(events, sum(b - a for a, b in job.work.gaps()))
    return manifest.limits.cpu_s_per_event * events * manifest.cores


def _how(found: Exit) -> str:
    if found.verdict:
        return f"ended by its guard: {found.verdict}"
    return f"signal {found.signal}" if found.signal else f"exit code {found.code}"
