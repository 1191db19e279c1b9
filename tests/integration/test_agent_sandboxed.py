"""The agent at work with a sandbox, without one, and with one that it may not do without."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import tarfile
from pathlib import Path
from typing import Any

import pytest

from server.domain import definition
from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import Start
from vmagent import trial
from vmagent.guard import children, family
from vmagent.kin import is_stopped

ROOT = Path(__file__).resolve().parents[2]
NEEDS = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


@pytest.fixture
def without_bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with no bubblewrap on it."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def stands_still(agent: int) -> bool:
    """Whether all below the guards of an agent is stopped, or frozen with its group."""
    below = [pid for guard in children(agent) for pid in family(guard)]
    return all(is_stopped(pid) or is_frozen(pid) for pid in below)


def is_frozen(pid: int) -> bool:
    """Whether a process is in a group of version 2 that is frozen."""
    for mount in Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            events = mount / line.rpartition("::/")[2] / "cgroup.events"
            if line.startswith("0::") and events.is_file() and "frozen 1" in events.read_text():
                return True
    return False


@NEEDS
@pytest.mark.parametrize(
    ("script", "manifest"),
    [
        (scripts.GOOD, {}),
        (scripts.FILES, {}),
        (scripts.FOLDER, {"mode": "directory"}),
        (scripts.COMMAND, {"mode": "command", "split": "lines"}),
    ],
)
def test_payloads_of_every_mode_work_in_a_sandbox(
    start: Start, script: str, manifest: dict[str, Any]
) -> None:
    server, agent = start(script, events=30, unit=15, inputs={"CARD": "x"}, **manifest)
    process = agent.start("--sandbox", "require", "--flush-s", "0.1", "--exit-when-idle", "0.5")
    assert process.wait(60) == 0
    assert server.complete()
    assert {report.outcome for report in server.reports.values()} == {"delivered"}
    assert {question.sandbox for question in server.questions} == {"bubblewrap"}
    assert server.enrolled[0].facts.sandbox == "bubblewrap"


@NEEDS
def test_a_payload_in_a_sandbox_stands_still_and_goes_on(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=100_000, unit=100_000)
    process = agent.start("--sandbox", "require", "--flush-s", "0.1")
    server.wait_for(lambda: bool(server.records))
    server.command("suspend")
    while not stands_still(process.pid):
        assert process.poll() is None
    server.command("resume")
    before = len(server.records)
    server.wait_for(lambda: len(server.records) > before + 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert server.reports[1].reason == "stopped"


@NEEDS
def test_a_payload_in_a_sandbox_hears_that_it_is_to_finish(start: Start) -> None:
    server, agent = start(scripts.TOLD_TO_FINISH, events=10_000, unit=10_000, mode="directory")
    process = agent.start("--sandbox", "require", "--flush-s", "0.1", "--grace", "600")
    server.wait_for(lambda: bool(server.records))
    process.send_signal(signal.SIGUSR1)
    assert process.wait(60) == 0, "it would go on for half an hour"
    assert server.reports[1].outcome == "returned"


@NEEDS
def test_a_sandbox_does_not_outlive_its_guard_and_the_agent_goes_on(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=60, unit=60)
    process = agent.start("--sandbox", "require", "--flush-s", "0.1")
    server.wait_for(lambda: bool(server.records))
    (guard,) = children(process.pid)
    inside = family(guard)
    assert len(inside) == 3
    os.kill(guard, signal.SIGKILL)
    server.wait_for(lambda: 1 in server.reports)
    assert [pid for pid in inside if Path(f"/proc/{pid}").exists()] == []
    server.wait_for(server.complete)  # what was left is made in another sandbox
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_an_agent_without_bubblewrap_says_so_once_and_works(
    start: Start, without_bwrap: None
) -> None:
    server, agent = start(scripts.GOOD, events=20, unit=20)
    (agent.state / ".trial-left").mkdir()
    assert agent.start("--exit-when-idle", "0.5").wait(90) == 0
    assert not (agent.state / ".trial-left").exists(), "of one that was killed while it tried"
    assert server.complete()
    assert {question.sandbox for question in server.questions} == {"none"}
    assert server.enrolled[0].facts.sandbox == "none"
    said = [line for line in agent.log.read_text().splitlines() if "no sandbox" in line]
    assert len(said) == 1
    assert "apt-get install bubblewrap" in said[0]
    rows = {c["name"]: c for c in json.loads(agent.call("check", "--json").stdout)["checks"]}
    assert rows["sandbox"]["verdict"] == "warn"
    assert "apt-get install bubblewrap" in rows["sandbox"]["found"]


def test_an_agent_that_requires_a_sandbox_takes_no_work_without(
    start: Start, without_bwrap: None
) -> None:
    server, agent = start()
    assert agent.start("--sandbox", "require").wait(90) == 1
    assert server.questions == []
    assert "a sandbox is required" in agent.log.read_text()
    looked = agent.call("check", "--sandbox", "require", "--json")
    rows = {c["name"]: c for c in json.loads(looked.stdout)["checks"]}
    assert looked.returncode == 1
    assert rows["sandbox"]["verdict"] == "fail"


@NEEDS
def test_a_manifest_that_asks_for_the_network_is_refused_where_it_is_not_allowed(
    start: Start,
) -> None:
    server, agent = start(scripts.GOOD, events=20, unit=20, network=True)
    process = agent.start("--exit-when-idle", "0.5")
    server.wait_for(lambda: 1 in server.reports)
    assert server.reports[1].reason == "refused-unwelcome"
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert "--network yes would allow" in agent.log.read_text()
    assert {question.network for question in server.questions} == {False}


@NEEDS
def test_a_manifest_that_asks_for_the_network_gets_it_where_it_is_allowed(start: Start) -> None:
    script = scripts.GOOD.replace(
        'b"event %d of %d;" % (i, ch.seed)',
        'b"%d" % len(__import__("socket").if_nameindex())',
    )
    server, agent = start(script, events=20, unit=20, network=True)
    options = ("--network", "yes", "--sandbox", "require", "--exit-when-idle", "0.5")
    assert agent.start(*options).wait(90) == 0
    interfaces = len(os.listdir("/sys/class/net"))
    assert set(server.records.values()) == {b"%d" % interfaces}
    assert {question.network for question in server.questions} == {True}


@NEEDS
@pytest.mark.parametrize("name", ["zpole", "shell", "legacy", "pythia8"])
def test_the_reference_payloads_give_the_same_bytes_in_a_sandbox_and_outside(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "pythia8":
        pytest.importorskip("pythia8mc")
    source = ROOT / "tools" / "payloads" / name
    found = definition.parse((source / "production.toml").read_text("utf-8"))
    made = {**found.manifest("", 0.0), "reference": 20}
    (tmp_path / "manifest.json").write_text(json.dumps(made))
    bundle = {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()}
    with tarfile.open(tmp_path / "bundle.tar.gz", "w:gz") as archive:
        for file, raw in bundle.items():
            member = tarfile.TarInfo(file)
            member.size, member.mode = len(raw), 0o755
            archive.addfile(member, io.BytesIO(raw))
    digests = []
    for way in ("require", "off"):
        monkeypatch.setenv("WINDFALL_SANDBOX", way)
        result = trial.probe_here(str(tmp_path / "manifest.json"), str(tmp_path / "bundle.tar.gz"))
        digests.append(result.digest)
    assert digests[0] == digests[1]
