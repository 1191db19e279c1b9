"""Blobs on a real XRootD server pass the suite."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.blobs.base import BlobFailed, Blobs
from server.blobs.choose import open_blobs
from server.blobs.xrootd import XRootDBlobs
from tests.conformance.blobs.servers import need, xrootd_server
from tests.conformance.blobs.suite import BIG, BlobsSuite, Replayed, keys_of
from tests.kit.ports import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    with xrootd_server() as found:
        yield found


@pytest.fixture
def path() -> str:
    return f"/store/{secrets.token_hex(4)}"


@pytest.fixture
def made(server: tuple[str, Path], path: str) -> XRootDBlobs:
    return XRootDBlobs(server[0], path)


class TestXRootDBlobs(BlobsSuite):
    """The suite, on XRootD."""

    @pytest.fixture
    def blobs(self, made: XRootDBlobs) -> Blobs:
        return made


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_a_broken_put_leaves_no_temporary_file(
    made: XRootDBlobs, server: tuple[str, Path], path: str
) -> None:
    with pytest.raises(EOFError):
        await made.put("a/b", Replayed(BIG, BIG, breaks=EOFError()))
    assert _files(server[1] / path[1:]) == []


async def test_a_sweep_takes_old_temporary_files_only(
    made: XRootDBlobs, server: tuple[str, Path], path: str
) -> None:
    await made.put("a/b", b"x")
    folder = server[1] / path[1:] / "a"
    for name in (".part-old", ".part-new"):
        (folder / name).write_bytes(b"left by a crash")
    os.utime(folder / ".part-old", (1, 1))
    assert await made.sweep(3600) == 1
    assert _files(folder) == [".part-new", "b"]
    assert await keys_of(made) == ["a/b"]


async def test_bytes_that_arrive_wrong_are_noticed(
    made: XRootDBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zlib.adler32", lambda data, start=1: 12345)
    with pytest.raises(BlobFailed, match="not 00003039") as caught:
        await made.put("key", b"content")
    assert caught.value.retry
    assert await keys_of(made) == []


async def test_what_the_server_does_not_export_is_no_matter_for_retries(
    server: tuple[str, Path],
) -> None:
    with pytest.raises(BlobFailed) as caught:
        await XRootDBlobs(server[0], "/elsewhere").put("key", b"content")
    assert not caught.value.retry


async def test_a_server_that_is_down_is_a_matter_for_retries() -> None:
    need("XRootD", "pip install xrootd")
    with pytest.raises(BlobFailed) as caught:
        await XRootDBlobs(f"root://127.0.0.1:{free_port()}", "/store").get("key")
    assert caught.value.retry


async def test_a_url_opens_it(server: tuple[str, Path], path: str) -> None:
    blobs = open_blobs(f"{server[0]}/{path}/deeper")
    await blobs.put("a/b", b"content")
    assert (server[1] / path[1:] / "deeper/a/b").read_bytes() == b"content"
    await blobs.close()
