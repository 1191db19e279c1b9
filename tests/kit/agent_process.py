"""The agent as a real process in tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit.fake_server import FakeServer
from tests.kit.terminal_driver import Person

ROOT = Path(__file__).resolve().parents[2]


class AgentProcess:
    """One state folder, and the agents run in it one after the other."""

    def __init__(self, state: Path, program: Sequence[str] = ()) -> None:
        self.state = state
        self.program = list(program) or [sys.executable, "-m", "vmagent"]
        self.running: list[subprocess.Popen[bytes]] = []
        self.log = state.parent / f"{state.name}.log"

    def call(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [*self.program, "--state", str(self.state), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env(),
            timeout=60,
            check=False,
        )

    def join(self, server: FakeServer) -> None:
        """Join this server."""
        done = self.call(
            "join", "--server", server.url, "--token-file", "-", "--name", "vm", stdin=server.token
        )
        assert done.returncode == 0, done.stderr

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Start working."""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [*self.program, "--state", str(self.state), "run", "--slots", "1", *options],
                stderr=log,
                env=self.env(),
            )
        self.running.append(process)
        return process

    def at_terminal(self, *arguments: str, more: Mapping[str, str] | None = None) -> Person:
        """A person at a terminal who gives a command; more variables of the environment."""
        command = [*self.program, "--state", str(self.state), *arguments]
        env = {**self.env(), "TERM": "linux", "LANG": "C.UTF-8", **(more or {})}
        return Person(command, env)

    def status(self) -> dict[str, Any]:
        """What the agent shows of itself."""
        found: dict[str, Any] = json.loads(self.call("status", "--json").stdout)
        return found

    def kill_all(self) -> None:
        """End every agent started here, at once."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait(60)

    def env(self) -> dict[str, str]:
        """What its programs are told of the machine."""
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.state.parent)}
        # What a context does as root it never does to the machine that the tests run on.
        kept["WINDFALL_ROOT"] = str(self.state.parent / "root")
        if "WINDFALL_CACHE" in os.environ:
            kept["WINDFALL_CACHE"] = os.environ["WINDFALL_CACHE"]
        return {**kept, "PYTHONPATH": str(ROOT), "WINDFALL_RESERVE_MB": "16"}
