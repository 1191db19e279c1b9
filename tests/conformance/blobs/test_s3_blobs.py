"""Blobs in a real S3 service pass the suite."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from server.blobs import s3
from server.blobs.base import BlobFailed, Blobs
from server.blobs.choose import open_blobs
from server.blobs.s3 import S3Blobs
from tests.conformance.blobs.servers import credentials, need, s3_server
from tests.conformance.blobs.suite import BIG, BlobsSuite, Replayed, keys_of, streamed
from tests.kit.ports import free_port


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)


@pytest.fixture
async def made(endpoint: str) -> AsyncIterator[S3Blobs]:
    blobs = S3Blobs("windfall", f"/test/{secrets.token_hex(4)}/", endpoint)
    yield blobs
    await blobs.close()


# rclone looks up the size before it opens the file, so a swap between may cut the answer short.
SWAPPED = (b"o" * 600_000, b"n" * 600_000)


class TestS3Blobs(BlobsSuite):
    """The suite, on S3."""

    swapped = SWAPPED

    @pytest.fixture
    def blobs(self, made: S3Blobs) -> Blobs:
        return made


class TestS3BlobsInParts(BlobsSuite):
    """The suite again with multipart uploads for everything above 256 kB that comes in pieces."""

    swapped = SWAPPED

    @pytest.fixture
    def blobs(self, made: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> Blobs:
        monkeypatch.setattr(s3, "PART", 256 * 1024)
        return made


async def test_a_broken_upload_is_ended_at_once(
    made: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART", 256 * 1024)
    with pytest.raises(EOFError):
        await made.put("broken", Replayed(BIG, BIG, breaks=EOFError()))
    assert await made.sweep(-3600) == 0


async def test_an_upload_left_by_a_crash_is_swept(made: S3Blobs) -> None:
    made._call("create_multipart_upload", Key=made._name("left"))
    assert await made.sweep(3600) == 0
    assert await made.sweep(-3600) == 1
    assert await made.sweep(-3600) == 0


async def test_a_list_of_several_pages_is_whole(
    made: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = made._call

    def small_pages(operation: str, **options: Any) -> Any:
        if operation == "list_objects_v2":
            options["MaxKeys"] = 3
        return call(operation, **options)

    keys = [f"k/{number}" for number in range(10)]
    for key in keys:
        await made.put(key, b"x")
    monkeypatch.setattr(made, "_call", small_pages)
    assert await keys_of(made) == keys


async def test_a_wrong_secret_is_no_matter_for_retries(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    blobs = S3Blobs("windfall", "", endpoint)
    with pytest.raises(BlobFailed) as caught:
        await blobs.put("key", b"x")
    assert not caught.value.retry
    await blobs.close()


async def test_a_service_that_is_down_is_a_matter_for_retries() -> None:
    need("boto3", "pip install boto3")
    blobs = S3Blobs("windfall", "", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BlobFailed) as caught:
        await blobs.get("key")
    assert caught.value.retry
    await blobs.close()


async def test_a_url_opens_it(endpoint: str) -> None:
    blobs = open_blobs(f"s3://windfall/by/url?endpoint={endpoint}")
    await blobs.put("a/b", b"content")
    assert await streamed(blobs, "a/b") == b"content"
    await blobs.close()
    whole = open_blobs(f"s3://windfall?endpoint={endpoint}")
    assert await keys_of(whole, "by/") == ["by/url/a/b"]
    await whole.close()
