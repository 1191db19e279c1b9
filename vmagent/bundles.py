"""Payload bundles: fetched once, checked before they are opened, unpacked without surprises."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Callable, cast

from vmagent import files
from vmagent.errors import Untrusted

FILES_MOST = 20_000
UNPACKED_MOST = 4 * 1024**3
BUNDLE_MOST = 1024**3
READ_MOST = 1024**2


class Bundles:
    """Unpacked bundles by the digest of their archive."""

    def __init__(self, home: Path) -> None:
        self._home = home / "bundles"
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)

    def find(self, digest: str) -> Path:
        """Where this bundle lies, or would lie."""
        return self._home / digest

    def has(self, digest: str) -> bool:
        """Whether this bundle is there."""
        return self.find(digest).is_dir()

    def get(self, digest: str, size: int, fetch: Callable[[str, int], str]) -> Path:
        """The bundle's folder, fetched if it is not there.

        ``fetch(path, size)`` writes the archive and answers with its SHA-256; `Untrusted` if that
        is not the digest of the signed statement.
        """
        place = self.find(digest)
        if place.is_dir():
            return place
        if size > BUNDLE_MOST:
            raise Untrusted("altered", f"payload {digest[:12]}", f"{size} bytes is too much")
        work = Path(tempfile.mkdtemp(dir=self._home, prefix=".new-"))
        try:
            archive = work / "bundle.tar.gz"
            found = fetch(str(archive), size)
            if found != digest or archive.stat().st_size != size:
                raise Untrusted("altered", f"payload {digest[:12]}", "its digest does not fit")
            unpack(archive, work / "files")
            os.replace(work / "files", place)
            files.sync_folder(self._home)
        except OSError:
            if not place.is_dir():  # if it is: another thread was quicker, with the same bytes
                raise
        finally:
            files.remove(work)
        return place

    def tidy(self) -> None:
        """Remove what a crash left half done."""
        for left in self._home.glob(".new-*"):
            files.remove(left)


class _Bounded:
    """What a compressed archive unpacks to, never much of it in memory at once.

    The names in an archive may be as long as it says, and are read whole.
    """

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._packed = packed
        self.seek, self.tell, self.close = packed.seek, packed.tell, packed.close

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes; ValueError if that is too much to ask for."""
        if not 0 <= size <= READ_MOST:
            raise ValueError(f"a part of {size} bytes that has to be read at once")
        return self._packed.read(size)


def _reading(packed: gzip.GzipFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast(IO[bytes], _Bounded(packed)), mode="r:")


_NO_BUNDLE = (
    *(tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError),
    *(FileExistsError, NotADirectoryError, IsADirectoryError),  # two members in each other's way
)


def unpack(archive: Path, place: Path) -> None:
    """Unpack a .tar.gz of plain files and folders; `Untrusted` at anything else in it."""
    place.mkdir(mode=0o700)
    total = 0
    try:
        with gzip.open(archive) as packed, _reading(packed) as tar:
            for count, member in enumerate(tar):
                total += max(0, member.size)
                if count >= FILES_MOST or total > UNPACKED_MOST:
                    raise _refused(member, f"more than {FILES_MOST} files or {UNPACKED_MOST} bytes")
                _unpack_one(tar, member, place)
    except _NO_BUNDLE as error:
        raise Untrusted("unreadable", "a payload bundle", str(error)) from error


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise _refused(member, "its path leads out of the bundle")
    target = place.joinpath(*path.parts)
    if member.isdir():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    if not member.isreg():
        raise _refused(member, "only plain files and folders may be in a bundle")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:
        raise _refused(member, "it has no content")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        handle = os.open(target, flags, 0o700 if member.mode & 0o100 else 0o600)
    except FileExistsError as error:
        raise _refused(member, "it is there twice") from error
    with os.fdopen(handle, "wb") as out:
        shutil.copyfileobj(source, out)


def _refused(member: tarfile.TarInfo, why: str) -> Untrusted:
    return Untrusted("altered", f"the bundle's {member.name[:80]!r}", why)
