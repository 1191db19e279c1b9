"""A payload process: its folder, its clean environment, its pipes, and the guard over it."""

from __future__ import annotations

import contextlib
import json
import os
import pkgutil
import platform
import select
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from vmagent import files, kin, sandbox
from vmagent.cgroups import Group, Groups
from vmagent.errors import StateUnusable
from vmagent.guard import CLEAN, PIPE_IN, PIPE_OUT, family, usage
from vmagent.output import Folder
from vmagent.pipe import Parser
from vmagent.ring import Ring
from vmagent.sandbox import Sandbox
from vmagent.wire import statements

MIB = 1 << 20
END_S = 10.0
LOOK_S = 1.0
LOG_LEAST = 1024  # bytes of a payload's log that are always kept
LOG_KEPT = 1 << 20  # bytes of a payload's log held in memory, whatever its manifest allows
_PIPE_MOST = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux; fcntl names it from Python 3.10 on


@dataclass(frozen=True)
class Most:
    """What this machine grants a payload, whatever its manifest asks for.

    ``reserve_mb`` of the disk are left alone. ``sandbox`` is what it runs in,
    ``groups`` where limits of the kernel hold for it; None for nothing.
    """

    memory_mb: int = 2**30
    reserve_mb: int = 0
    sandbox: Optional[Sandbox] = None
    groups: Optional[Groups] = None


@dataclass(frozen=True)
class Exit:
    """How a payload process ended; ``verdict`` is the guard's word if it had to end it."""

    code: Optional[int] = None
    signal: Optional[int] = None
    verdict: str = ""
    cpu_s: float = 0.0
    rss_mb: float = 0.0


def lay_out_helpers(home: Path) -> Path:
    """Write the files that payloads and guards need as plain files; their folder.

    The agent may be one packed file, which no other program can read.
    """
    folder = home / "helper"
    for name, place in (("evp.py", folder / "python"), ("guard.py", folder)):
        raw = pkgutil.get_data("vmagent", name)
        if raw is None:
            raise StateUnusable(f"the agent lacks its part {name}")
        place.mkdir(parents=True, exist_ok=True)
        # A payload that is another user must be able to read it; the state folder is closed.
        place.chmod(0o755)
        if not (place / name).is_file() or (place / name).read_bytes() != raw:
            files.write(place / name, raw)
        (place / name).chmod(0o644)
    return folder


def environment(manifest: statements.Manifest, home: Path, helper: Path) -> dict[str, str]:
    """All a payload sees of the world: nothing of the agent's, one numerical class if possible."""
    found = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if platform.machine() == "x86_64":
        # Chosen so that every x86-64 machine of the last fifteen years takes the same paths.
        found["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA"
        found["OPENBLAS_CORETYPE"] = "Nehalem"
    found.update(manifest.environment)
    found.update(
        PYTHONPATH=str(helper / "python"),
        EVP_SEED=str(manifest.seed),
        EVP_OUTDIR=str(home / "out"),
        EVP_CORES=str(manifest.cores),
        EVP_GRANULE=str(manifest.granule),
        EVP_BLOCK=str(manifest.block),
    )
    for name in manifest.inputs:
        found[f"EVP_INPUT_{name.upper()}"] = str(home / "inputs" / name)
    return found


class Process:
    """One running payload; everything here is non-blocking but `start` and `end`."""

    def __init__(
        self,
        manifest: statements.Manifest,
        bundle: Path,
        home: Path,
        helper: Path,
        most: Most = Most(),
    ) -> None:
        self.manifest, self.home, self._most = manifest, home, most
        self._bundle, self._helper = bundle, helper
        self.log = Ring(min(LOG_KEPT, max(LOG_LEAST, manifest.limits.log_bytes)))
        self._looked_at = 0.0
        self.exit: Optional[Exit] = None
        self._answer = b""
        self._memory_mb = min(manifest.limits.memory_mb, most.memory_mb)
        self._group: Optional[Group] = None
        self.parser = Parser(manifest.granule, manifest.limits.event_bytes)
        self.greeted = self.waiting = self.trimmed = self.paused = False

    def start(self, cpu_s: float, extra: Optional[dict[str, str]] = None) -> None:
        """Lay out the folder and start the payload under its guard."""
        self._lay_out()
        seen = (self.home, self._helper)
        if self._most.sandbox is not None:
            seen = (sandbox.HOME, sandbox.INSIDE)
        env = {**environment(self.manifest, *seen), **(extra or {})}
        from_payload, payload_out = os.pipe()
        payload_in, to_payload = os.pipe()
        from_log, payload_log = os.pipe()
        with contextlib.suppress(OSError):
            import fcntl

            fcntl.fcntl(from_payload, _F_SETPIPE_SZ, _PIPE_MOST)
        env.update(EVP_FD_IN=str(PIPE_IN), EVP_FD_OUT=str(PIPE_OUT))
        mine = (payload_out, payload_in, payload_log)
        if self._most.groups is not None:
            self._group = self._most.groups.make(self._memory_mb, self.manifest.cores)
        try:
            self._guard = kin.start(
                [sys.executable, "-I", "-S", "-B", str(self._helper / "guard.py")],
                mine,
                CLEAN,
                str(self.home),
            )
        except OSError:
            for handle in (from_payload, to_payload, from_log):
                os.close(handle)
            self.folder.close()
            self._leave_group()
            raise
        finally:
            for handle in mine:
                os.close(handle)
        self.pipe, self._to_payload, self.logs = from_payload, to_payload, from_log
        # Nor may a payload that reads nothing hold up who writes to it.
        for handle in (self.pipe, self.logs, self.answer, to_payload):
            os.set_blocking(handle, False)
        self._control(json.dumps(self._order(env, mine, cpu_s)))

    def _order(self, env: dict[str, str], fds: tuple[int, ...], cpu_s: float) -> dict[str, object]:
        limits = self.manifest.limits
        room_mb = files.free_bytes(self.home) // MIB - self._most.reserve_mb
        box = self._most.sandbox
        argv = [sys.executable if w == "{python}" else w for w in self.manifest.command]
        return {
            "argv": argv,
            "env": env,
            "fds": fds[:2],
            "log_fd": fds[2],
            "cwd": str(self.home / "work"),
            "home": str(self.home),
            "sandbox": box and box.order(self.home, self._helper, self.manifest.network),
            "groups": self._group.procs if self._group else [],
            "memory_mb": self._memory_mb,
            "disk_mb": max(1, min(limits.disk_mb, room_mb)),
            "cpu_s": min(cpu_s, 1e9),
        }

    def _lay_out(self) -> None:
        files.remove(self.home)
        self.home.mkdir(mode=0o700, parents=True)
        for name in ("out", "tmp", "shm", "inputs"):
            (self.home / name).mkdir(mode=0o700)
        shutil.copytree(self._bundle, self.home / "work")
        for name, text in self.manifest.inputs.items():
            (self.home / "inputs" / name).write_text(text, "utf-8")
        if self._most.sandbox is not None:
            self._most.sandbox.hand_over(self.home)
        self.folder = Folder(self.home / "out", sandbox.HOME / "out")

    @property
    def answer(self) -> int:
        """The descriptor on which the guard answers at the end."""
        assert self._guard.stdout is not None  # noqa: S101 - opened above
        return self._guard.stdout.fileno()

    def say(self, line: str) -> None:
        """A line to the payload; one that has gone already hears nothing."""
        with contextlib.suppress(BrokenPipeError, OSError):
            os.write(self._to_payload, line.encode() + b"\n")

    def may_use_cpu(self, seconds: float) -> None:
        """From now on it may use this many seconds of CPU before it is ended."""
        self._control(f"CPU {min(seconds, 1e9):.1f}")

    def pause(self) -> None:
        """Stop it where it stands."""
        self._control("PAUSE")
        if self._group is not None:
            self._group.freeze(True)

    def resume(self) -> None:
        """Let it go on."""
        if self._group is not None:
            self._group.freeze(False)
        self._control("RESUME")

    def signal(self, number: int) -> None:
        """Tell it, and all that it started, SIGUSR1 or SIGTERM."""
        self._control(f"SIGNAL {number}")

    def _control(self, line: str) -> None:
        assert self._guard.stdin is not None  # noqa: S101 - opened above
        with contextlib.suppress(BrokenPipeError, OSError, ValueError):
            raw = memoryview(line.encode() + b"\n")
            while raw:
                raw = raw[self._guard.stdin.write(raw) or 0 :]

    def read_log(self) -> int:
        """Take in what it has written to stdout and stderr; how many bytes."""
        got = 0
        while got < _PIPE_MOST:
            raw = read(self.logs)
            if not raw:
                break
            self.log.add(raw)
            got += len(raw)
        return got

    def used(self) -> tuple[float, float]:
        """CPU seconds so far, and resident MB: now, or at the most if it is over."""
        if self.exit is not None:
            return self.exit.cpu_s, self.exit.rss_mb
        found = [usage(pid) for pid in family(self._guard.pid)]
        return sum(cpu for cpu, _ in found), sum(rss for _, rss in found) / (1 << 20)

    def over(self) -> bool:
        """Whether it has ended, with everything it started; then `exit` says how."""
        if self.exit is not None:
            return True
        raw = read(self.answer)
        if raw is None:
            self._look_at_guard()
            return False
        self._answer += raw
        if raw and not self._answer.endswith(b"\n"):
            return False
        self._guard.wait()
        kin.forget(self._guard.pid)
        try:
            told = json.loads(self._answer)
            self.exit = Exit(
                told["exit"], told["signal"], told["verdict"], told["cpu_s"], told["rss_mb"]
            )
        except (ValueError, KeyError, TypeError):
            self.exit = Exit(signal=9, verdict="crashed")
            kin.sweep()
        failed = self.exit.code != 0 and self.exit.verdict in ("", "crashed")
        if failed and self._group is not None and self._group.out_of_memory():
            self.exit = replace(self.exit, verdict="memory")  # the kernel was quicker
        return True

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.close()

    def _look_at_guard(self) -> None:
        """A guard that somebody has stopped guards nothing: end it, and all that it guarded."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            if kin.is_stopped(self._guard.pid):
                for pid in family(self._guard.pid):
                    kin.kill(pid)
                self._guard.kill()

    def end(self) -> Exit:
        """End it now, if it has not ended: afterwards nothing of it runs."""
        assert self._guard.stdin is not None  # noqa: S101 - opened above
        with contextlib.suppress(OSError):
            self._guard.stdin.close()
        until = time.monotonic() + END_S
        while not self.over():
            if time.monotonic() > until:
                self._guard.kill()
            poller = select.poll()
            poller.register(self.answer, select.POLLIN)
            poller.poll(100)
        return self.exit or Exit()

    def close(self) -> None:
        """End it and let go of its pipes and its folder."""
        self.end()
        self.read_log()
        for handle in (self.pipe, self._to_payload, self.logs):
            os.close(handle)
        assert self._guard.stdout is not None  # noqa: S101 - opened above
        self._guard.stdout.close()
        self._leave_group()
        self.folder.close()
        files.remove(self.home)


def read(handle: int) -> Optional[bytes]:
    """What is there to be read: None if nothing yet, b"" at the end."""
    try:
        return os.read(handle, 1 << 18)
    except BlockingIOError:
        return None
