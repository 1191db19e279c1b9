"""What the server has news of is fetched and carried out aside: context, owner's limits, token.

What is owed is kept on disk from the command until it is done, so that neither a crash nor a
network that is away loses it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from vmagent import context, errors, limits, stimuli
from vmagent.backoff import pause
from vmagent.calls import Server
from vmagent.errands import jitter, revoked
from vmagent.home import Home
from vmagent.wire import codec, pairing

log = logging.getLogger("vmagent.chores")

NOTE = "owed"
CONTEXT, LIMITS, REPORT, TOKEN = "context", "limits", "report", "token"
IDLE_S = 3600.0


class Chores(threading.Thread):
    """Does what is owed, one after the other; tells `SettingsChanged` where that is due."""

    def __init__(
        self, home: Home, server: Server, apply: str, tell: Callable[[stimuli.Stimulus], None]
    ) -> None:
        super().__init__(name="chores", daemon=True)
        self._home, self._server, self._tell = home, server, tell
        self._rights = context.Rights.of(apply, os.environ)
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._over = False
        self._failures = 0

    def owe(self, what: str, value: Any = True) -> None:
        """There is this to do, from now on until it is done."""
        with self._lock:
            owe(self._home, what, value)
        self._changed.set()

    def stop(self) -> None:
        """Do nothing more; what is owed stays."""
        self._over = True
        self._changed.set()

    def run(self) -> None:
        """Until stopped."""
        while not self._over:
            wait = self._turn()
            self._changed.wait(wait)
            self._changed.clear()

    def _turn(self) -> float:
        """Do what is owed; seconds until the next look."""
        for what, value in _owed(self._home).items():
            try:
                self._do(what, value)
            except errors.TokenRefused as error:
                self._tell(revoked(error))
                return IDLE_S
            except errors.RequestRefused as error:
                log.warning("chore refused", extra={"chore": what, "why": str(error)})
            except (errors.LinkFault, OSError) as error:
                self._failures += 1
                log.warning("chore put off", extra={"chore": what, "why": str(error)})
                return pause(self._failures, jitter(), getattr(error, "retry_after", 0.0))
            except Exception:  # a fault of ours: the agent works on without it
                log.exception("chore fault", extra={"chore": what})
            with self._lock:
                _paid(self._home, what, value)
        self._failures = 0
        return 0.0 if _owed(self._home) else IDLE_S

    def _do(self, what: str, value: Any) -> None:
        if what == LIMITS:
            self._limits()
        elif what == CONTEXT:
            self._context()
        elif what == TOKEN:
            self._token()
        elif what == REPORT:
            self._server.report_context(codec.build(value, pairing.ContextReport))

    def _limits(self) -> None:
        before, told = limits.kept(self._home), self._server.limits()
        try:
            limits.keep(self._home, told)
        except ValueError as error:
            log.warning("limits not understood", extra={"why": str(error)})
            return
        log.info("limits", extra={"limits": limits.said(told) or "none"})
        if told != before:
            self._tell(stimuli.SettingsChanged())

    def _token(self) -> None:
        """Kept before it is said to be: killed at any step, one that is good is on the disk."""
        told = self._server.new_token()
        self._home.renew(told.token)
        self._server.line.use(told.token)
        self._server.token_kept()
        log.info("new token")

    def _context(self) -> None:
        found = self._server.context()
        if not found.id:
            return
        context.keep(self._home, found)
        done = context.apply(self._home, found, None, self._rights)
        self.owe(REPORT, codec.plain(context.report(found, done)))
        if done.news:
            self._tell(stimuli.SettingsChanged())


def owe(home: Home, what: str, value: Any = True) -> None:
    """Keep that this is to be done by the agent."""
    home.keep_note(NOTE, {**_owed(home), what: value})


def _owed(home: Home) -> dict[str, Any]:
    found = home.note(NOTE)
    return found if isinstance(found, dict) else {}


def _paid(home: Home, what: str, value: Any) -> None:
    """It is done, unless it was owed again meanwhile with another value."""
    left = _owed(home)
    if left.get(what) == value:
        del left[what]
        home.keep_note(NOTE, left)


__all__ = ["CONTEXT", "LIMITS", "REPORT", "TOKEN", "Chores", "owe"]
