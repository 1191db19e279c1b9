"""Stands between agent and payload: starts it within its limits and leaves nothing of it behind.

Run as a program of its own, standard library alone, so that it outlives nobody: when the agent is
killed its control pipe ends and the guard kills every descendant of the payload, daemons too.
Control lines on stdin: first the order as JSON, then ``CPU seconds`` (may use this much from now
on), ``PAUSE``, ``RESUME``, ``SIGNAL n``. Answer on stdout: one line of JSON when all is over.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
TICK_S = 0.2
# What a payload reads from and writes to: one digit, or old shells cannot redirect it.
PIPE_IN, PIPE_OUT, ABOVE = 3, 4, 16
MIB = 1 << 20
# Address space is a wall far behind the limit: libraries map much more than they touch. What
# counts is resident memory of the whole family, looked at every tick.
WALL_FACTOR, WALL_EXTRA_MB = 2, 512
# Processes of one payload, and threads that its user may have beside those of today: a fork bomb
# ends here, before the machine does.
PROCESSES_MOST, THREADS_MORE = 1000, 4000
TOLD = (signal.SIGUSR1, signal.SIGTERM)  # finish the current event; end now, as you like
ENTRY_BYTES = 1024  # an empty file costs an inode, and time to look at
# What programs that are run between guard and payload find: nothing that a manifest could set.
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
SIGNALLED = 128
KEY_CALLS = {"x86_64": 250, "aarch64": 219}  # the number of keyctl(2)
_CLOCK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def prctl(option: int, value: int) -> None:
    """Linux prctl(2); a kernel that does not know the option is borne with."""
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def children(pid: int) -> list[int]:
    """The processes this one has started (or inherited) and not yet reaped."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as listing:
                found.extend(int(word) for word in listing.read().split())
    except OSError:
        return []
    return found


def family(pid: int) -> list[int]:
    """Every descendant of a process."""
    found, left = [], children(pid)
    while left:
        one = left.pop()
        found.append(one)
        left.extend(children(one))
    return found


def usage(pid: int) -> tuple[float, int]:
    """CPU seconds (of reaped children too) and resident bytes of one process."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            words = stat.read().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / _CLOCK, int(words[21]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0.0, 0


def disk_bytes(folder: str, most: int) -> int:
    """Bytes on disk below a folder, links not followed; the count ends once it is above ``most``.

    What cannot be looked at, being too deep or closed, counts as too much.
    """
    total = 0
    waiting = [folder]
    while waiting and total <= most:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    with contextlib.suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_blocks * 512 + ENTRY_BYTES
                    if total > most:
                        break
        except FileNotFoundError:
            continue
        except OSError:
            return most + 1
    return total


def threads(user: int) -> int:
    """How many threads a user has by now."""
    found = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            if os.stat(f"/proc/{int(name)}").st_uid == user:
                found += len(os.listdir(f"/proc/{name}/task"))
    return found


def boxed(
    box: dict[str, Any], handles: list[str], argv: list[str], env: dict[str, str]
) -> list[str]:
    """The command that runs another in the sandbox.

    What a manifest sets in the environment (such as LD_PRELOAD) comes to the payload alone: bwrap
    and whatever gives rights away have more rights than it.
    """
    settings = [f"{name}={value}" for name, value in env.items()]
    return [box["program"], *handles, "--", *box["before"], "env", "-i", *settings, *argv]


def write_options(handle: int, options: list[str]) -> None:
    """Options as bwrap reads them from a descriptor."""
    os.write(handle, b"".join(os.fsencode(option) + b"\0" for option in options))
    os.lseek(handle, 0, os.SEEK_SET)


def start(order: dict[str, Any], status: int = -1) -> int:
    """Start the payload: own session, limits, nothing open but what it is meant to have.

    In a sandbox, bwrap tells on ``status`` how far it came.
    """
    guard = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        _become(order, guard, status)
    except BaseException as error:
        os.write(2, f"cannot start {order['argv'][0]}: {error}\n".encode())
    os._exit(127)


def _become(order: dict[str, Any], guard: int, status: int) -> NoReturn:
    for procs in order.get("groups", ()):
        with contextlib.suppress(OSError), open(procs, "w") as group:
            group.write(str(os.getpid()))
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for target in (1, 2):
        os.dup2(order["log_fd"], target)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(127)
    box = order.get("sandbox")
    if box is None:  # bwrap does it too; where it has the setuid bit, it still needs that
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    _drop_keys()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a hint, for a payload that listens to it
    argv, env = order["argv"], order["env"]
    keep: list[int] = []
    if box is not None:
        options = os.memfd_create("options", 0)
        write_options(options, box["options"])
        keep = [fcntl.fcntl(one, fcntl.F_DUPFD, ABOVE) for one in (options, status)]
        handles = ["--args", str(keep[0]), "--json-status-fd", str(keep[1])]
        argv, env = boxed(box, handles, argv, env), CLEAN
    out, into = order["fds"]
    _lay_pipe(out, into, keep)
    wall = (WALL_FACTOR * order["memory_mb"] + WALL_EXTRA_MB) * MIB
    cpu = int(order["cpu_s"]) + 1
    for which, most in (
        (resource.RLIMIT_AS, wall),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, order["disk_mb"] * MIB),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_NPROC, threads(os.geteuid()) + THREADS_MORE),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(which)[1]
        top = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (top, hard if which == resource.RLIMIT_CPU else top))
    os.chdir(order["cwd"])
    os.execvpe(argv[0], argv, env)  # noqa: S606 - no shell is wanted


def _drop_keys() -> None:
    """A session keyring of its own, keyctl(2): that of the agent may hold tickets of its user."""
    number = KEY_CALLS.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, 1, None)


def _lay_pipe(out: int, into: int, keep: Sequence[int] = ()) -> None:
    """Put the pipe where every shell can name it, and close all else but 0, 1 and 2.

    Both ends are moved up first: one may lie where the other is to go.
    """
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, ABOVE) for end in (into, out)]
    for end, place in zip(ends, (PIPE_IN, PIPE_OUT)):
        os.dup2(end, place)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > max(PIPE_IN, PIPE_OUT) and int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))


class Guard:
    """The watch over one payload."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.verdict = ""
        self.status: Optional[int] = None
        self.cpu = 0.0
        self.reaped_cpu = 0.0
        self.top_rss = 0
        self.cpu_most = float(order["cpu_s"])
        self._disk_at = 0.0
        self._heard = b""
        self._told, status = os.pipe()
        os.set_blocking(self._told, False)
        self.pid = start(order, status)
        os.close(status)

    def watch(self, wake: int) -> None:
        """Until the payload has ended, gone beyond a limit, or nobody wants it any more."""
        for handle in (*self.order["fds"], self.order["log_fd"]):
            os.close(handle)
        try:
            while self.status is None and not self.verdict:
                ready = select.select([0, wake], [], [], TICK_S)[0]
                if wake in ready:
                    os.read(wake, 4096)
                if 0 in ready and not self._obey():
                    self.verdict = "ended"
                self._measure()
                self._reap(os.WNOHANG)
        finally:
            self._sweep()

    def _obey(self) -> bool:
        got = os.read(0, 4096)
        *lines, self._heard = (self._heard + got).split(b"\n")
        for line in lines:
            word, _, value = line.decode().partition(" ")
            if word == "CPU":
                self._allow(float(value))
            elif word in ("PAUSE", "RESUME"):
                number = signal.SIGSTOP if word == "PAUSE" else signal.SIGCONT
                for pid in family(os.getpid()):
                    _kill(pid, number)
            elif word == "SIGNAL" and int(value) in TOLD:
                for pid in set(family(os.getpid())) - self._boxes():
                    _kill(pid, int(value))
        return bool(got)

    def _boxes(self) -> set[int]:
        """The processes of bwrap, which would end at once with all that is in it."""
        return set(self._leaders()[:2]) if self.order.get("sandbox") else set()

    def _allow(self, seconds: float) -> None:
        self._measure()
        self.cpu_most = self.cpu + seconds
        with contextlib.suppress(OSError, ValueError):
            for pid in self._leaders():
                hard = resource.prlimit(pid, resource.RLIMIT_CPU)[1]
                own = int(usage(pid)[0] + seconds) + 2
                resource.prlimit(pid, resource.RLIMIT_CPU, (own, hard))

    def _leaders(self) -> list[int]:
        """The payload's first process; in a sandbox, bwrap twice and the payload."""
        found = [self.pid]
        while self.order.get("sandbox") and len(found) < 3:
            found += sorted(children(found[-1]))[:1] or [self.pid]
        return found

    def _measure(self) -> None:
        cpu, rss = self.reaped_cpu, 0
        members = family(os.getpid())
        for pid in members:
            one_cpu, one_rss = usage(pid)
            cpu, rss = cpu + one_cpu, rss + one_rss
        self.cpu, self.top_rss = max(self.cpu, cpu), max(self.top_rss, rss)
        if rss > self.order["memory_mb"] * MIB:
            self.verdict = "memory"
        elif self.cpu > self.cpu_most:
            self.verdict = "cpu"
        elif len(members) > PROCESSES_MOST:
            self.verdict = "processes"
        elif time.monotonic() >= self._disk_at:
            begun = time.monotonic()
            most = self.order["disk_mb"] * MIB
            if disk_bytes(self.order["home"], most) > most:
                self.verdict = "disk"
            now = time.monotonic()
            self._disk_at = now + max(0.5, 20 * (now - begun))

    def _reap(self, flags: int) -> bool:
        while True:
            try:
                pid, status, used = os.wait4(-1, flags)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.reaped_cpu += used.ru_utime + used.ru_stime
            self.top_rss = max(self.top_rss, used.ru_maxrss * 1024)
            if pid == self.pid:
                self.status = status

    def _sweep(self) -> None:
        seen: set[int] = set()
        for _ in range(20):  # stop them all first, or a fork in between gets away
            now = set(family(os.getpid()))
            if now <= seen:
                break
            seen |= now
            for pid in now:
                _kill(pid, signal.SIGSTOP)
        while self._reap(os.WNOHANG):
            for pid in family(os.getpid()):
                _kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        for procs in self.order.get("groups", ()) if self.verdict == "ended" else ():
            with contextlib.suppress(OSError):  # nobody else does, if the agent is gone
                os.rmdir(os.path.dirname(procs))

    def result(self) -> dict[str, Any]:
        """How it ended, for the agent."""
        status = self.status or 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if self.order.get("sandbox") and code is not None and not self.verdict:
            if b'"exit-code"' not in self._bwrap_told():
                self.verdict = "sandbox"
            elif code > SIGNALLED:  # bwrap tells of a signal as shells do
                killed, code = code - SIGNALLED, None
        return {
            "exit": code,
            "signal": killed,
            "verdict": self.verdict,
            "cpu_s": round(max(self.cpu, self.reaped_cpu), 3),
            "rss_mb": round(self.top_rss / MIB, 1),
        }

    def _bwrap_told(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._told, 4096)
        return b""


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        one = os.read(0, 1)
        if not one:
            sys.exit(0)
        line += one
    return line


def main() -> None:
    """Read the order, watch, answer."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_DUMPABLE, 0)  # or its payload could write the agent's orders by /proc
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    order = json.loads(_first_line())
    wake, poke = os.pipe()
    os.set_blocking(poke, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    guard = Guard(order)
    guard.watch(wake)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(guard.result()).encode() + b"\n")


if __name__ == "__main__":
    main()
