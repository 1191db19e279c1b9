"""Server processes on a core of their own, and the CPU time that all their threads took."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

SERVER_CORE, LOAD_CORE = 0, 1
READY_S = 120.0  # until a server says where it answers
STOP_S = 30.0


class NotStarted(RuntimeError):
    """A server ended, or said nothing, before it answered."""


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """A command that keeps to one core, where there is more than one."""
    if (os.cpu_count() or 1) < 2:
        return list(command)
    return ["taskset", "--cpu-list", str(core), *command]


def cpu_ns(pid: int) -> int:
    """On-CPU nanoseconds of all living threads of a process (Linux, /proc/PID/task/*/schedstat)."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return total


class Served:
    """A server process that said ``.. answers at URL`` on its first line."""

    def __init__(
        self, name: str, command: Sequence[str], cwd: Path | None = None, *, pin: bool = True
    ) -> None:
        """Start it, on a core of its own or on any; `NotStarted` if it does not answer."""
        self.name = name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in `stop`
        self._process = subprocess.Popen(
            pinned(SERVER_CORE, command) if pin else list(command),
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=cwd,
        )
        try:
            self.url = self._first_line().rpartition(" ")[2]
        except BaseException:
            self.stop()
            raise

    @property
    def cpu_ns(self) -> int:
        """What it took so far."""
        return cpu_ns(self._process.pid)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def memory(self) -> int:
        """Bytes that it holds by itself (Linux, Pss of private pages)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii")
        return 1024 * sum(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_")
        )

    def errors(self) -> str:
        """What it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def stop(self) -> None:
        """End it in peace; a second call does nothing."""
        if self._errors.closed:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _first_line(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  asked for above
        until = time.monotonic() + READY_S
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while time.monotonic() < until and self._process.poll() is None:
                if selector.select(0.2):
                    line = stdout.readline().decode().strip()
                    if line:
                        return line
        raise NotStarted(f"{self.name} did not start:\n{self.errors()[-4000:]}")
