"""The agent as a real process in tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kit import payload_scripts as scripts
from tests.kit.fake_server import FakeServer
from tests.kit.terminal_driver import Person
from vmagent import joining
from vmagent.home import Home
from vmagent.settings import Settings

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
        """Join this server, as the command does, but in this process."""
        home = Home(self.state)
        home.prepare()
        joining.join(home, server.url, server.token, "vm", Settings(reserve_mb=16))

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
        return Home(self.state).status()

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


Start = Callable[..., tuple[FakeServer, AgentProcess]]


@contextlib.contextmanager
def joined(folder: Path) -> Iterator[Start]:
    """Starts servers, each with an agent that has joined it; all of them end with the block."""
    made: list[tuple[FakeServer, AgentProcess]] = []

    def start(script: str = scripts.GOOD, **options: Any) -> tuple[FakeServer, AgentProcess]:
        server = FakeServer(script, **options).start()
        agent = AgentProcess(folder / "state")
        made.append((server, agent))
        agent.join(server)
        return server, agent

    try:
        yield start
    finally:
        for server, agent in made:
            agent.kill_all()
            server.close()
