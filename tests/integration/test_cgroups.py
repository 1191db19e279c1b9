"""Limits by real control groups, where this machine lets its tests make some."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.waiting import until
from vmagent import cgroups, guard

ROOT = Path(__file__).resolve().parents[2]
TREES = cgroups.survey()
HELD = {name: tree for tree in TREES for name in tree.controllers}
WITH_MEMORY = pytest.mark.skipif("memory" not in HELD, reason="no memory group may be made here")
WITH_PIDS = pytest.mark.skipif("pids" not in HELD, reason="no group of processes may be made here")
WITH_CPU = pytest.mark.skipif("cpu" not in HELD, reason="no group of CPU time may be made here")
NEW = [tree for tree in TREES if tree.version == 2]
WITH_NEW = pytest.mark.skipif(not NEW, reason="no group of version 2 may be made here")
# Memory that no process has mapped: nothing that counts resident pages sees it.
HIDES_MEMORY = """
import evp, os, time
ch = evp.Channel("hides")
for rng in ch.ranges():
    for _ in range(100):
        os.write(os.memfd_create("hidden"), bytes(4 << 20))
    time.sleep(600)
"""
TELLS_ITS_GROUPS = """
import evp, json
ch = evp.Channel("tells")
for rng in ch.ranges():
    said = [open("/proc/self/cgroup").read()]
    ch.events(rng.first, rng.last, [json.dumps(said).encode()] * (rng.last - rng.first))
"""


def run(folder: Path, story: str, **asked: Any) -> dict[str, str]:
    """Run a payload in groups; how it ended."""
    order = {"folder": str(folder), "stories": [story], "groups": True, "limits": {}, **asked}
    done = subprocess.run(
        [sys.executable, "-B", "-m", "tests.kit.hostile_payloads", json.dumps(order)],
        capture_output=True,
        text=True,
        timeout=90,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)[0]
    return found


def left(state: Path) -> set[Path]:
    """Groups that are there now of an agent with this state."""
    name = cgroups.name_of(state)
    return {place for tree in TREES for place in tree.path.glob(f"{name}-*")}


@pytest.fixture
def group(tmp_path: Path) -> Iterator[cgroups.Group]:
    made = cgroups.Groups(tmp_path, TREES).make(100, 2)
    yield made
    made.close()


def sleeper(group: cgroups.Group) -> subprocess.Popen[bytes]:
    """A process in a group that will not go by itself."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    for procs in group.procs:
        Path(procs).write_text(str(process.pid))
    return process


@WITH_MEMORY
@pytest.mark.parametrize("box", ["off", "auto"])
def test_memory_that_is_mapped_nowhere_counts_too(tmp_path: Path, box: str) -> None:
    ended = run(tmp_path, HIDES_MEMORY, sandbox=box, limits={"memory_mb": 64})
    assert ended["word"] == "memory", ended


@WITH_PIDS
def test_a_payload_is_in_its_group_from_the_start_and_the_group_goes_with_it(
    tmp_path: Path,
) -> None:
    ended = run(tmp_path, TELLS_ITS_GROUPS)
    assert ended["word"] == "done", ended
    (said,) = json.loads(ended["record"])
    lines = [line for line in said.splitlines() if "pids" in line or line.startswith("0::")]
    assert [line for line in lines if "windfall-" in line], said
    assert left(tmp_path) == set()


@WITH_CPU
@WITH_PIDS
@WITH_MEMORY
def test_a_group_has_the_limits_of_its_payload(group: cgroups.Group) -> None:
    found = {}
    for procs in group.procs:
        for file in Path(procs).parent.iterdir():
            if file.name in ("pids.max", "cpu.cfs_quota_us", "cpu.max", "memory.max") or (
                file.name == "memory.limit_in_bytes"
            ):
                found[file.name.partition(".")[0]] = file.read_text().split()[0]
    assert found == {
        "pids": str(cgroups.PIDS_MOST),
        "cpu": str(2 * cgroups.PERIOD_US),
        "memory": str((100 + cgroups.SPARE_MB) * 2**20),
    }


@pytest.mark.skipif(not TREES, reason="no group may be made here")
def test_what_is_left_in_a_group_is_killed_with_it(group: cgroups.Group) -> None:
    process = sleeper(group)
    group.close()
    assert process.wait(60) == -signal.SIGKILL
    assert not [procs for procs in group.procs if Path(procs).exists()]


@WITH_NEW
def test_a_group_of_version_2_stands_still_and_goes_on(tmp_path: Path) -> None:
    made = cgroups.Groups(tmp_path, NEW).make(100, 1)
    process = sleeper(made)
    events = Path(made.procs[0]).parent / "cgroup.events"
    try:
        for still in (True, False):
            made.freeze(still)
            while f"frozen {int(still)}" not in events.read_text():
                time.sleep(0.001)
        made.freeze(True)
    finally:
        made.close()
    assert process.wait(60) == -signal.SIGKILL, "frozen as it was"


@pytest.mark.skipif(not TREES, reason="no group may be made here")
def test_groups_that_a_killed_agent_left_are_cleared_at_the_next_start(tmp_path: Path) -> None:
    server = FakeServer(scripts.SLOW, events=100_000, unit=100_000).start()
    agent = AgentProcess(tmp_path / "state")
    agent.join(server)
    try:
        process = agent.start("--flush-s", "0.1")
        server.wait_for(lambda: bool(server.records))
        mine = left(agent.state)
        assert mine, "the payload runs in a group"
        stray = subprocess.Popen(["sleep", "600"], start_new_session=True)
        for place in mine:
            (place / "cgroup.procs").write_text(str(stray.pid))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert left(agent.state) == mine
        again = agent.start("--flush-s", "0.1")
        assert stray.wait(90) == -signal.SIGKILL
        until(lambda: not mine & left(agent.state))
        until(lambda: bool(left(agent.state)))  # it works again
        again.send_signal(signal.SIGTERM)
        assert again.wait(90) == 0
        assert left(agent.state) == set()
    finally:
        agent.kill_all()
        server.close()


def test_who_may_make_no_groups_does_without(tmp_path: Path) -> None:
    groups = cgroups.Groups(tmp_path, [])
    made = groups.make(100, 1)
    assert made.procs == []
    assert not made.out_of_memory()
    made.freeze(True)
    made.close()
    assert "the guard's" in cgroups.told([])


def test_a_place_that_is_not_ours_alone_keeps_the_controllers_it_has(tmp_path: Path) -> None:
    proc, place = tmp_path / "proc", tmp_path / "tree" / "job"
    proc.mkdir()
    place.mkdir(parents=True)
    (proc / "cgroup").write_text("0::/job\n")
    tree = tmp_path / "tree"
    (proc / "mountinfo").write_text(f"30 1 0:26 / {tree} rw - cgroup2 cgroup2 rw\n")
    (place / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (place / "cgroup.subtree_control").write_text("pids\n")
    own, other = f"{os.getpid()}\n", "1\n"
    (place / "cgroup.procs").write_text(own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cgroups, "SYSTEMD", tmp_path / "none")
        alone = cgroups.survey(proc)
        (place / "cgroup.procs").write_text(own + other)
        shared = cgroups.survey(proc)
        patch.setattr(cgroups, "SYSTEMD", tmp_path)
        undelegated = cgroups.survey(proc)
    assert alone == [cgroups.Tree(place, 2, ("cpu", "memory", "pids"), ("cpu", "memory"))]
    assert shared == [cgroups.Tree(place, 2, ("pids",))]
    assert undelegated == [], "systemd's own are left to it"


def test_the_guard_starts_a_payload_where_its_group_has_gone(tmp_path: Path) -> None:
    order = {
        "groups": [str(tmp_path / "gone" / "cgroup.procs")],
        "argv": ["/bin/true"],
        "env": {},
        "fds": [os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)],
        "log_fd": os.open(os.devnull, os.O_WRONLY),
        "cwd": "/",
        **{"memory_mb": 1000, "disk_mb": 1000, "cpu_s": 10},
    }
    pid = guard.start(order)
    for handle in (*order["fds"], order["log_fd"]):  # type: ignore[misc]
        os.close(handle)
    assert os.waitpid(pid, 0)[1] == 0
