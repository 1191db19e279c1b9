"""Tells systemd how the agent does: ready, stopping, alive (sd_notify(3), without its library)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping
from typing import Optional


class Service:
    """The service manager, if there is one. Its variables are taken out of the environment."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._place = environment.pop("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(
            environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        )
        self._beat_at = 0.0

    def ready(self) -> None:
        """The agent is at work."""
        self._say("READY=1")

    def alive(self, now: float, status: str) -> None:
        """The agent turns its loop: told three times in the span in which it must be."""
        if self.watchdog_s is not None and now >= self._beat_at:
            self._beat_at = now + self.watchdog_s / 3
            self._say("WATCHDOG=1", f"STATUS={status}")

    def stopping(self, why: str) -> None:
        """The agent is about to end."""
        self._say("STOPPING=1", f"STATUS={why}")

    def _say(self, *lines: str) -> None:
        if self._place[:1] not in ("/", "@"):
            return
        address = self._place.replace("@", "\0", 1) if self._place[0] == "@" else self._place
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(1.0)
            line.connect(address)
            line.send("\n".join(lines).encode())


def _watchdog_s(usec: str, pid: str) -> Optional[float]:
    mine = not pid or pid == str(os.getpid())
    return int(usec) / 1e6 if mine and usec.isdigit() and int(usec) > 0 else None
