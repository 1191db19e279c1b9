"""The trivial payload: every event is a line that follows from its number and the seed."""

from __future__ import annotations

import base64
import hashlib

from vmagent.wire import frames


def record(event: int, seed: int) -> bytes:
    """The bytes of an event: the same wherever it is made."""
    return b"%d %d %08x\n" % (seed, event, (event * 2_654_435_761 + seed) & 0xFFFFFFFF)


def frame(first: int, last: int, seed: int) -> bytes:
    """A frame of these events, as it goes over the wire."""
    return frames.encode(first, last, [record(event, seed) for event in range(first, last)])


def digest_field(body: bytes) -> str:
    """The Content-Digest of a frame (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
