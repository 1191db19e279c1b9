"""Texts out of base64 and zlib as old contexts have them; nothing is unpacked without an end."""

from __future__ import annotations

import base64
import binascii
import zlib

MOST = 100_000
"""Bytes that one value is unpacked to."""


def uncoded(text: str) -> str:
    """ASCII text out of base64; ValueError if it is none."""
    return _bytes(text).decode("ascii")


def packed(text: str) -> str:
    """Zlib and base64, as amiconfig's openvpn wants certificates."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def unpacked(text: str) -> str:
    """ASCII text out of base64 and zlib; ValueError if it is none, or is too long."""
    try:
        machine = zlib.decompressobj()
        found = machine.decompress(_bytes(text), MOST)
    except zlib.error as error:
        raise ValueError(f"no zlib: {error}") from None
    if machine.unconsumed_tail or not machine.eof:
        raise ValueError("it is cut off, or too long")
    return found.decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None
