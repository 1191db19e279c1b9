"""A person at a terminal, for tests: a real pseudo-terminal that a program runs on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PATIENCE_S = 60.0
# The terminal controls what runs on it, as it does that of a login.
_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + (
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def words_of(shown: str) -> str:
    """The three words that stand big on the screen of a machine."""
    found = re.findall(r"\|   ((?:[A-Z] )*[A-Z]) *\|$", shown, re.M)
    assert len(found) == 3, shown
    return " ".join(word.replace(" ", "").lower() for word in found)


def code_of(shown: str) -> str:
    """The code that stands on the screen of a machine."""
    found = re.search(r"((?:[A-Z-]  ){8}[A-Z])", shown)
    assert found is not None, shown
    return found[1].replace("  ", "")


class Person:
    """Starts a program on a terminal of 80 by 25, types, and reads what it shows."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], columns: int = 80, rows: int = 25
    ) -> None:
        self._master, self._slave = os.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = self.modes()
        self.raw = b""
        self._seen = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=dict(env),
            start_new_session=True,
        )

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        os.close(self._master)
        os.close(self._slave)

    @property
    def shown(self) -> str:
        """All that was shown, without escapes; lines end with a line feed."""
        text = _ESCAPES.sub("", self.raw.decode("utf-8", "replace"))
        return text.replace("\r\n", "\n")

    def modes(self) -> list[Any]:
        """The modes of the terminal."""
        return termios.tcgetattr(self._slave)

    def types(self, text: str) -> None:
        """Type; ``\\r`` is Enter."""
        os.write(self._master, text.encode())

    def sees(self, text: str, seconds: float = PATIENCE_S) -> str:
        """Wait until a text stands after all that was waited for before; what came up to it."""
        until = time.monotonic() + seconds
        while True:
            found = self.shown.find(text, self._seen)
            if found >= 0:
                part = self.shown[self._seen : found + len(text)]
                self._seen = found + len(text)
                return part
            if time.monotonic() > until or not self._read(until):
                raise AssertionError(f"{text!r} is not shown: {self.shown[self._seen :]}")

    def _read(self, until: float) -> bool:
        """Take in what comes; False once the program is gone and all was read."""
        left = max(0.0, until - time.monotonic())
        if not select.select([self._master], [], [], min(0.2, left))[0]:
            return self.process.poll() is None
        try:
            self.raw += os.read(self._master, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        return True

    def becomes(self, true: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait for what nobody announces."""
        until = time.monotonic() + seconds
        while not true():
            if time.monotonic() > until:
                raise AssertionError(f"it does not come to pass: {self.shown[-500:]}")
            self._read(time.monotonic() + 0.02)  # who is not read from stands still

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """The exit code of the program, all that it showed read."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"it goes on: {self.shown[-2000:]}")
            self._read(until)
        while select.select([self._master], [], [], 0.1)[0] and self._read(until):
            pass
        return self.process.returncode
