"""A disk that fills up: work stops being taken, nothing finished is lost, and it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from vmagent import files, stimuli
from vmagent.gather import Gather
from vmagent.intervals import Intervals
from vmagent.pace import Pace
from vmagent.room import MIB, Room
from vmagent.runner import Outcome
from vmagent.slots import TaskWork, run_ended
from vmagent.spool import Held, Spool


class Disk:
    """A disk whose free space is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 10_000 * MIB
        monkeypatch.setattr(files, "free_bytes", lambda _: self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


class Bench:
    """A task's work on that disk, and what is told of it."""

    def __init__(self, home: Path) -> None:
        self.told: list[stimuli.Stimulus] = []
        self.room = Room(home, 100, every_s=0.0)
        self.spool = Spool(home / "frames")
        gather = Gather(0, 100, 1, Intervals())
        pace = Pace(1000, 30.0, 7200.0)
        self.work = TaskWork(1, gather, self.spool, pace, self.room, self.told.append, lambda: None)


def test_near_the_reserve_no_new_work_is_taken_but_work_in_hand_goes_on(
    tmp_path: Path, disk: Disk
) -> None:
    bench = Bench(tmp_path)
    assert not bench.room.short()
    disk.free = 110 * MIB
    assert bench.room.short()
    assert bench.work.room()


def test_in_the_reserve_the_payload_waits_at_its_pipe(tmp_path: Path, disk: Disk) -> None:
    bench = Bench(tmp_path)
    disk.free = 99 * MIB
    assert bench.room.full()
    assert not bench.work.room()
    disk.free = 200 * MIB
    assert bench.work.room()


def test_frames_that_cannot_be_spooled_are_kept_until_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)

    def full(*_: object) -> Held:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(bench.spool, "append", full)
        bench.work.add(0, 10, (b"x" * 200,) * 10)
        assert not bench.work.room()
        assert bench.told == []
        ended = run_ended(1, Outcome("done"), bench.work)
        assert ended.word == "disk", "never delivered while frames are missing"
    bench.work.flush(True)
    assert bench.work.room()
    assert sum(one.events for one in bench.told if isinstance(one, stimuli.Spooled)) == 10
    assert [(h.first, h.last) for h in bench.spool][-1][1] == 10


def test_events_wait_for_their_flush_and_go_at_once_when_there_are_many(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.work.add(0, 1, (b"x" * 100,))
    bench.work.flush(False)
    assert bench.told == []
    bench.work.add(1, 11, (b"x" * 100,) * 10)
    assert bench.told
    assert bench.spool.unsent > 1000


def test_a_death_is_laid_to_the_first_event_that_is_missing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.work.add(0, 7, (b"x",) * 7)
    ready = run_ended(1, Outcome("crashed", ready=True), bench.work)
    assert [(f.first, f.last, f.word) for f in ready.failures] == [(7, 8, "crashed")]
    never_ready = run_ended(1, Outcome("crashed", ready=False), bench.work)
    assert never_ready.failures == ()
