"""The file of the keys that encrypt secrets in the database: made at the first start."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from server.blobs.descriptor import sync_folder
from server.keyring import KeyTrouble, write_private
from server.services.safe import KEY_BYTES, Safe

MOST = 65_536  # bytes of the file


def read(path: Path) -> Safe:
    """The safe over the keys in this file, one a line in base64, the one in use first.

    A file that is not there is made with one new key, readable by its owner alone. `KeyTrouble` if
    it is no such file, or others can read it.
    """
    if not path.exists():
        _make(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(MOST)
    except OSError as error:
        raise KeyTrouble(f"{path}: cannot be read: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise KeyTrouble(f"{path}: others than its owner may use it; chmod 600 {path}")
    keys = [_key(path, line) for line in raw.splitlines() if line.strip()]
    if not keys:
        raise KeyTrouble(f"{path}: holds no key; put its backup back, or remove it to begin anew")
    return Safe(keys)


def _key(path: Path, line: bytes) -> bytes:
    try:
        found = base64.b64decode(line.strip(), validate=True)
    except binascii.Error:
        found = b""
    if len(found) != KEY_BYTES:
        raise KeyTrouble(f"{path}: every line is a key of {KEY_BYTES} bytes in base64")
    return found


def _make(path: Path) -> None:
    """Write a new key so that the file is whole or not there."""
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        write_private(partial, text)
        try:
            os.link(partial, path)  # another process may have been quicker: its key stays
        except FileExistsError:
            return
        finally:
            partial.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise KeyTrouble(f"{path}: cannot be written: {error.strerror}") from error
