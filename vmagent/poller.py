"""Waits for commands at the server, and asks again when it has been away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Optional

from vmagent import errors, stimuli
from vmagent.backoff import pause
from vmagent.calls import Server
from vmagent.errands import jitter, revoked

log = logging.getLogger("vmagent.poller")

POLL_MOST_S = 10.0


class Poller(threading.Thread):
    """One long poll after the other."""

    def __init__(
        self,
        server: Server,
        poll_s: int,
        seq: Callable[[], int],
        tell: Callable[[stimuli.Stimulus], None],
    ) -> None:
        """``seq`` is the last command obeyed."""
        super().__init__(name="commands", daemon=True)
        self._server, self._poll_s, self._seq, self._tell = server, poll_s, seq, tell
        self._over = False
        self._failures = 0
        self._hurry = threading.Event()

    def stop(self) -> None:
        """Ask no more."""
        self._over = True
        self._hurry.set()

    def hurry(self) -> None:
        """Ask now, whatever failed before."""
        self._failures = 0
        self._hurry.set()

    def run(self) -> None:
        """Until stopped, or the host is revoked."""
        while not self._over:
            wait = self._ask()
            if wait is None:
                return
            self._hurry.wait(wait)
            self._hurry.clear()

    def _ask(self) -> Optional[float]:
        """Seconds until the next question; None: there is none."""
        begun = time.monotonic()
        try:
            reply = self._server.commands(self._seq(), self._poll_s)
        except errors.TokenRefused as error:
            self._tell(revoked(error))
            return None
        except errors.LinkFault as error:
            if self._over:  # cut off, for nobody waits for it any more
                return None
            self._failures += 1
            if self._failures == 1:
                log.warning("commands not heard", extra={"why": str(error)})
            return again(self._failures, error.retry_after)
        except Exception:  # a fault of ours: without this thread no farm can be vacated
            log.exception("poll fault")
            self._failures += 1
            return again(self._failures)
        self._failures = 0
        if reply.commands:
            self._tell(stimuli.Commanded(tuple(reply.commands)))
        # A server that does not wait, or repeats itself, is not to be asked in a circle.
        return max(0.0, 1.0 - (time.monotonic() - begun))


def again(failures: int, retry_after: float = 0.0) -> float:
    """Seconds until commands are asked for anew: a server that is back can command soon."""
    wait = pause(failures, jitter(), retry_after)
    return wait if retry_after > 0 else min(POLL_MOST_S, wait)
