"""Payloads that attack the agent and its machine, as real processes of an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import hostile_payloads as scripts
from vmagent import files, guard
from vmagent.gather import FAILURES_MOST, Failed, Gather
from vmagent.intervals import Intervals
from vmagent.output import Folder, split
from vmagent.pipe import Misbehaved

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


class Lair:
    """A folder of an ordinary user, in whose name payloads run under a real guard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mine = os.geteuid() != 0

    def run(self, *stories: str, **limits: float) -> list[dict[str, str]]:
        """Run these payloads one after the other in the same slot; how each ended."""
        asked = {"folder": str(self.folder), "stories": stories, "limits": limits}
        python = sys.executable if self.mine else "/usr/bin/python3"
        done = subprocess.run(
            [python, "-B", "-m", "tests.kit.hostile_payloads", json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}", "LAIR_SECRET": "in memory"},
            user=None if self.mine else NOBODY,
            extra_groups=None if self.mine else [],
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, str]] = json.loads(done.stdout)
        return found


@pytest.fixture
def lair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lair]:
    if os.geteuid() == 0 and not scripts.others_can_run(ROOT):
        pytest.skip("run as root, these tests need /usr/bin/python3 and a checkout others may read")
    place = Path("/tmp") if os.geteuid() == 0 else tmp_path_factory.getbasetemp()
    folder = place / f"windfall-lair-{os.getpid()}"
    folder.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield Lair(folder)
    files.remove(folder)
    assert not folder.exists()


def test_a_payload_cannot_look_into_agent_or_guard(lair: Lair) -> None:
    (found,) = lair.run(scripts.LOOKS_INTO_ITS_PARENTS)
    assert found["word"] == "done", found
    assert json.loads(found["record"]) == []


def test_a_daemon_does_not_outlive_the_guard_that_its_payload_killed(lair: Lair) -> None:
    (found,) = lair.run(scripts.KILLS_ITS_GUARD)
    daemon = int((lair.folder / "daemon").read_text())
    assert found["word"] == "crashed"
    assert not Path(f"/proc/{daemon}").exists()


def test_a_guard_that_was_stopped_is_ended_with_all_it_guarded(lair: Lair) -> None:
    (found,) = lair.run(scripts.STOPS_ITS_GUARD)
    daemon = int((lair.folder / "daemon").read_text())
    assert found["word"] == "crashed"
    assert not Path(f"/proc/{daemon}").exists()


def test_folders_deeper_than_any_stack_end_the_payload_and_not_the_slot(lair: Lair) -> None:
    deep, good = lair.run(scripts.DIGS_DEEP, scripts.GOOD)
    assert deep["word"] == "disk"
    assert good["word"] == "done"


def test_folders_that_are_closed_are_taken_away_all_the_same(lair: Lair) -> None:
    closed, good = lair.run(scripts.CLOSES_ITS_FOLDERS, scripts.GOOD)
    assert closed["word"] == "done"
    assert good["word"] == "done"


def test_a_fork_bomb_ends_before_the_machine_does(lair: Lair) -> None:
    bomb, good = lair.run(scripts.FORKS_FOR_EVER, scripts.GOOD, memory_mb=100_000)
    assert bomb["why"].endswith("processes")
    assert good["word"] == "done"


def test_many_empty_files_are_a_full_disk(lair: Lair) -> None:
    (found,) = lair.run(scripts.MAKES_EMPTY_FILES, disk_mb=2)
    assert found["word"] == "disk"


def test_a_payload_that_moves_its_output_folder_away_gets_nothing_read_or_removed(
    lair: Lair,
) -> None:
    (lair.folder / "identity.json").write_text("the token")
    (found,) = lair.run(scripts.SWAPS_ITS_OUTPUT_FOLDER)
    assert found["word"] == "output-missing"
    assert (lair.folder / "identity.json").read_text() == "the token"


def test_a_payload_that_never_reads_does_not_hold_its_slot(lair: Lair) -> None:
    (found,) = lair.run(scripts.NEVER_READS, silence_s=2.0)
    assert found["word"] == "hung"


def test_the_machines_own_limits_stand_above_those_of_a_manifest(lair: Lair) -> None:
    (found,) = lair.run(scripts.TAKES_MEMORY, memory_mb=100_000, granted_mb=80)
    assert found["word"] == "memory"


def test_a_count_of_the_disk_ends_once_it_is_too_much(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}").touch()
    assert guard.disk_bytes(str(tmp_path), 10**9) == 50 * guard.ENTRY_BYTES
    assert guard.disk_bytes(str(tmp_path), 3000) <= 4 * guard.ENTRY_BYTES
    assert guard.disk_bytes(str(tmp_path / "5"), 3000) == 3001


def test_an_output_folder_is_the_one_that_was_opened(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (other / "a").write_bytes(b"another's")
    folder = Folder(out)
    (out / "a").write_bytes(b"ours")
    out.rename(tmp_path / "moved")
    out.symlink_to(other)
    assert folder.take("a", 100) == b"ours"
    assert (other / "a").exists()
    for name in ("", ".", "..", "./a", "a/../b", "a//b", "/a", f"{out}/../other/a", "a\0b"):
        with pytest.raises(Misbehaved, match=r"^lied"):
            folder.take(name, 100)
    folder.close()


def test_a_name_of_the_directory_mode_is_a_whole_name(tmp_path: Path) -> None:
    for name in ("0-1.txt", "1-2.txt\n", "\n2-3.txt", "3-4.txt/../x".replace("/", "_")):
        (tmp_path / name).touch()
    folder = Folder(tmp_path)
    assert [name for _, _, name in folder.named()] == ["0-1.txt", "3-4.txt_.._x"]
    folder.close()


def test_lengths_of_more_records_than_there_are_events_are_not_all_made() -> None:
    zeros = b"\0" * (4 * 1024 * 1024)
    tracemalloc.start()
    try:
        with pytest.raises(Misbehaved, match="2 records"):
            split(zeros, 0, 2, 1, "lengths", None)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_failures_without_end_end_the_payload() -> None:
    gather = Gather(0, 10**9, 1, Intervals())
    for event in range(5000):
        gather.fail(event, event + 1, "bad")
    assert gather.failures == [Failed(0, 5000, "bad")]
    for event in range(5000, 5000 + FAILURES_MOST - 1):
        gather.fail(event, event + 1, f"word{event}")
    with pytest.raises(Misbehaved, match=r"^event-failed"):
        gather.fail(9000, 9001, "one-more")
    assert len(gather.failures) == FAILURES_MOST


def test_events_with_a_gap_after_each_cost_no_more_than_others() -> None:
    begun = time.process_time()
    gather = Gather(0, 10**9, 1, Intervals())
    for event in range(0, 100_000, 2):
        gather.add(event, event + 1, (b"x",))
    assert len(gather.gaps()) == 50_000
    assert time.process_time() - begun < 5.0
