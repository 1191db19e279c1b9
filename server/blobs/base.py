"""What every blob back-end promises: whole blobs under keys, or an error with a name."""

from __future__ import annotations

import errno
import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

Body = bytes | AsyncIterable[bytes]
"""What `Blobs.put` takes. An iterable that is no iterator can be read again, thus put again."""

PIECE = 1 << 20
KEY_MOST = 512
PART_MOST = 200  # a file name may have 255 bytes, and a temporary name is longer than its key's
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/?)*", re.ASCII)


class BlobTrouble(Exception):
    """A blob back-end could not do what was asked."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.__doc__)


class BlobMissing(BlobTrouble):
    """There is no blob of this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no blob {key!r}")
        self.key = key


class BlobFull(BlobTrouble):
    """There is no room left; nothing was written, and a later try may succeed."""


class BlobFailed(BlobTrouble):
    """A back-end failed; ``retry`` tells whether the same call may succeed later."""

    def __init__(self, detail: str = "", *, retry: bool) -> None:
        super().__init__(detail)
        self.retry = retry


class BackendAbsent(BlobTrouble):
    """The library or program that a back-end needs is not installed."""


class BadKey(ValueError):
    """This is no key of a blob."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key!r} is no key: up to {KEY_MOST} characters, parts of A-Z a-z 0-9 . _ - divided "
            f"by single slashes, each up to {PART_MOST} and not starting with a dot"
        )
        self.key = key


@dataclass(frozen=True)
class Stored:
    """What was put: its size in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Found:
    """What is there: its size in bytes. (Not every back-end keeps a SHA-256; the database does.)"""

    size: int


class Blobs(Protocol):
    """Bytes under keys. A blob is absent or whole, never half, whoever dies when.

    Every method may raise `BadKey`, `BlobFailed` and `BackendAbsent`. No back-end retries a whole
    call by itself (`retrying.RetryingBlobs` does) and none keeps anything in memory that it has
    promised. All methods may be called at the same time, from one event loop. No key may be the
    folder of another ("a" and "a/b"): file systems cannot hold both.
    """

    async def put(self, key: str, data: Body) -> Stored:
        """Keep these bytes; once this returns they survive a crash of the back-end's machine.

        Until then a reader finds what was there before, nothing or the old blob, and so it stays if
        this fails or is cancelled. The same bytes put twice are fine; of different bytes the last
        put wins. Raises `BlobFull`. An error of the iterable comes through as it is.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The whole blob; `BlobMissing` if there is none."""
        ...

    async def read(self, key: str, offset: int, size: int) -> bytes:
        """The bytes from ``offset``, fewer than ``size`` only at the end; `BlobMissing`."""
        ...

    def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        """``size`` bytes (or all) from ``offset``, in pieces of at most ``piece``.

        `BlobMissing` comes with the first piece. A blob deleted or replaced under way either
        streams on as it was or ends with an error, never with other bytes.
        """
        ...

    async def stat(self, key: str) -> Found:
        """The size of a blob; `BlobMissing` if there is none."""
        ...

    async def delete(self, key: str) -> None:
        """Let go of a blob; that there is none is fine."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys that start with ``prefix``, each once, in no promised order."""
        ...

    async def sweep(self, older_s: float) -> int:
        """Remove what puts that broke off more than ``older_s`` seconds ago left; how many."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads; closing twice is fine."""
        ...


def check_key(key: str) -> str:
    """The key itself, or `BadKey`."""
    if len(key) > KEY_MOST or not _KEY.fullmatch(key):
        raise BadKey(key)
    if len(key) > PART_MOST and max(map(len, key.split("/"))) > PART_MOST:
        raise BadKey(key)
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself, or `BadKey` if no key can start with it."""
    if len(prefix) > KEY_MOST or not _PREFIX.fullmatch(prefix):
        raise BadKey(prefix)
    return prefix


def check_range(offset: int, size: int | None) -> None:
    """`ValueError` if no bytes can lie there."""
    if offset < 0 or (size is not None and size < 0):
        raise ValueError(f"offset {offset} and size {size} must not be negative")


def may_hold(folder: str, prefix: str) -> bool:
    """Whether keys below ``folder`` ("a/b/") can start with ``prefix``."""
    return folder.startswith(prefix) or prefix.startswith(folder)


async def gathered(pieces: AsyncIterable[bytes], least: int = PIECE) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least ``least``, the last one shorter; nothing if empty."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if len(buffer) >= least:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PASSING = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE}
    | {errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT}
)


def trouble_of(error: OSError, what: str) -> BlobTrouble:
    """An error of the operating system in the words of this package."""
    if error.errno in _FULL:
        return BlobFull(f"no room for {what}: {error.strerror}")
    return BlobFailed(f"{what}: {error}", retry=error.errno in _PASSING)
