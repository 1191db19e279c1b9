"""Blobs on an XRootD server, by the asynchronous calls of its own client."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

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
    may_hold,
)

WRITE_BYTES = 4 * 1024 * 1024
_PART = ".part-"  # no key has a part that starts with a dot

# The client's own figures suit transfers of hours: a refused port blocks a call for 400 s. What the
# operator sets by XRD_... in the environment stands.
_CLIENT = {
    "ConnectionWindow": 5,
    "ConnectionRetry": 2,
    "StreamErrorWindow": 8,
    "RequestTimeout": 30,
    "StreamTimeout": 15,
    "TimeoutResolution": 1,
}
_CHECKS_MOST = 2  # a server computes 4 checksums at a time, and lets the fifth wait half a minute
_LONG_S = 600  # for a checksum the server reads the whole file

# XProtocol.hh of XRootD 5, and XrdClStatus.hh for what the client itself says.
_ANSWER = 400
_SYSTEM, _NO_SPACE, _NOT_FOUND, _IS_FOLDER, _OVER_QUOTA = 3005, 3009, 3011, 3016, 3021
_NO_CHECKSUM = frozenset({3000, 3006, 3013})
_PASSING = frozenset({3003, 3004, 3007, 3008, 3012, 3014, 3020, 3024})
_HOPELESS = frozenset({101, 203, 204})  # bad address, login refused, authentication refused


class XRootDBlobs:
    """Blobs as files ``path/key`` of a server ``root://host:port``.

    A put writes a temporary file beside the final one, flushes and closes it, compares the server's
    Adler-32 if it has one, and renames. (The server flushes the bytes; whether the rename survives
    a power cut is its file system's matter.) Credentials are the client's own: see XrdSec.
    """

    def __init__(self, server: str, path: str) -> None:
        self._client = _client()
        self._server = server
        self._path = "/" + path.strip("/")
        self._system = self._client.FileSystem(server)
        self._checking = asyncio.Semaphore(_CHECKS_MOST)

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        name = self._name(key)
        folder, _, _ = name.rpartition("/")
        temporary = f"{folder}/{_PART}{secrets.token_hex(8)}"
        pieces = _cut(data) if isinstance(data, bytes) else gathered(data, WRITE_BYTES)
        try:
            stored, adler = await self._write(key, temporary, pieces)
            await self._verify(key, temporary, adler)
            await _ask(key, self._system.mv, temporary, name)
        except BaseException:
            with contextlib.suppress(BlobTrouble):
                await _ask(key, self._system.rm, temporary)
            raise
        return stored

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        return b"".join([piece async for piece in self.stream(key, piece=WRITE_BYTES)])

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """See `Blobs.read`."""
        return b"".join([piece async for piece in self.stream(key, offset, size, WRITE_BYTES)])

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""
        check_range(offset, size)
        flags = self._client.flags.OpenFlags.READ
        async with self._open(key, self._name(key), flags) as file:
            end = None if size is None else offset + size
            while end is None or offset < end:
                want = piece if end is None else min(piece, end - offset)
                data = bytes(await _ask(key, file.read, offset, want))
                if data:
                    yield data
                if len(data) < want:
                    return
                offset += want

    async def stat(self, key: str) -> Found:
        """See `Blobs.stat`."""
        found = await _ask(key, self._system.stat, self._name(key))
        if found.flags & self._client.flags.StatInfoFlags.IS_DIR:
            raise BlobMissing(key)
        return Found(found.size)

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        with contextlib.suppress(BlobMissing):
            await _ask(key, self._system.rm, self._name(key))

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See `Blobs.list`."""
        above, _, _ = check_prefix(prefix).rpartition("/")
        async for name, _ in self._walk(above + "/" if above else "", prefix):
            if name.startswith(prefix) and not name.rpartition("/")[2].startswith("."):
                yield name

    async def sweep(self, older_s: float) -> int:
        """See `Blobs.sweep`: by the server's clock and this machine's, which should agree."""
        before, swept = time.time() - older_s, 0
        async for name, info in self._walk("", ""):
            if name.rpartition("/")[2].startswith(_PART) and info.modtime < before:
                with contextlib.suppress(BlobMissing):
                    await _ask(name, self._system.rm, f"{self._path}/{name}")
                    swept += 1
        return swept

    async def close(self) -> None:
        """See `Blobs.close`: the client library keeps its connections for the process."""

    def _name(self, key: str) -> str:
        return f"{self._path}/{check_key(key)}"

    @contextlib.asynccontextmanager
    async def _open(self, key: str, name: str, flags: int) -> AsyncIterator[Any]:
        file = self._client.File()
        modes = self._client.flags.AccessMode
        mode = modes.UR | modes.UW | modes.GR
        await _ask(key, file.open, f"{self._server}/{name}", flags, mode)
        try:
            yield file
        except BaseException:
            with contextlib.suppress(BlobTrouble):
                await _ask(key, file.close)
            raise
        await _ask(key, file.close)

    async def _write(self, key: str, name: str, pieces: AsyncIterable[bytes]) -> tuple[Stored, int]:
        digest, adler, size = hashlib.sha256(), 1, 0
        flags = self._client.flags.OpenFlags
        async with self._open(key, name, flags.NEW | flags.MAKEPATH) as file:
            async for piece in pieces:
                await _ask(key, file.write, piece, size)
                await asyncio.to_thread(digest.update, piece)
                adler = await asyncio.to_thread(zlib.adler32, piece, adler)
                size += len(piece)
            await _ask(key, file.sync)
        return Stored(size, digest.hexdigest()), adler

    async def _verify(self, key: str, name: str, adler: int) -> None:
        code, asked = self._client.flags.QueryCode.CHECKSUM, f"{name}?cks.type=adler32"
        try:
            async with self._checking:
                answer = await _ask(key, self._system.query, code, asked, within_s=_LONG_S)
        except BlobFailed as failed:
            if getattr(failed.__cause__, "errno", None) in _NO_CHECKSUM:
                return
            raise
        said = answer.rstrip(b"\0\n").decode().split()
        if said[:1] == ["adler32"] and said[1:] != [f"{adler:08x}"]:
            raise BlobFailed(
                f"blob {key!r} arrived with Adler-32 {said[1]}, not {adler:08x}", retry=True
            )

    async def _walk(self, folder: str, prefix: str) -> AsyncIterator[tuple[str, Any]]:
        flags = self._client.flags
        folders = [folder]
        while folders:
            folder = folders.pop()
            try:
                path = f"{self._path}/{folder}"
                entries = await _ask(folder, self._system.dirlist, path, flags.DirListFlags.STAT)
            except BlobMissing:
                continue
            for entry in entries:
                name = folder + entry.name
                if not entry.statinfo.flags & flags.StatInfoFlags.IS_DIR:
                    yield name, entry.statinfo
                elif may_hold(name + "/", prefix):
                    folders.append(name + "/")


class _Refused(Exception):  # the status of an answer, as the cause of what is raised
    def __init__(self, status: Any) -> None:
        super().__init__(status.message)
        self.errno: int = status.errno


async def _ask(key: str, call: Callable[..., Any], *args: Any, within_s: int = 0) -> Any:
    """Make a call with a callback, and wait for it. (``within_s`` 0 is RequestTimeout.)

    The callback holds the arguments: the library does not keep the bytes of a write alive, and
    whoever waits may be cancelled before they are sent.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def answered(status: Any, response: Any, hosts: Any, held: Any = (call, args)) -> None:
        del hosts, held
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, answer, key, status, response)

    status = call(*args, timeout=within_s, callback=answered)
    if not status.ok:
        raise _trouble(key, status) from _Refused(status)
    return await answer


def _settle(answer: asyncio.Future[Any], key: str, status: Any, response: Any) -> None:
    if answer.done():
        return
    if status.ok:
        answer.set_result(response)
    else:
        trouble = _trouble(key, status)
        trouble.__cause__ = _Refused(status)
        answer.set_exception(trouble)


def _trouble(key: str, status: Any) -> BlobTrouble:
    if status.code == _ANSWER and (
        status.errno in (_NOT_FOUND, _IS_FOLDER)
        or (status.errno == _SYSTEM and "not a directory" in status.message)
    ):
        return BlobMissing(key)
    if status.code == _ANSWER and status.errno in (_NO_SPACE, _OVER_QUOTA):
        return BlobFull(f"no room for blob {key!r}: {status.message.strip()}")
    passing = status.errno in _PASSING if status.code == _ANSWER else status.code not in _HOPELESS
    return BlobFailed(f"blob {key!r}: {status.message.strip()}", retry=passing)


async def _cut(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), WRITE_BYTES):
        yield data[at : at + WRITE_BYTES]


def _client() -> Any:
    try:
        from XRootD import client as library
    except ImportError:
        raise BackendAbsent("blobs on XRootD need its client: pip install xrootd") from None
    client: Any = library  # it has marks of types but no types
    for name, value in _CLIENT.items():
        client.EnvPutInt(name, value)
    return client
