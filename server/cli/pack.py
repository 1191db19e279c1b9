"""Payload bundles: the same folder is the same bytes, whoever packs it and whenever."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from server.cli.exits import BadFile

# What Python leaves behind when a payload is tried out; it would make every packing another.
LEFT_OUT = frozenset({"__pycache__"})
# What an agent unpacks at most (vmagent.bundles); better told here than refused out there.
FILES_MOST = 20_000
UNPACKED_MOST = 4 * 1024**3


@dataclass(frozen=True)
class Entry:
    """A file or folder that goes into a bundle, under this name."""

    name: str
    path: Path
    is_folder: bool
    is_program: bool
    size: int


def pack(folder: Path, out: Path) -> list[Entry]:
    """Pack a folder into ``out`` (.tar.gz) and say what went in; `BadFile` names what cannot.

    Names are sorted, times are 0, owners root, modes 755 for folders and programs and 644 for the
    rest. Only plain files and folders go in: an agent unpacks nothing else.
    """
    entries = survey(folder)
    if not any(not entry.is_folder for entry in entries):
        raise BadFile(f"{folder}: there is no file in it; name the folder with the payload's files")
    total = sum(entry.size for entry in entries)
    if len(entries) > FILES_MOST or total > UNPACKED_MOST:
        raise BadFile(
            f"{folder}: {len(entries)} files and folders of {total} bytes; agents unpack at most "
            f"{FILES_MOST} and {UNPACKED_MOST} bytes, so take out what is not needed"
        )
    if out.absolute().is_relative_to(folder.absolute()):
        raise BadFile(f"{out}: the bundle would lie inside the folder it packs; name another place")
    part = out.with_name(f".{out.name}.part")
    try:
        with part.open("wb") as raw:
            _write(raw, entries)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return entries


def survey(folder: Path) -> list[Entry]:
    """Everything under a folder, sorted by name; `BadFile` names all that no bundle may hold."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: not a folder; name the folder with the payload's files")
    entries: list[Entry] = []
    faults: list[str] = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        facts = path.lstat()
        fault = _fault(name, facts.st_mode)
        if fault:
            faults.append(fault)
            continue
        is_folder = stat.S_ISDIR(facts.st_mode)
        is_program = bool(facts.st_mode & 0o100) and not is_folder
        entries.append(Entry(name, path, is_folder, is_program, 0 if is_folder else facts.st_size))
    if faults:
        raise BadFile(f"{folder}: not all of it can go into a bundle", sorted(faults))
    return sorted(entries, key=lambda entry: entry.name.encode())


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name in LEFT_OUT:
                continue
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))


def _fault(name: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"{name}: a link; put the file itself in its place"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return f"{name}: neither a file nor a folder; take it out"
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name.encode(errors='replace').decode()}: not a name in UTF-8; rename it"
    return ""


def _write(raw: IO[bytes], entries: list[Entry]) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as bundle,
    ):
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.mode = 0o755 if entry.is_folder or entry.is_program else 0o644
            if entry.is_folder:
                info.type = tarfile.DIRTYPE
                bundle.addfile(info)
                continue
            info.size = entry.size
            with entry.path.open("rb") as source:
                bundle.addfile(info, source)
