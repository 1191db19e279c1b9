"""A person's terminal: any tty, a serial line, or plain standard input; left as it was found.

A tty is read key by key without its own echo, so that nothing typed shows where it should not. Its
modes are put back when the program ends, and by a small process that stays behind when the program
is killed.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from vmagent.typed import INTERRUPT, Interrupted, Line

COLUMNS, ROWS = 80, 25
# Terminals that show ASCII at best, whatever the locale says; systemd's serial ones are vt220.
PLAIN_KINDS = ("", "dumb", "vt100", "vt102", "vt220", "vt320", "unknown")
QUIET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTTOU)


class Gone(Exception):
    """The terminal is closed, or there is nothing more to read."""


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is to be spared everything but ASCII."""
    said = next((environment[n] for n in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(n)), "")
    utf8 = said.lower().replace("-", "").endswith("utf8")
    return environment.get("TERM", "") in PLAIN_KINDS or not utf8


class Terminal:
    """Where a person reads and types. Use it in a ``with``: that sets and puts back its modes."""

    def __init__(self, source: int, sink: int, plain: bool) -> None:
        self.source, self.sink, self.plain = source, sink, plain
        self.is_tty = os.isatty(source)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._ahead = ""
        self._ended = False
        self._restorer: Optional[tuple[int, int]] = None
        self._before: Optional[list[Any]] = None

    def __enter__(self) -> Terminal:
        if self.is_tty:
            self._before = termios.tcgetattr(self.source)
            self._restorer = _leave_behind(self.source, self._before)
            termios.tcsetattr(self.source, termios.TCSADRAIN, _raw(self._before))
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self.source, termios.TCSADRAIN, self._before)
            self._before = None
        if self._restorer is not None:
            pid, pipe = self._restorer
            self._restorer = None
            os.close(pipe)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def size(self) -> tuple[int, int]:
        """Columns and rows; 80 and 25 where nobody says, as on a serial line."""
        try:
            columns, rows = os.get_terminal_size(self.sink)
        except OSError:
            return COLUMNS, ROWS
        return columns or COLUMNS, rows or ROWS

    def write(self, text: str) -> None:
        """Show a text; `Gone` if the terminal is closed."""
        if self.plain:
            text = text.translate(_ASCII)
        left = text.encode("ascii" if self.plain else "utf-8", "replace")
        try:
            while left:
                left = left[os.write(self.sink, left) :]
        except OSError as error:
            raise Gone(str(error)) from error

    def say(self, *lines: str) -> None:
        """Show lines."""
        self.write("".join(f"{line}\n" for line in lines))

    def ask(self, prompt: str, pin: bool = False, hidden: bool = False) -> str:
        """What is typed up to Enter. `Gone` at the end of input, `Interrupted` on Ctrl-C."""
        while True:
            found = self.ask_for(None, prompt, pin, hidden)
            if found is not None:
                return found

    def ask_for(
        self, seconds: Optional[float], prompt: str, pin: bool = False, hidden: bool = False
    ) -> Optional[str]:
        """The same, None if nobody has typed anything for these seconds."""
        self.write(prompt)
        if not self.is_tty:
            found = self._plain_line(seconds)
            if found is not None:
                self.write("\n")
            return found
        line = Line(pin, hidden)
        while not line.done:
            sign = self._sign(None if line.text else seconds)
            if not sign:
                return None
            self.write(line.key(sign))
        if line.ended:
            raise Gone("end of input")
        return line.text

    def wait(self, seconds: float) -> bool:
        """Let time pass; True as soon as Enter was pressed. `Interrupted` on Ctrl-C."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if not self.is_tty:
                time.sleep(max(0.0, left))
                return False
            sign = self._sign(max(0.0, left))
            if sign == INTERRUPT:
                raise Interrupted
            if sign in ("\r", "\n"):
                return True
            if left <= 0:
                return False

    def _sign(self, seconds: Optional[float]) -> str:
        """The next character; empty if none comes in time."""
        while not self._ahead:
            ready = select.select([self.source], [], [], seconds)[0]
            if not ready:
                return ""
            self._ahead = self._decode(self._read())
        sign, self._ahead = self._ahead[0], self._ahead[1:]
        return sign

    def _plain_line(self, seconds: Optional[float]) -> Optional[str]:
        while "\n" not in self._ahead and not self._ended:
            if not select.select([self.source], [], [], seconds)[0]:
                return None
            try:
                self._ahead += self._decode(self._read())
            except Gone:
                self._ended = True
        line, end, self._ahead = self._ahead.partition("\n")
        if not (line or end):
            raise Gone("end of input")
        return line.strip("\r")

    def _read(self) -> bytes:
        try:
            found = os.read(self.source, 1024)
        except OSError as error:
            raise Gone(str(error)) from error
        if not found:
            raise Gone("end of input")
        return found


# What our own texts have beyond ASCII, for terminals that have not.
_ASCII = {ord("·"): "-", ord("…"): "...", ord("\N{REPLACEMENT CHARACTER}"): "?"}


def _raw(before: list[Any]) -> list[Any]:
    """Key by key, no echo, no signals from keys: Ctrl-C must work where nobody controls the tty."""
    found = [*before[:6], list(before[6])]
    found[0] |= termios.ICRNL
    found[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    found[6][termios.VMIN], found[6][termios.VTIME] = 1, 0
    return found


def _leave_behind(tty: int, before: list[Any]) -> tuple[int, int]:
    """A process that puts the modes back once this one is gone, however it went; its pipe."""
    theirs, ours = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        return child, ours
    try:
        os.setsid()  # else it would be held back as a background job of the terminal
        for number in QUIET:
            signal.signal(number, signal.SIG_IGN)
        os.close(ours)
        os.read(theirs, 1)
        termios.tcsetattr(tty, termios.TCSADRAIN, before)
    except BaseException:  # noqa: S110 - nobody is left to hear it
        pass
    os._exit(0)


@contextlib.contextmanager
def opened(device: Optional[str], plain: bool) -> Iterator[Terminal]:
    """The terminal of this name, or standard input and output; OSError if it cannot be opened."""
    if device is None:
        yield Terminal(sys.stdin.fileno(), sys.stdout.fileno(), plain)
        return
    handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        yield Terminal(handle, handle, plain)
    finally:
        os.close(handle)
