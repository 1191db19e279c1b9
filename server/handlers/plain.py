"""Requests whose head is so plain that it can be read one way only (RFC 9112).

Whatever is unusual is not read here, and left to aiohttp: line ends other than CRLF, folded lines,
transfer codings, expectations, upgrades, other versions than 1.1, headers said twice. What is read
here, aiohttp reads the same way; a test compares the two.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD_MOST = 4096  # bytes; below what aiohttp takes
LINES_MOST = 32

_FIRST = re.compile(rb"(GET|POST|PUT|DELETE) (/[A-Za-z0-9._~/?=&,-]*) HTTP/1\.1")
# What is taken before a value is not given back: else a line of spaces costs their number squared.
_LINE = re.compile(rb"([A-Za-z][A-Za-z-]*):[ \t]*+([!-~]+(?:[ \t]+[!-~]+)*)?[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_NOT_PLAIN = {b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer", b"content-encoding"}


class Plain(NamedTuple):
    """The head of a request: names of headers in small letters, and where its body begins."""

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    size: int
    body_at: int


def read(data: bytes) -> Plain | None:
    """The head at the beginning of these bytes; None if it is not whole or not plain."""
    end = data.find(b"\r\n\r\n", 0, HEAD_MOST)
    if end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n", LINES_MOST + 1)
    asked = _FIRST.fullmatch(first)
    if asked is None or len(lines) > LINES_MOST:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            return None
        name, value = found.groups(b"")
        headers[name.lower()] = value
    if b"host" not in headers or len(headers) != len(lines) or not _NOT_PLAIN.isdisjoint(headers):
        return None
    if b"connection" in headers and headers[b"connection"].lower() != b"keep-alive":
        return None
    length = headers.get(b"content-length", b"0")
    if _LENGTH.fullmatch(length) is None:
        return None
    return Plain(asked[1], asked[2], headers, int(length), end + 4)
