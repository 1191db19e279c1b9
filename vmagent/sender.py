"""Streams spooled frames to the server, oldest first, until they are durable there."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import Callable, Optional

from vmagent import errors, link, stimuli
from vmagent.backoff import pause
from vmagent.calls import Server
from vmagent.errands import revoked
from vmagent.pace import Pace
from vmagent.spool import Held, Spool

log = logging.getLogger("vmagent.sender")

# What the server may answer to a frame that it will never take; anything else may pass.
FINAL = (400, 403, 404, 410, 413)
DAMAGED = "digest-mismatch"  # on its way: worth another try
DAMAGED_MOST = 5
FAULT_S = 10.0


@dataclass
class Stream:
    """One task's spool on its way."""

    production: int
    spool: Spool
    damaged: int = 0


class Sender(threading.Thread):
    """Sends whatever is spooled; what is not acknowledged stays on disk."""

    def __init__(self, server: Server, pace: Pace, tell: Callable[[stimuli.Stimulus], None]):
        super().__init__(name="sender", daemon=True)
        self._server, self._pace, self._tell = server, pace, tell
        self._streams: dict[int, Stream] = {}
        self._changed = threading.Condition()
        self._over = self._hurries = False
        self._failures = 0

    def add(self, task: int, production: int, spool: Spool) -> None:
        """From now on send what is in this spool."""
        with self._changed:
            self._streams[task] = Stream(production, spool)
            self._changed.notify()

    def wake(self) -> None:
        """Something new is spooled."""
        with self._changed:
            self._changed.notify()

    def hurry(self) -> None:
        """Try now, whatever failed before."""
        with self._changed:
            self._failures, self._hurries = 0, True
            self._changed.notify()

    def drop(self, task: int) -> None:
        """Send no more of this task."""
        with self._changed:
            self._streams.pop(task, None)

    def stop(self) -> None:
        """Send no more at all."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def run(self) -> None:
        """Until stopped."""
        while True:
            found = self._next()
            if found is None:
                return
            try:
                wait = self._send(*found)
            except Exception:  # a fault of ours: without this thread nothing would ever be sent
                log.exception("sender fault", extra={"task": found[0]})
                wait = FAULT_S
            if wait > 0 and self._rest(wait):
                return

    def _next(self) -> Optional[tuple[int, Stream, Held]]:
        with self._changed:
            while not self._over:
                for task in list(self._streams):
                    stream = self._streams[task]
                    held = stream.spool.next()
                    if held is not None:
                        # The next task's turn comes before this one's next frame.
                        self._streams[task] = self._streams.pop(task)
                        return task, stream, held
                self._changed.wait()
            return None

    def _rest(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        with self._changed:
            while not self._over:
                left = until - time.monotonic()
                if left <= 0 or self._hurries:
                    self._hurries = False
                    return False
                self._changed.wait(left)
            return True

    def _send(self, task: int, stream: Stream, held: Held) -> float:
        begun = time.monotonic()
        try:
            raw = stream.spool.read(held)
            reply = self._server.frame(stream.production, held.first, held.last, raw)
        except errors.TokenRefused as error:
            self._tell(revoked(error))
            return 60.0
        except errors.RequestRefused as error:
            return self._refused(task, stream, error)
        except errors.LinkFault as error:
            return self._later(task, error)
        except OSError:  # the task was dropped while its frame was being read
            self.drop(task)
            return 0.0
        self._failures = stream.damaged = 0
        self._pace.learn(time.monotonic() - begun)
        stream.spool.acknowledge(held)
        self._tell(stimuli.FrameTaken(task, reply.task))
        if reply.commands:
            self._tell(stimuli.Commanded(tuple(reply.commands)))
        return 0.0

    def _refused(self, task: int, stream: Stream, error: errors.RequestRefused) -> float:
        stream.damaged += error.word == DAMAGED
        passing = error.word == DAMAGED and stream.damaged < DAMAGED_MOST
        # What stands between may refuse too, and knows nothing of who wants these events.
        if passing or error.status not in FINAL or error.word == link.UNKNOWN:
            return self._later(task, error)
        log.warning("frame refused", extra={"task": task, "why": str(error)})
        self.drop(task)
        self._tell(stimuli.FrameRefused(task, error.word))
        return 0.0

    def _later(self, task: int, error: errors.LinkFault) -> float:
        self._failures += 1
        wait = pause(self._failures, random.random(), error.retry_after)  # noqa: S311 - no secret
        extra = {"task": task, "why": str(error), "wait_s": round(wait, 1)}
        log.warning("frame kept for later", extra=extra)
        return wait
