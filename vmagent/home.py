"""The agent's state folder: locked by one agent, private, every file whole or absent."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Optional

from vmagent import errors, files, trust

# What is true of one host alone, and what of one owner: numbers of another server mean nothing.
MOMENT_S = 2.0  # for which a program that only looks may have the folder
OF_A_HOST = (
    "identity.json",
    "seq.json",
    "seen.json",
    "ask.json",
    "join.json",
    "owed.json",
    "agreed.json",
    "tasks",
)
OF_AN_OWNER = ("limits.json", "wanted.json", "context", "keys.json", "pairing.json")


@dataclass(frozen=True)
class Identity:
    """Who this machine is to its server."""

    server: str
    host: int
    token: str
    account: str
    name: str


class Home:
    """The state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: Optional[int] = None

    def prepare(self) -> None:
        """Make the folder (0700) if it is missing; `StateUnusable` if others may enter it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise errors.StateUnusable(f"{self.path}: {error}") from error
        self.vet()
        os.chmod(self.path, 0o700)

    def vet(self) -> None:
        """`StateUnusable` if the folder cannot be seen, is another's or open to others."""
        try:
            facts = self.path.stat()
        except OSError as error:
            raise errors.StateUnusable(f"{self.path}: {error}") from error
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            raise errors.StateUnusable(
                f"{self.path}: must be this user's and writable by nobody else; chmod 700 it"
            )

    def lock(self) -> None:
        """Take the folder for this process until it ends; `Locked` if another has it."""
        if self._lock is not None:
            return
        self._lock = _hold(self.path / "lock", self.path)

    def lock_soon(self) -> None:
        """The same, but who has the folder for a moment only is waited for."""
        until = time.monotonic() + MOMENT_S
        while True:
            try:
                return self.lock()
            except errors.Locked:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def await_owner(self) -> int:
        """Say, until the handle is closed, that an agent waits here for an owner; `Locked`."""
        return _hold(self.path / "waiting", self.path)

    def is_awaited(self) -> bool:
        """Whether an agent waits here, and will begin as soon as the machine has an owner."""
        return self._holder("waiting") is not None

    def unlock(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def status(self) -> dict[str, Any]:
        """What the agent shows of itself, and whether it runs at all."""
        pid, shown = self.running(), self.note("status")
        found: dict[str, Any] = shown if isinstance(shown, dict) else {}
        if pid is None:
            return {**found, "running": False, "pid": None, "state": "stopped", "tasks": []}
        if found.get("pid") != pid:
            found = {"state": "starting"}  # what is there was left by another
        return {**found, "running": True, "pid": pid}

    def running(self) -> Optional[int]:
        """The process id of the agent that has the folder, or waits in it for an owner."""
        return self.worker() or self._holder("waiting")

    def worker(self) -> Optional[int]:
        """The process id of who has the folder to itself: an agent at work, or one that pairs."""
        return self._holder("lock")

    def _holder(self, name: str) -> Optional[int]:
        try:
            handle = os.open(self.path / name, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            with contextlib.suppress(ValueError):
                return int(os.read(handle, 32))
        finally:
            os.close(handle)
        return None

    def identity(self) -> Identity:
        """Who this machine is; `NotJoined` if it is nobody yet."""
        try:
            found = json.loads((self.path / "identity.json").read_bytes())
            return Identity(
                str(found["server"]),
                int(found["host"]),
                str(found["token"]),
                str(found["account"]),
                str(found["name"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise errors.NotJoined(f"nothing is in {self.path}") from error

    def join(self, identity: Identity, pins: trust.Pins) -> None:
        """Keep who this machine is; the pins first, an identity without them is no use."""
        self.keep_pins(pins)
        files.write(self.path / "identity.json", json.dumps(asdict(identity)).encode())

    def renew(self, token: str) -> None:
        """Keep another token for who this machine is."""
        identity = replace(self.identity(), token=token)
        files.write(self.path / "identity.json", json.dumps(asdict(identity)).encode())

    def is_joined(self) -> bool:
        """Whether this machine is somebody's."""
        return (self.path / "identity.json").exists()

    def start_anew(self) -> None:
        """Forget what belonged to the host that this machine was: it will be another one."""
        for name in OF_A_HOST:
            files.remove(self.path / name)

    def leave(self) -> None:
        """The owner has taken this machine away: its secret goes first, then all that was his."""
        for name in (*OF_A_HOST, *OF_AN_OWNER):
            files.remove(self.path / name)

    def pins(self) -> trust.Pins:
        """The pinned keys; `NotJoined` without, `Untrusted` if they do not hold together."""
        try:
            return trust.load((self.path / "keys.json").read_bytes())
        except OSError as error:
            raise errors.NotJoined(str(self.path)) from error

    def keep_pins(self, pins: trust.Pins) -> None:
        """Keep the pinned keys."""
        files.write(self.path / "keys.json", trust.save(pins))

    def note(self, name: str) -> Any:
        """A small value kept earlier; None without."""
        try:
            return json.loads((self.path / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None

    def keep_note(self, name: str, value: Any) -> None:
        """Keep a small value."""
        files.write(self.path / f"{name}.json", json.dumps(value).encode())

    def drop_note(self, name: str) -> None:
        """Let a small value go."""
        files.remove(self.path / f"{name}.json")


def _hold(path: Path, folder: Path) -> int:
    """Lock a file for as long as its handle is open; `Locked` if somebody else has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise errors.Locked(str(folder)) from error
    os.ftruncate(handle, 0)
    os.write(handle, b"%d\n" % os.getpid())
    return handle
