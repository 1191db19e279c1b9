"""Content-Digest (RFC 9530): the SHA-256 of a body, stated in a header beside it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from server.domain.errors import DigestMismatch
from server.handlers.errors import BadDigestField

HEADER = "Content-Digest"
ALGORITHM = "sha-256"
FIELD_MOST = 1024  # a few algorithms at most; the parsing is linear, and need not be long

_PARAMETER = r"(?:; *[a-z*][a-z0-9_.*-]*(?:=\"[^\"]*\"|=[^,;\" ]*)?)*"
_MEMBER = re.compile(rf"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):{_PARAMETER}")
_COMMA = re.compile(r"[ \t]*,[ \t]*")


_PLAIN = f"{ALGORITHM}=:"  # what most say: this digest alone, without parameters
_PLAIN_SIZE = len(_PLAIN) + 44 + 1


def make(digest: bytes) -> str:
    """The field's value for a SHA-256."""
    return f"{ALGORITHM}=:{base64.b64encode(digest).decode('ascii')}:"


def parse(field: str) -> bytes | None:
    """The SHA-256 that the field states, or None if it states other digests only.

    The field is a dictionary of byte sequences (RFC 8941 3.2, 3.3.5); of a repeated key the last
    member counts. `BadDigestField` if it is anything else.
    """
    if len(field) > FIELD_MOST:
        raise BadDigestField(f"Content-Digest: at most {FIELD_MOST} characters.")
    if len(field) == _PLAIN_SIZE and field.startswith(_PLAIN) and field.endswith(":"):
        return _sha256(field[len(_PLAIN) : -1])
    found: bytes | None = None
    at = 0
    field = field.strip(" \t")
    while True:
        member = _MEMBER.match(field, at)
        if member is None:
            raise BadDigestField()
        if member[1] == ALGORITHM:
            found = _sha256(member[2])
        at = member.end()
        if at == len(field):
            return found
        comma = _COMMA.match(field, at)
        if comma is None:
            raise BadDigestField()
        at = comma.end()


def _sha256(text: str) -> bytes:
    try:
        digest = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise BadDigestField(
            f"Content-Digest: {ALGORITHM} is not base64; send 44 signs."
        ) from error
    if len(digest) != 32:
        raise BadDigestField(f"Content-Digest: {ALGORITHM} has 32 bytes, this has {len(digest)}.")
    return digest


def demand(field: str | None) -> bytes:
    """The SHA-256 that must be stated here; `BadDigestField` if it is not."""
    digest = None if field is None else parse(field)
    if digest is None:
        raise BadDigestField(f"This body needs the header {HEADER}: {ALGORITHM}=:<base64>:.")
    return digest


def check(body: bytes, field: str | None) -> bytes:
    """The SHA-256 of a body that must be the one stated; `DigestMismatch` if it is not."""
    stated = demand(field)
    found = hashlib.sha256(body).digest()
    if stated != found:
        raise DigestMismatch(stated.hex(), found.hex())
    return found
