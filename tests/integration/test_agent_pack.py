"""The packed agent: the same bytes every time, light, at work on the oldest Python it serves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tools import pack_agent

WHEELS = Path.home() / ".cache" / "windfall" / "wheels"


def oldest_python() -> str | None:
    """A Python 3.9 that starts, if this machine has one."""
    versions = (Path.home() / ".pyenv" / "versions").glob("3.9.*/bin/python3")
    for python in (*map(str, versions), shutil.which("python3.9")):
        if (
            python
            and not subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode
        ):
            return python
    return None


def test_two_packs_of_the_same_sources_are_the_same_bytes(tmp_path: Path) -> None:
    first = pack_agent.pack(tmp_path / "a.pyz", None, [])
    time.sleep(0.01)
    (tmp_path / "other").mkdir()
    second = pack_agent.pack(tmp_path / "other" / "b.pyz", None, [])
    assert first == second
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "other" / "b.pyz").read_bytes()
    assert os.stat(tmp_path / "a.pyz").st_mode & 0o777 == 0o755


def test_a_pack_without_wheels_uses_the_machines_library(tmp_path: Path) -> None:
    pack_agent.pack(tmp_path / "agent.pyz", None, [])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "agent.pyz"), "version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == __import__("vmagent").__version__


def test_a_pack_that_does_not_fit_says_what_to_install(tmp_path: Path) -> None:
    python = oldest_python()
    if python is None:
        pytest.skip("there is no Python 3.9 here")
    pack_agent.pack(tmp_path / "agent.pyz", None, [])
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [python, "-I", str(tmp_path / "agent.pyz"), "version"],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 13
    assert "install cryptography" in done.stderr


def test_the_oldest_python_works_from_the_packed_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = oldest_python()
    if python is None:
        pytest.skip("there is no Python 3.9 here")
    try:
        pack_agent.pack(tmp_path / "agent.pyz", WHEELS, ["x86_64"])
    except subprocess.CalledProcessError:
        pytest.skip("the wheels are not here and cannot be fetched")
    monkeypatch.chdir(tmp_path)
    server = FakeServer(scripts.SLOW, events=120, unit=60).start()
    agent = AgentProcess(tmp_path / "state", [python, "-I", str(tmp_path / "agent.pyz")])
    monkeypatch.setenv("WINDFALL_CACHE", str(tmp_path / "cache"))
    joined = agent.call("join", "--server", server.url, "--token-file", "-", stdin=server.token)
    assert joined.returncode == 0, joined.stderr
    process = agent.start("--flush-s", "0.1", "--exit-when-idle", "0.5")
    server.wait_for(lambda: len(server.records) >= 20)
    status = Path(f"/proc/{process.pid}/status").read_text()
    most_kb = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM"))
    assert process.wait(60) == 0
    assert server.complete()
    assert most_kb < 60 * 1024
    unpacked = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    assert unpacked
    assert agent.call("version").returncode == 0
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    assert again == unpacked  # once is enough
    print(f"resident at most {most_kb // 1024} MB")  # noqa: T201 - a measurement, with -s
    server.close()
