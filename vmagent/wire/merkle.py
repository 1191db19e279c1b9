"""One signature for many leases: a hash tree over their texts (the tree of RFC 6962, section 2.1).

Leaf = SHA-256(0x00, text), node = SHA-256(0x01, left, right). An odd node at the end of a level is
carried up. What is signed is ``CONTEXT`` + root. A path holds the sisters from the leaf up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

CONTEXT = b"windfall lease batch v1\0"
_sha256 = hashlib.sha256


def leaf_of(text: bytes) -> bytes:
    """The leaf of one text."""
    return _sha256(b"\0" + text).digest()


def tree(texts: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The root over one or more texts, and the path of each."""
    level = [_sha256(b"\0" + text).digest() for text in texts]
    levels = []
    while len(level) > 1:
        levels.append(level)
        level = [
            _sha256(b"\1" + level[k] + level[k + 1]).digest() if k + 1 < len(level) else level[k]
            for k in range(0, len(level), 2)
        ]
    paths = [b""]
    for row in reversed(levels):  # a node's path is its sister and then its parent's path
        paths = [
            row[k ^ 1] + paths[k >> 1] if k ^ 1 < len(row) else paths[k >> 1]
            for k in range(len(row))
        ]
    return level[0], paths


def root_from(text: bytes, index: int, size: int, path: bytes) -> bytes:
    """The root that this path leads to from leaf ``index`` of ``size``; b"" if it fits no tree."""
    if not 0 <= index < size or len(path) % 32:
        return b""
    node, at, width, used = leaf_of(text), index, size, 0
    while width > 1:
        if at ^ 1 < width:
            sister = path[used : used + 32]
            if len(sister) != 32:
                return b""
            used += 32
            pair = sister + node if at & 1 else node + sister
            node = _sha256(b"\1" + pair).digest()
        at, width = at >> 1, (width + 1) >> 1
    return node if used == len(path) else b""
