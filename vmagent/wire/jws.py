"""Signed statements: JWS in compact form with EdDSA over Ed25519 (RFC 7515, RFC 8037)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vmagent.wire import codec

TEXT_MOST = 4 * 1024 * 1024


class Unsigned(ValueError):
    """This is not a statement signed by a key that is believed here."""


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """The bytes of base64url without padding; ValueError if it is something else.

    Only the one spelling that `b64` makes is read: else a statement could be spelled in many ways
    that all verify, each under a digest of its own.
    """
    try:
        raw = text.encode("ascii")
        found = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error
    if b64(found) != text:
        raise ValueError("not base64url as it is made here")
    return found


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as 43 characters."""
    return b64(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def public_key(text: str) -> Ed25519PublicKey:
    """A public key from its text."""
    return Ed25519PublicKey.from_public_bytes(unb64(text))


def key_id(public: str) -> str:
    """The name of a key: the first 16 hexadecimal digits of the SHA-256 of its raw bytes."""
    return hashlib.sha256(unb64(public)).hexdigest()[:16]


def sign(kind: str, value: Mapping[str, Any], key: Ed25519PrivateKey) -> str:
    """A signed statement of this kind (one of `statements`), keys sorted, without blanks.

    ValueError if a number is not finite.
    """
    kid = key_id(public_text(key.public_key()))
    head = {"alg": "EdDSA", "kid": kid, "typ": kind}
    parts = [
        b64(json.dumps(part, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
        for part in (head, value)
    ]
    text = ".".join(parts)
    return f"{text}.{b64(key.sign(text.encode()))}"


def peek(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and value of a statement, unverified; `Unsigned` if it has not the form of one."""
    try:
        if len(text) > TEXT_MOST:
            raise ValueError("too long")
        head, value, _ = text.split(".")
        decoded = codec.parse(unb64(head)), codec.parse(unb64(value))
    except ValueError as error:
        raise Unsigned("this has not the form of a signed statement") from error
    if not all(isinstance(part, dict) for part in decoded):
        raise Unsigned("this has not the form of a signed statement")
    return decoded


def verify(kind: str, text: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """The value of a statement of this kind signed by one of ``keys`` (key id -> public text)."""
    head, value = peek(text)
    if head.get("alg") != "EdDSA" or head.get("typ") != kind or "crit" in head:
        raise Unsigned(f"this is not a statement of kind {kind}")
    kid = head.get("kid")
    public = keys.get(kid) if isinstance(kid, str) else None
    if public is None:
        raise Unsigned(f"it is signed with key {str(kid)[:64]}, which is not believed here")
    signed, _, signature = text.rpartition(".")
    try:
        public_key(public).verify(unb64(signature), signed.encode())
    except (InvalidSignature, ValueError) as error:
        raise Unsigned(f"its signature by key {kid} does not fit") from error
    return value


def digest(text: str) -> str:
    """The digest that names a statement: SHA-256 of its whole text."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()
