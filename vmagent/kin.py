"""The agent's children: guards, and the processes that come to it when a guard is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence

from vmagent.guard import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, children, family, prctl

_lock = threading.Lock()
_guards: set[int] = set()
_adopting = threading.Event()


def adopt() -> None:
    """For the agent's own process: orphans of guards come here, and no payload may look inside.

    A payload of the same user could else read the agent's memory, environment and open files, and
    outlive a guard that it has killed.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)
    _adopting.set()


def start(
    argv: Sequence[str], handles: Sequence[int], env: dict[str, str], folder: str
) -> subprocess.Popen[bytes]:
    """Start a guard."""
    with _lock:
        guard = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=handles,
            start_new_session=True,
            env=env,
            cwd=folder,
            bufsize=0,
        )
        _guards.add(guard.pid)
    return guard


def forget(guard: int) -> None:
    """A guard is gone."""
    with _lock:
        _guards.discard(guard)


def sweep() -> None:
    """Kill whatever a guard that was killed has left to this process, and whatever comes of it."""
    if not _adopting.is_set():
        return  # in a process with children of its own nobody can tell whose they are
    for _ in range(1000):
        with _lock:
            left = [pid for pid in children(os.getpid()) if pid not in _guards]
        if not left:
            return
        for orphan in left:
            for pid in (orphan, *family(orphan)):
                kill(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(orphan, 0)


def kill(pid: int) -> None:
    """Kill a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
