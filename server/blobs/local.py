"""Blobs as files in a local folder, one file per key."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

from server.blobs.base import (
    PIECE,
    BlobMissing,
    Body,
    Found,
    Stored,
    check_key,
    check_prefix,
    check_range,
    gathered,
    may_hold,
    trouble_of,
)
from server.blobs.descriptor import Descriptor, sync_folder

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PART = ".part-"  # no key has a part that starts with a dot
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})


class LocalBlobs:
    """Blobs as files below a folder, which is made if needed.

    A put writes a temporary file beside the final one, flushes it, renames it and flushes the
    folder: so a blob is whole or absent after a crash, provided that the file system keeps what it
    has flushed. All of it runs in threads.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        path = self._path(key)
        temporary = path.with_name(_PART + secrets.token_hex(8))
        try:
            if isinstance(data, bytes):
                return await _write(key, _put, path, temporary, data)
            file = await _write(key, _create, temporary)
            digest, size = hashlib.sha256(), 0
            async for piece in gathered(data):
                await _write(key, file.write, piece, size)
                await asyncio.to_thread(digest.update, piece)
                size += len(piece)
            await _write(key, _finish, file, path, temporary)
            return Stored(size, digest.hexdigest())
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        path = self._path(key)
        with _found(key):
            return await asyncio.to_thread(path.read_bytes)

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """See `Blobs.read`."""
        check_range(offset, size)
        path = self._path(key)
        with _found(key):
            return await asyncio.to_thread(lambda: _readable(path).read(size, offset))

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""
        check_range(offset, size)
        path = self._path(key)
        with _found(key):
            file = await asyncio.to_thread(_readable, path)
            while size is None or size > 0:
                want = piece if size is None else min(piece, size)
                data = await asyncio.to_thread(file.read, want, offset)
                if data:
                    yield data
                if len(data) < want:
                    return
                offset += want
                size = None if size is None else size - want

    async def stat(self, key: str) -> Found:
        """See `Blobs.stat`."""
        path = self._path(key)
        with _found(key):
            found = await asyncio.to_thread(path.stat)
        if not stat.S_ISREG(found.st_mode):
            raise BlobMissing(key)
        return Found(found.st_size)

    async def delete(self, key: str) -> None:
        """See `Blobs.delete`."""
        path = self._path(key)
        with contextlib.suppress(BlobMissing), _found(key):
            await asyncio.to_thread(path.unlink)

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        """See `Blobs.list`."""
        above, _, _ = check_prefix(prefix).rpartition("/")
        folders = [above + "/" if above else ""]
        while folders:
            folder = folders.pop()
            deeper, keys = await asyncio.to_thread(_look, self.folder, folder, prefix)
            folders += deeper
            for key in keys:
                yield key

    async def sweep(self, older_s: float) -> int:
        """See `Blobs.sweep`."""
        return await asyncio.to_thread(_sweep, self.folder, time.time() - older_s)

    async def close(self) -> None:
        """See `Blobs.close`: nothing is held open between calls."""

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)


def _look(root: Path, folder: str, prefix: str) -> tuple[list[str], list[str]]:
    deeper: list[str] = []
    keys: list[str] = []
    try:
        entries = list(os.scandir(root / folder))
    except (FileNotFoundError, NotADirectoryError):
        return deeper, keys
    for entry in entries:
        name = folder + entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if may_hold(name + "/", prefix):
                deeper.append(name + "/")
        elif name.startswith(prefix):
            keys.append(name)
    return deeper, keys


async def _write(key: str, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
    try:
        return await asyncio.to_thread(work, *args)
    except OSError as error:
        raise trouble_of(error, f"blob {key!r}") from error


@contextlib.contextmanager
def _found(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _ABSENT:
            raise BlobMissing(key) from None
        raise trouble_of(error, f"blob {key!r}") from error


def _readable(path: Path) -> Descriptor:
    return Descriptor(path, os.O_RDONLY)


def _create(temporary: Path) -> Descriptor:
    _make_folder(temporary.parent)
    return Descriptor(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def _put(path: Path, temporary: Path, data: bytes) -> Stored:
    file = _create(temporary)
    file.write(data, 0)
    _finish(file, path, temporary)
    return Stored(len(data), hashlib.sha256(data).hexdigest())


def _finish(file: Descriptor, path: Path, temporary: Path) -> None:
    os.fsync(file.fd)
    temporary.replace(path)
    sync_folder(path.parent)


def _sweep(folder: Path, before: float) -> int:
    swept = 0
    for left in folder.rglob(_PART + "*"):
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                left.unlink()
                swept += 1
    return swept
