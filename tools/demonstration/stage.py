"""The stage: a server and agents as processes of their own, spoken to as a user would."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import urllib3

from tools import pack_agent

ROOT = Path(__file__).resolve().parents[2]
MARK = ".windfall-demonstration"  # so that nothing but our own leftovers is ever removed
RUN = ["--slots", "1", "--grace", "5", "--flush-s", "0.5"]


class StageFailed(RuntimeError):
    """Something that the demonstration needs did not happen; its log says why."""


def windfall(*words: str | Path, data: Path | None = None) -> Any:
    """Run the command line, and read its JSON."""
    command = [sys.executable, "-m", "server", *map(str, words), "--json"]
    if data is not None:
        command += ["--data", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageFailed(f"windfall {' '.join(map(str, words))}: {done.stderr or done.stdout}")
    return json.loads(done.stdout) if done.stdout.strip() else None


@dataclass(eq=False)
class Machine:
    """One agent on a machine of its own: a state folder, and a process that comes and goes."""

    name: str
    part: str
    folder: Path
    agent: list[str]
    process: subprocess.Popen[bytes] | None = None
    log: IO[bytes] | None = None
    fate: str = ""

    def start(self) -> None:
        """Switch the machine on."""
        self.log = (self.folder / "agent.log").open("ab")
        self.process = subprocess.Popen(
            [*self.agent, "--state", str(self.folder / "state"), "run", *RUN],
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def status(self) -> dict[str, Any]:
        """What the agent says of itself on its own disk; empty before it has said anything."""
        try:
            found = json.loads((self.folder / "state" / "status.json").read_text())
        except (OSError, ValueError):
            return {}
        return dict(found)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Pull the plug: the agent and everything it started, at once."""
        assert self.process is not None  # noqa: S101  it was started
        end(self.process)

    def evict(self) -> None:
        """Tell the agent that the machine is needed for something else (SIGTERM)."""
        assert self.process is not None  # noqa: S101  it was started
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the agent, kindly at first."""
        if self.alive:
            self.evict()
            assert self.process is not None  # noqa: S101  it is alive
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.log is not None:
            self.log.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and everything below it."""
    for pid in [process.pid, *descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def descendants(pid: int) -> list[int]:
    """Every process under this one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


@dataclass(eq=False)
class Stage:
    """The folder of a demonstration and everything that runs for it; ``options`` of its server."""

    folder: Path
    options: Mapping[str, str] = field(default_factory=dict)
    server: subprocess.Popen[str] | None = None
    url: str = ""
    machines: list[Machine] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.folder / "server"

    @property
    def release_key(self) -> Path:
        """The release key that the demonstration makes for itself."""
        return self.folder / "keys" / "release.key"

    def prepare(self) -> None:
        """An empty folder, keys, and the data folder of a server.

        Only what an earlier demonstration left is removed.
        """
        try:
            if not self._is_ours():
                raise StageFailed(
                    f"{self.folder} is not empty, and no demonstration made it; name another"
                    " folder with --output"
                )
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.folder / "keys").mkdir(parents=True, mode=0o700)
            (self.folder / MARK).touch()
        except OSError as error:
            raise StageFailed(
                f"{self.folder} cannot be used: {error.strerror}; name another with --output"
            ) from error
        windfall("init", "--release-key", self.release_key, data=self.data)

    def _is_ours(self) -> bool:
        """Whether there is nothing at this place but what a demonstration left."""
        if (self.folder / MARK).exists() or not self.folder.exists():
            return True
        return self.folder.is_dir() and not any(self.folder.iterdir())

    def start_server(self) -> None:
        """Start the server on a free port of loopback."""
        settings = {"server.data": str(self.data), "leases.retry_s": "0.5", **self.options}
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        with (self.folder / "server.log").open("w") as log:
            self.server = subprocess.Popen(
                [sys.executable, "-m", "server", "serve", "--port", "0", *sets],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        assert self.server.stdout is not None  # noqa: S101  it is a pipe
        line = self.server.stdout.readline()
        found = re.search(r"https?://\S+", line)
        if found is None:
            raise StageFailed(f"the server did not start; see {self.folder / 'server.log'}")
        self.url = found[0]

    def ask(self, *words: str | Path) -> Any:
        """A command of the administrator to this server."""
        return windfall(*words, "--server", self.url, "--token-file", self.data / "admin.token")

    def fetch_agent(self) -> Path:
        """Pack and sign the agent, have the server publish it, and fetch it as a machine would."""
        packed, fetched = self.folder / "agent" / "packed.pyz", self.folder / "windfall-agent.pyz"
        # Without wheels: the demonstration's own environment has what the agent needs.
        pack_agent.pack(packed, None, [])
        windfall("agent", "sign", packed, "--key", self.release_key)
        published = windfall("agent", "publish", packed, data=self.data)
        reply = urllib3.request("GET", f"{self.url}/agent/windfall-agent.pyz", timeout=30.0)
        if hashlib.sha256(reply.data).hexdigest() != published["digest"]:
            raise StageFailed("the agent that the server hands out is not the one published")
        fetched.write_bytes(reply.data)
        return fetched

    def enlist(self, name: str, part: str, agent: list[str]) -> Machine:
        """A machine with an account of its own, paired by an enrolment token."""
        folder = self.folder / "machines" / name
        folder.mkdir(parents=True)
        self.ask("account", "create", name)
        token = folder / "enrolment.token"
        self.ask("account", "token", name, "--kind", "enrol", "--output", token)
        done = subprocess.run(
            [*agent, "--state", str(folder / "state"), "join", "--server", self.url,
             "--token-file", str(token), "--name", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StageFailed(f"{name} could not join: {done.stderr.strip()}")
        token.unlink()
        machine = Machine(name, part, folder, agent)
        self.machines.append(machine)
        return machine

    def close(self) -> None:
        """End every process."""
        for machine in self.machines:
            machine.stop()
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(15)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if self.server is not None and self.server.stdout is not None:
            self.server.stdout.close()


def patiently(seconds: float, step: float = 0.05) -> Any:
    """Look again and again, for this long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(step)
