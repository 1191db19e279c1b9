"""Output files of payloads: taken only from where they belong, and split into records."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from vmagent.pipe import Misbehaved
from vmagent.wire import frames

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NAME = re.compile(r"^([0-9]{1,19})-([0-9]{1,19})\.[A-Za-z0-9_.]{1,40}$")


class Folder:
    """EVP_OUTDIR, held open since before the payload began.

    Whatever a payload does to names and links on the way there, nothing outside of this very folder
    is read or removed.
    """

    def __init__(self, path: Path, inside: Optional[Path] = None) -> None:
        """Hold the folder ``path``; ``inside`` is what the payload calls it in its sandbox."""
        self._handle = os.open(path, _FOLDER)
        self._called = (f"{path}/", f"{os.path.realpath(path)}/", f"{inside or path}/")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._handle)

    def take(self, name: str, most: int) -> bytes:
        """Read and remove a file in it; `Misbehaved` if it is elsewhere, a link, too big."""
        with self._holding(name) as (folder, last):
            try:
                handle = os.open(last, _FILE, dir_fd=folder)
            except FileNotFoundError as error:
                raise Misbehaved("output-missing", f"there is no file {name[:80]!r}") from error
            except OSError as error:
                raise Misbehaved("lied", f"file {name[:80]!r} cannot be opened: {error}") from error
            with os.fdopen(handle, "rb") as found:
                facts = os.fstat(found.fileno())
                if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
                    raise Misbehaved("lied", f"file {name[:80]!r} is not a plain file of its own")
                if facts.st_size > most:
                    size = facts.st_size
                    raise Misbehaved("flooded", f"file {name[:80]!r}: {size} bytes, most {most}")
                raw = found.read(most + 1)
            with contextlib.suppress(OSError):
                os.unlink(last, dir_fd=folder)
        return raw

    @contextlib.contextmanager
    def _holding(self, name: str) -> Iterator[tuple[int, str]]:
        """The folder that holds a file, opened without following a link, and its last name."""
        inner = name
        for called in self._called:
            if name.startswith(called):
                inner = name[len(called) :]
        *way, last = inner.split("/")
        outside = Misbehaved("lied", f"file {name[:80]!r} is not below EVP_OUTDIR")
        if "\0" in name or {"", ".", ".."} & {*way, last}:
            raise outside
        at = self._handle
        try:
            for part in way:
                try:
                    before, at = at, os.open(part, _FOLDER, dir_fd=at)
                except OSError as error:
                    raise outside from error
                if before != self._handle:
                    os.close(before)
            yield at, last
        finally:
            if at != self._handle:
                os.close(at)

    def named(self) -> Iterator[tuple[int, int, str]]:
        """Files of the directory mode that are there by now: (first, last, name), in order."""
        found = []
        for name in os.listdir(self._handle):
            match = NAME.fullmatch(name)
            if match:
                found.append((int(match.group(1)), int(match.group(2)), name))
        return iter(sorted(found))

    def only(self) -> str:
        """The one file that the command mode leaves; `Misbehaved` if there is none or several."""
        names = sorted(os.listdir(self._handle))
        if len(names) != 1:
            word = "lied" if names else "output-missing"
            raise Misbehaved(word, f"one output file was to be left, there are {len(names)}")
        return names[0]


def split(
    raw: bytes, first: int, last: int, granule: int, how: str, sizes: Optional[tuple[int, ...]]
) -> tuple[bytes, ...]:
    """The records of a file of events ``[first, last)``; `Misbehaved` if they do not fit it."""
    count = frames.record_count(first, last, granule)
    if sizes is not None:
        if len(sizes) != count or sum(sizes) != len(raw):
            raise Misbehaved("lied", f"sizes= does not fit the file of [{first}, {last})")
        return tuple(_cut(raw, sizes))
    if count == 1:
        return (raw,)
    if how == "lines":
        return tuple(_lines(raw, first, last, granule))
    if how == "lengths":
        records = tuple(itertools.islice(_lengths(raw), count + 1))
        if len(records) != count:
            raise Misbehaved("lied", f"[{first}, {last}) are {count} records, the file has others")
        return records
    raise Misbehaved("lied", f"[{first}, {last}) is more than a granule and there is no split")


def _cut(raw: bytes, sizes: tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield raw[at : at + size]
        at += size


def _lines(raw: bytes, first: int, last: int, granule: int) -> Iterator[bytes]:
    lines = raw.splitlines(keepends=True) if b"\r" not in raw else _only_newlines(raw)
    if len(lines) != last - first or not raw.endswith(b"\n"):
        raise Misbehaved("lied", f"[{first}, {last}) need a line each, found {len(lines)}")
    event = first
    while event < last:
        upto = min(last, event - event % granule + granule)
        yield b"".join(lines[event - first : upto - first])
        event = upto


def _only_newlines(raw: bytes) -> list[bytes]:
    parts = [part + b"\n" for part in raw.split(b"\n")]
    return parts[:-1] if raw.endswith(b"\n") else parts


def _lengths(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        if at + 4 + size > len(raw):
            raise Misbehaved("lied", "a length leads beyond the end of the file")
        yield raw[at + 4 : at + 4 + size]
        at += 4 + size
