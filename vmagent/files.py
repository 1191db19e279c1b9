"""Files that are there whole or not at all, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def write(path: Path, raw: bytes, mode: int = 0o600) -> None:
    """Replace a file: temporary file beside it, fsync, rename, fsync of the folder.

    After a crash the file is the old or the new one. A disk that lies about fsync is not covered.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(raw)
            out.flush()
            os.fsync(out.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Take away a file or folder, if it is there; parts that resist stay.

    What a payload leaves behind may be closed to its owner, or deeper than a stack or a path can
    be: every folder is opened up, and brought up to the top before it is emptied.
    """
    if not path.is_dir() or path.is_symlink():
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
        for inner in _emptied(folder):
            top = path / f".{secrets.token_hex(12)}"
            with contextlib.suppress(OSError):
                os.chmod(inner, 0o700)  # to be moved, a folder must be open itself
                os.rename(inner, top)
                waiting.append(top)
        if folder != path:
            with contextlib.suppress(OSError):
                folder.rmdir()
    with contextlib.suppress(OSError):
        path.rmdir()


def _emptied(folder: Path) -> list[str]:
    """Take away every file of a folder; the folders in it."""
    inner = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
    return inner


def free_bytes(path: Path) -> int:
    """Bytes an ordinary user may still write where ``path`` lies."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
