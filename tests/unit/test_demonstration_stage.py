"""The demonstration's folder: nothing is removed that no demonstration made."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tools.demonstration.play import Finished, finished_in
from tools.demonstration.stage import Stage, StageFailed
from vmagent.wire import frames


def test_a_folder_with_somebodys_files_is_refused_and_kept(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    with pytest.raises(StageFailed, match="no demonstration made it"):
        Stage(tmp_path).prepare()
    assert thesis.read_text() == "years of work"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "output"
    place.write_text("mine")
    with pytest.raises(StageFailed, match="name another"):
        Stage(place).prepare()
    assert place.read_text() == "mine"


def test_a_folder_of_an_earlier_demonstration_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    Stage(folder).prepare()
    (folder / "left.txt").write_text("old")
    Stage(folder).prepare()
    assert not (folder / "left.txt").exists()
    assert (folder / "keys" / "release.key").exists()


def test_whole_frames_in_a_spool_are_counted_and_a_torn_one_is_not(tmp_path: Path) -> None:
    frame = frames.encode(10, 13, [b"a", b"b", b"c"])
    record = struct.pack(">4sI32s", b"WSP1", len(frame), b"\0" * 32) + frame
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "frames").write_bytes(record + record[:-1])
    assert finished_in(tmp_path) == [Finished(7, 10, 3)]
