"""Spool and journal: what survives a crash, and what is let go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.kit.fake_server import Keys
from vmagent import files, trust
from vmagent.intervals import Intervals
from vmagent.journal import Journal
from vmagent.spool import Spool
from vmagent.wire import codec, frames, messages


def frame(first: int, last: int) -> bytes:
    return frames.encode(first, last, [b"event %d" % i for i in range(first, last)])


def filled(path: Path, *spans: tuple[int, int]) -> Spool:
    spool = Spool(path)
    for first, last in spans:
        spool.append(first, last, frame(first, last))
    return spool


def test_frames_come_back_after_a_restart(tmp_path: Path) -> None:
    filled(tmp_path / "frames", (0, 10), (10, 25)).close()
    again = Spool(tmp_path / "frames")
    assert [(h.first, h.last) for h in again] == [(0, 10), (10, 25)]
    first = again.next()
    assert first is not None
    assert again.read(first) == frame(0, 10)


def test_a_torn_tail_is_dropped_wherever_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    filled(path, (0, 3)).close()
    whole_one = path.stat().st_size
    filled(path, (3, 6)).close()
    raw = path.read_bytes()
    for cut in range(whole_one, len(raw)):
        path.write_bytes(raw[:cut])
        spool = Spool(path)
        assert [(h.first, h.last) for h in spool] == [(0, 3)]
        assert path.stat().st_size == whole_one
        spool.close()


def test_a_frame_that_rotted_is_dropped_with_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    filled(path, (0, 3), (3, 6)).close()
    raw = bytearray(path.read_bytes())
    raw[70] ^= 1
    path.write_bytes(raw)
    assert Spool(path).next() is None


def test_an_emptied_spool_gives_its_room_back(tmp_path: Path) -> None:
    spool = filled(tmp_path / "frames", (0, 10), (10, 20))
    for held in list(spool):
        spool.acknowledge(held)
    assert spool.unsent == 0
    assert (tmp_path / "frames").stat().st_size == 0


def test_a_long_spool_is_rewritten_without_what_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmagent.spool.REWRITE_LEAST", 100)
    spool = filled(tmp_path / "frames", *((i, i + 10) for i in range(0, 100, 10)))
    before = (tmp_path / "frames").stat().st_size
    for held in list(spool)[:8]:
        spool.acknowledge(held)
    assert (tmp_path / "frames").stat().st_size < before / 2
    left = list(spool)
    assert [(h.first, h.last) for h in left] == [(80, 90), (90, 100)]
    assert spool.read(left[1]) == frame(90, 100)
    spool.append(100, 110, frame(100, 110))
    spool.close()
    assert [h.first for h in Spool(tmp_path / "frames")] == [80, 90, 100]


def test_what_the_server_holds_whole_is_dropped(tmp_path: Path) -> None:
    spool = filled(tmp_path / "frames", (0, 10), (10, 20), (20, 30))
    assert spool.drop_held(Intervals([(0, 15), (20, 30)])) == 2
    assert [h.first for h in spool] == [10]


def test_what_the_server_holds_of_a_task_dropped_meanwhile_is_no_fault(tmp_path: Path) -> None:
    spool = filled(tmp_path / "frames", (0, 10))
    spool.close()
    assert spool.drop_held(Intervals([(0, 10)])) == 1
    assert list(spool) == []


def test_a_full_disk_leaves_the_spool_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = filled(tmp_path / "frames", (0, 10))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            spool.append(10, 20, frame(10, 20))
    spool.append(20, 30, frame(20, 30))
    spool.close()
    assert [h.first for h in Spool(tmp_path / "frames")] == [0, 20]


def test_a_closed_spool_touches_no_file(tmp_path: Path) -> None:
    spool = filled(tmp_path / "frames", (0, 10))
    held = spool.next()
    assert held is not None
    spool.close()
    with pytest.raises(OSError, match="descriptor"):
        spool.read(held)
    with pytest.raises(OSError, match="descriptor"):
        spool.append(10, 20, frame(10, 20))
    spool.acknowledge(held)


class Desk:
    """A journal, and leases to put into it."""

    def __init__(self, home: Path) -> None:
        self.keys = Keys()
        self.pins = trust.Pins.start(self.keys.kid(self.keys.release), self.keys.statements)
        self.home, self.journal = home, Journal(home)

    def take(self, task: int) -> Spool:
        lease = messages.Lease(task, 1, "c" * 64, 7, 0, 100, 1.0, 2.0, "q")
        text = codec.encode(lease).decode()
        place = trust.place_of(self.keys.prove([text]), 0)
        assert place is not None
        return self.journal.take(lease, text, place)


def test_a_lease_taken_survives_and_is_checked_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(4).append(0, 10, frame(0, 10))
    desk.take(5)
    found = Journal(tmp_path).kept(desk.pins)
    assert [(k.lease.task, len(list(k.spool))) for k in found] == [(4, 1), (5, 0)]
    assert Journal(tmp_path).seen == {4, 5}


def test_a_kept_lease_that_was_tampered_with_is_dropped(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(4)
    path = tmp_path / "tasks" / "4" / "lease.json"
    kept = json.loads(path.read_text())
    kept["text"] = kept["text"].replace('"last":100', '"last":999')
    path.write_text(json.dumps(kept))
    assert Journal(tmp_path).kept(desk.pins) == []
    assert not path.parent.exists()


def test_a_task_half_taken_when_the_power_went_is_dropped(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "tasks" / "9").mkdir()
    assert desk.journal.kept(desk.pins) == []


def test_a_task_is_never_seen_without_being_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the answer repeated after a crash would be refused, and its lease stand still."""
    desk = Desk(tmp_path)
    real = files.write

    def dies(path: Path, raw: bytes, mode: int = 0o600) -> None:
        if path.name == "seen.json":
            raise OSError(5, "power cut")
        real(path, raw, mode)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write", dies)
        with pytest.raises(OSError, match="power cut"):
            desk.take(4)
    again = Journal(tmp_path)
    assert [kept.lease.task for kept in again.kept(desk.pins)] == [4]
    assert 4 in again.seen


def test_a_forgotten_task_is_still_seen(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take(4).close()
    desk.journal.forget(4)
    assert Journal(tmp_path).kept(desk.pins) == []
    assert 4 in Journal(tmp_path).seen


def test_a_file_is_old_or_new_and_never_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    files.write(path, b"old")

    def dies(*_: object) -> None:
        raise OSError(5, "power cut")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", dies)
        with pytest.raises(OSError, match="power cut"):
            files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_intervals_know_their_gaps() -> None:
    held = Intervals([(10, 20), (30, 40), (20, 25)])
    assert list(held) == [(10, 25), (30, 40)]
    assert list(held.missing(0, 50)) == [(0, 10), (25, 30), (40, 50)]
    assert held.covers(10, 25)
    assert not held.covers(24, 31)
    assert held.overlaps(24, 31)
    assert held.events == 25
