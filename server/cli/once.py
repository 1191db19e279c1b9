"""Tokens that a server tells once: shown, or written to a file before anything else happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from server.cli.exits import BadFile
from server.cli.options import PATH
from server.cli.output import note, tell

OUT = click.option(
    "-o", "--output", "out", type=PATH, help="A new file for it (for its owner only)."
)


def hand_over(out: Path | None, make: Callable[[], dict[str, Any]]) -> None:
    """Have a token made, and show it or write it to a new file. Raises BadFile."""
    if out is None:
        answer = make()
        tell(answer, str(answer["token"]))
        note("Keep it safe: the server has only its digest, and cannot show it again.")
        return
    # The file first: a token that cannot be written down would be lost.
    with _new(out) as file:
        answer = make()
        file.write(f"{answer['token']}\n")
    tell({"id": answer.get("id"), "file": str(out)}, f"{out}: token {answer.get('id')}")


@contextmanager
def _new(path: Path) -> Iterator[IO[str]]:
    """A file that its owner alone may read; never one that is there, and gone if it fails."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadFile(f"{path}: is there already; name another file") from None
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
