"""Blobs in a local folder pass the suite, and leave nothing half-done behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.blobs.base import Blobs
from server.blobs.local import LocalBlobs
from tests.conformance.blobs.suite import BIG, BlobsSuite, Replayed


class TestLocalBlobs(BlobsSuite):
    """The suite, in files."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return LocalBlobs(tmp_path / "made" / "here")


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_a_broken_put_leaves_no_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(EOFError):
        await LocalBlobs(tmp_path).put("a/b", Replayed(BIG, breaks=EOFError()))
    assert _files(tmp_path) == []


async def test_a_sweep_takes_old_temporary_files_only(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    await blobs.put("a/b", b"x")
    (tmp_path / "a" / ".part-old").write_bytes(b"left by a crash")
    os.utime(tmp_path / "a" / ".part-old", (1, 1))
    (tmp_path / "a" / ".part-new").write_bytes(b"being written")
    assert await blobs.sweep(3600) == 1
    assert _files(tmp_path) == [".part-new", "b"]
    assert [key async for key in blobs.list()] == ["a/b"]


async def test_file_and_folder_are_flushed_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", watched)
    (tmp_path / "box").mkdir()
    await LocalBlobs(tmp_path).put("box/new/key", b"x")
    assert flushed[0] == "box", "the folder that holds the new folder"
    assert flushed[1].startswith(".part-"), "the bytes, before they get their name"
    assert flushed[2] == "new", "the name"
