"""The agent as process 1 of a container: a small init that reaps the dead and passes signals on.

The kernel gives process 1 no default handlers, and every orphan of the container. So the agent
runs as its child, in a process group of its own (or a Ctrl-C at the terminal would come twice).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any, NoReturn

PASSED_ON = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def split() -> None:
    """In process 1: go on as its child, while it stays behind. In any other: nothing."""
    if os.getpid() != 1:
        return
    # Held back until somebody is there to pass them to.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        return
    _stay(child)


def _stay(child: int) -> NoReturn:
    def pass_on(number: int, _: Any) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    while True:
        pid, status = os.wait()
        if pid == child:
            sys.stdout.flush()
            signalled = os.WIFSIGNALED(status)
            os._exit(128 + os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status))
