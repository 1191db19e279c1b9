"""Blobs in a bucket of an S3 service, by boto3 in threads."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from server.blobs.base import (
    PIECE,
    BackendAbsent,
    BlobFailed,
    BlobFull,
    BlobMissing,
    BlobTrouble,
    Body,
    Found,
    Stored,
    check_key,
    check_prefix,
    check_range,
    gathered,
)

T = TypeVar("T")

PART = 32 * 1024 * 1024
"""An upload has at most 10 000 parts, all of one size for some services: this allows 312 GiB."""

THREADS = 16
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})
_FULL = frozenset(
    {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge"}
)
_PASSING = frozenset({"RequestTimeout", "SlowDown", "Throttling", "BadDigest", "OperationAborted"})


class S3Blobs:
    """Blobs as objects ``prefix/key`` of a bucket.

    Credentials come from where boto3 looks for them (environment, files, the machine's role), never
    from the URL. Each body carries its MD5, the one checksum that every S3 service verifies. What
    is larger than one part becomes a multipart upload, which appears whole when it is completed.
    """

    def __init__(
        self, bucket: str, prefix: str = "", endpoint: str | None = None, region: str | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._client = _client(endpoint, region)
        self._threads = ThreadPoolExecutor(THREADS, "s3")

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        name = self._name(key)
        if isinstance(data, bytes):
            return await self._put_whole(key, name, data)
        parts = gathered(data, PART)
        first = await anext(parts, b"")
        if len(first) < PART:
            return await self._put_whole(key, name, first)
        return await self._put_parts(key, name, first, parts)

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        name = self._name(key)

        def work() -> bytes:
            with contextlib.closing(self._call("get_object", Key=name)["Body"]) as body:
                return bytes(body.read())

        return await self._run(key, work)

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """See `Blobs.read`."""
        return b"".join([piece async for piece in self.stream(key, offset, size, max(size, 1))])

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""
        check_range(offset, size)
        found = await self.stat(key)
        end = found.size if size is None else min(found.size, offset + size)
        if offset >= end:  # a range of no bytes cannot be said in HTTP
            return
        name, wanted = self._name(key), f"bytes={offset}-{end - 1}"
        answer = await self._run(key, lambda: self._call("get_object", Key=name, Range=wanted))
        with contextlib.closing(answer["Body"]) as body:
            while data := await self._run(key, lambda: bytes(body.read(piece))):
                yield data

    async def stat(self, key: str) -> Found:
        """See `Blobs.stat`."""
        name = self._name(key)
        return Found(
            (await self._run(key, lambda: self._call("head_object", Key=name)))["ContentLength"]
        )

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        name = self._name(key)
        with contextlib.suppress(BlobMissing):
            await self._run(key, lambda: self._call("delete_object", Key=name))

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See `Blobs.list`."""
        options = {"Prefix": self._prefix + check_prefix(prefix)}
        while True:
            page = await self._run(prefix, lambda: self._call("list_objects_v2", **options))
            for entry in page.get("Contents", ()):
                yield entry["Key"][len(self._prefix) :]
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    async def sweep(self, older_s: float) -> int:
        """See `Blobs.sweep`: it ends uploads that were begun before."""
        before = datetime.now(UTC) - timedelta(seconds=older_s)

        def begun() -> list[Any]:
            answer = self._call("list_multipart_uploads", Prefix=self._prefix)
            return [found for found in answer.get("Uploads", ()) if found["Initiated"] < before]

        swept = 0
        with contextlib.suppress(BlobMissing):  # some services say so if there never was an upload
            for upload in await self._run("", begun):
                options = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                await self._run("", partial(self._call, "abort_multipart_upload", **options))
                swept += 1
        return swept

    async def close(self) -> None:
        """See `Blobs.close`."""
        self._client.close()
        self._threads.shutdown(wait=False)

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _call(self, operation: str, **options: Any) -> Any:
        return getattr(self._client, operation)(Bucket=self._bucket, **options)

    async def _run(self, key: str, work: Callable[[], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (BotoCoreError, ClientError) as error:
            raise _trouble(error, key) from error

    async def _put_whole(self, key: str, name: str, data: bytes) -> Stored:
        def work() -> Stored:
            self._call("put_object", Key=name, Body=data, ContentMD5=_md5(data))
            return Stored(len(data), hashlib.sha256(data).hexdigest())

        return await self._run(key, work)

    async def _put_parts(
        self, key: str, name: str, first: bytes, rest: AsyncIterable[bytes]
    ) -> Stored:
        begun = await self._run(key, lambda: self._call("create_multipart_upload", Key=name))
        upload = {"Key": name, "UploadId": begun["UploadId"]}
        digest, size = hashlib.sha256(), 0
        sent: list[dict[str, Any]] = []

        def send(data: bytes) -> None:
            number = len(sent) + 1
            answer = self._call(
                "upload_part", **upload, PartNumber=number, Body=data, ContentMD5=_md5(data)
            )
            sent.append({"PartNumber": number, "ETag": answer["ETag"]})
            digest.update(data)

        try:
            data, size = first, len(first)
            await self._run(key, partial(send, data))
            async for data in rest:
                await self._run(key, partial(send, data))
                size += len(data)
            parts = {"Parts": sent}
            await self._run(
                key,
                lambda: self._call("complete_multipart_upload", **upload, MultipartUpload=parts),
            )
        except BaseException:
            with contextlib.suppress(BlobTrouble):
                await self._run(key, lambda: self._call("abort_multipart_upload", **upload))
            raise
        return Stored(size, digest.hexdigest())


def _client(endpoint: str | None, region: str | None) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise BackendAbsent("blobs on S3 need boto3: pip install boto3") from None
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 1},  # RetryingBlobs retries
        max_pool_connections=THREADS,
        # Some services answer a range with the checksum of the whole object, which cannot match.
        response_checksum_validation="when_required",
        request_checksum_calculation="when_required",
        s3={"addressing_style": "path"} if endpoint else {},
    )
    session = boto3.session.Session()  # the default one goes on using what credentials it saw first
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _trouble(error: Exception, key: str) -> BlobTrouble:
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        IncompleteReadError,
    )

    if not isinstance(error, ClientError):
        passing = isinstance(error, ConnectionError | HTTPClientError | IncompleteReadError)
        return BlobFailed(f"blob {key!r}: {error}", retry=passing)
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _MISSING:
        return BlobMissing(key)
    if code in _FULL or status == 507:
        return BlobFull(f"no room for blob {key!r}: {error}")
    passing = code in _PASSING or status == 429 or (status >= 500 and code != "NotImplemented")
    return BlobFailed(f"blob {key!r}: {error}", retry=passing)
