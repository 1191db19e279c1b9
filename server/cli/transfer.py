"""Bytes on their way: progress on a terminal, and downloads that go on where they stopped."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.cli.client import PIECE, Client
from server.cli.exits import CheckFailed, Refused
from server.cli.output import is_json, note

ATTEMPTS = 2


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error if a person looks; gives what is to be called with each step."""
    if is_json() or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress as bars
    from rich.console import Console

    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)


def fetch(server: Client, path: tuple[str | int, ...], out: Path) -> tuple[int, str]:
    """Bring the bytes at ``path`` into ``out``; their size and SHA-256 (hexadecimal).

    What a broken download left behind (``out``.part) is gone on with while the server still holds
    the same bytes (If-Range, RFC 9110). The digest is that of Repr-Digest or Content-Digest (RFC
    9530); `CheckFailed` if the bytes have another.
    """
    part, mark = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.part.etag")
    for _ in range(ATTEMPTS):
        known = mark.read_text() if part.is_file() and mark.is_file() else ""
        start = part.stat().st_size if known else 0
        asked = {"Range": f"bytes={start}-", "If-Range": known} if start else {}
        with server.stream(*path, headers=asked) as response:
            if response.status != 416:
                resumed = response.status == 206 and _begins_at(response.headers, start)
                stated = _stated(response.headers, whole=response.status == 200)
                if not resumed and response.status != 200:
                    raise Refused(f"{out}: the server sent another part than was asked for")
                _note_resumed(start, resumed=resumed)
                mark.write_text(response.headers.get("ETag", ""))
                _take(response, part, out.name, resumed=resumed)
                return _checked(part, mark, out, stated)
        part.unlink(missing_ok=True)
    raise Refused(f"{out}: the server has no bytes for this range; try again")


def _note_resumed(start: int, *, resumed: bool) -> None:
    if resumed and not is_json():
        note(f"going on after the {start} bytes that are here already")


def _begins_at(headers: Mapping[str, str], start: int) -> bool:
    return headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _take(response: Any, part: Path, title: str, *, resumed: bool) -> None:
    length = response.headers.get("Content-Length")
    with (
        part.open("ab" if resumed else "wb") as file,
        progress(title, int(length) if length else None) as advance,
    ):
        for piece in response.stream(PIECE):
            file.write(piece)
            advance(len(piece))


def _stated(headers: Mapping[str, str], *, whole: bool) -> str:
    """The SHA-256 of the whole, as the server states it, in hexadecimal."""
    fields = [headers.get("Repr-Digest", ""), headers.get("Content-Digest", "") if whole else ""]
    for field in fields:
        found = re.search(r"(?:^|[\s,])sha-256=:([A-Za-z0-9+/=]+):", field)
        if found:
            try:
                return base64.b64decode(found[1], validate=True).hex()
            except binascii.Error:
                continue
    return ""


def _checked(part: Path, mark: Path, out: Path, stated: str) -> tuple[int, str]:
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if stated and stated != found:
        part.unlink()
        mark.unlink()
        raise CheckFailed(
            f"{out}: the bytes that came have the digest {found}, the server states {stated}; "
            "they were thrown away, try again"
        )
    if not stated:
        raise Refused(f"{part}: the server stated no digest (Repr-Digest), so it stays a part")
    part.replace(out)
    mark.unlink()
    return out.stat().st_size, found
