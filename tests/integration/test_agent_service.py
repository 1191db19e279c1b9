"""The agent as process 1, under a service manager, and as the unit file says it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import ROOT, AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.waiting import until
from vmagent.__main__ import _parser
from vmagent.errors import EXIT_CODES
from vmagent.guard import children
from vmagent.plan import CLOSING_S, TERM_S
from vmagent.settings import Settings

PROGRAM = [sys.executable, "-m", "vmagent"]
# A process of its own namespace, mounted over /proc or the agent would see the wrong processes.
ALONE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer(scripts.SLOW, events=100_000, unit=100_000).start()
    yield made
    made.close()


def can_be_first() -> bool:
    """Whether this machine lets us make a namespace of processes."""
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0
    )


def first_of(unshare: subprocess.Popen[bytes]) -> int:
    """The process that is number 1 inside."""
    until(lambda: children(unshare.pid))
    return children(unshare.pid)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_as_process_1_it_reaps_and_hears_signals(
    tmp_path: Path, server: FakeServer, number: signal.Signals
) -> None:
    if not can_be_first():
        pytest.skip("no namespaces of processes here: run as root, with unshare of util-linux")
    agent = AgentProcess(tmp_path / "state", [*ALONE, *PROGRAM])
    try:
        AgentProcess(tmp_path / "state").join(server)
        process = agent.start("--flush-s", "0.1", "--grace", "2", "--sandbox", "off")
        server.wait_for(lambda: len(server.records) >= 3)
        init = first_of(process)
        (worker,) = children(init)
        # An orphan of the container, which is dead as soon as it has come to process 1.
        code = "import os; os._exit(0) if os.fork() else os._exit(7)"
        inside = ["nsenter", "-t", str(init), "-p", "-m", sys.executable, "-c", code]
        subprocess.run(inside, check=True, timeout=90)
        until(lambda: children(init) == [worker])
        os.kill(init, number)
        assert process.wait(60) == 0
        assert server.reports[1].outcome == "returned"
        assert sorted(server.records) == list(range(len(server.records)))
    finally:
        agent.kill_all()


def test_process_1_ends_with_the_code_of_the_agent(tmp_path: Path) -> None:
    if not can_be_first():
        pytest.skip("no namespaces of processes here: run as root, with unshare of util-linux")
    stranger = AgentProcess(tmp_path / "state", [*ALONE, *PROGRAM])
    done = stranger.call("run")
    assert done.returncode == 3, done.stderr


class Manager:
    """What systemd would be: a socket that hears how the service does."""

    def __init__(self, address: str) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(address)
        self.line.settimeout(90)

    def hears(self, wanted: str) -> str:
        """The next message with this word."""
        while True:
            said = self.line.recv(4096).decode()
            if wanted in said:
                return said


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_hears_ready_alive_and_stopping(
    tmp_path: Path, server: FakeServer, abstract: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"windfall-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    manager = Manager("\0" + place if abstract else place)
    agent = AgentProcess(tmp_path / "state")
    agent.join(server)
    kept = agent.env()
    told = {"NOTIFY_SOCKET": "@" + place if abstract else place, "WATCHDOG_USEC": "600000"}
    monkeypatch.setattr(agent, "env", lambda: {**kept, **told})
    try:
        process = agent.start("--grace", "1")
        assert manager.hears("READY=1") == "READY=1"
        assert "STATUS=" in manager.hears("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        assert manager.hears("STOPPING=1") == "STOPPING=1\nSTATUS=sigterm"
        assert process.wait(60) == 0
    finally:
        agent.kill_all()
        manager.line.close()


def unit(*options: str) -> str:
    """The unit as the agent prints it."""
    done = subprocess.run(
        [*PROGRAM, "unit", *options], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    agent, console = "windfall-agent.service", "windfall-pair@.service"
    for name, file, text in (
        ("printed", agent, unit("--user", "root")),
        ("kept", agent, (ROOT / "vmagent" / agent).read_text(encoding="utf-8")),
        ("console", console, unit("--user", "root", "--console")),
        ("console-kept", console, (ROOT / "vmagent" / console).read_text(encoding="utf-8")),
    ):
        place = tmp_path / name / file
        place.parent.mkdir()
        # The file of the repository names a program that is not on this machine.
        place.write_text(text.replace("/opt/windfall/windfall-agent.pyz", "/bin/true"))
        done = subprocess.run(
            [program, "verify", "--man=no", str(place)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_gives_the_time_that_a_farewell_takes_and_names_real_codes() -> None:
    facts = dict(line.split("=", 1) for line in unit().splitlines() if "=" in line[:40])
    grace = Settings().grace
    assert float(facts["TimeoutStopSec"]) >= grace + min(TERM_S, grace) + CLOSING_S
    assert set(map(int, facts["RestartPreventExitStatus"].split())) <= set(EXIT_CODES)
    assert facts["KillMode"] == "mixed"
    assert _parser().parse_args(facts["ExecStart"].split()[3:]).verb == "run"


def test_the_unit_of_a_console_pairs_there_and_comes_back() -> None:
    facts = dict(line.split("=", 1) for line in unit("--console").splitlines() if "=" in line[:40])
    found = _parser().parse_args(facts["ExecStart"].split()[3:])
    assert (found.verb, found.service) == ("pair", True)
    assert _parser().parse_args(facts["ExecStartPre"].split()[3:]).verb == "banner"
    assert facts["Restart"] == "always"
    assert facts["StandardInput"] == facts["StandardOutput"] == "tty"


def test_a_user_who_would_change_the_unit_is_refused() -> None:
    done = subprocess.run(
        [*PROGRAM, "unit", "--user", "root\nExecStartPre=/bin/evil"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert "ExecStartPre" not in done.stdout
