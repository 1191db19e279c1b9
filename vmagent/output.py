"""Output files of payloads: taken only from where they belong, and split into records."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from vmagent.pipe import Misbehaved
from vmagent.wire import frames

NAME = re.compile(r"^([0-9]{1,19})-([0-9]{1,19})\.[A-Za-z0-9_.]{1,40}$")


def take(outdir: Path, name: str, most: int) -> bytes:
    """Read and remove a file below ``outdir``; `Misbehaved` if it is elsewhere, a link, too big."""
    place = outdir / name
    home = os.path.realpath(outdir)
    folder = os.path.realpath(place.parent)
    if folder != home and not folder.startswith(home + os.sep):
        raise Misbehaved("lied", f"file {name[:80]!r} is not below EVP_OUTDIR")
    path = os.path.join(folder, place.name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Misbehaved("output-missing", f"there is no file {name[:80]!r}") from error
    except OSError as error:
        raise Misbehaved("lied", f"file {name[:80]!r} cannot be opened: {error}") from error
    with os.fdopen(handle, "rb") as found:
        facts = os.fstat(found.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise Misbehaved("lied", f"file {name[:80]!r} is not a plain file of its own")
        if facts.st_size > most:
            raise Misbehaved("flooded", f"file {name[:80]!r}: {facts.st_size} bytes, most {most}")
        raw = found.read(most + 1)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return raw


def named(outdir: Path) -> Iterator[tuple[int, int, str]]:
    """Files of the directory mode that are there by now: (first, last, name), in order."""
    found = []
    with os.scandir(outdir) as entries:
        for entry in entries:
            match = NAME.match(entry.name)
            if match:
                found.append((int(match.group(1)), int(match.group(2)), entry.name))
    return iter(sorted(found))


def only(outdir: Path) -> str:
    """The one file that the command mode leaves; `Misbehaved` if there is none or several."""
    names = sorted(os.listdir(outdir))
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
        records = tuple(_lengths(raw))
        if len(records) != count:
            raise Misbehaved("lied", f"[{first}, {last}) are {count} records, found {len(records)}")
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
