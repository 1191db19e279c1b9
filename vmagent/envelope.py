"""Opens the envelope of a protected context with its secret; nothing of it is believed before.

Two suites (``docs/protocol.md``): scrypt with AES-256-GCM (RFC 7914, NIST SP 800-38D), and
PBKDF2-SHA256 with AES-256-CTR and HMAC-SHA256 for old machines, which is checked before it is
deciphered. What a server may ask of this machine's processor and memory is capped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Optional

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

GCM, CTR = "scrypt+aes-256-gcm", "pbkdf2+aes-256-ctr+hmac-sha256"
N_LEAST, N_MOST = 2**15, 2**18
ITER_LEAST, ITER_MOST = 600_000, 5_000_000
SEALED_MOST = 524_288
SCRYPT_MEMORY = 512 * 1024 * 1024


class Unreadable(ValueError):
    """This is no envelope that this agent opens."""


class WrongSecret(ValueError):
    """The secret is not the envelope's, or what is in it was altered."""


def open_(text: str, secret: str, context: str, revision: int) -> bytes:
    """What is sealed in the envelope of this revision of this context.

    `Unreadable` if it is none or is of another, `WrongSecret`.
    """
    found = _read(text)
    if found.get("aad") != f"context:{context}:{revision}":
        raise Unreadable("it is of another context or revision")
    kdf = found.get("kdf")
    if not isinstance(kdf, Mapping):
        raise Unreadable("kdf is missing")
    opener = {GCM: _open_gcm, CTR: _open_ctr}.get(str(found.get("suite")))
    if opener is None:
        raise Unreadable(f"suite is not one of {GCM}, {CTR}")
    return opener(found, kdf, secret.encode())


def _read(text: str) -> dict[str, Any]:
    if len(text) > SEALED_MOST:
        raise Unreadable(f"it is longer than {SEALED_MOST} characters")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is not JSON") from error
    if not isinstance(found, dict) or found.get("v") != 1 or isinstance(found.get("v"), bool):
        raise Unreadable("v is not 1")
    return found


def _open_gcm(found: Mapping[str, Any], kdf: Mapping[str, Any], secret: bytes) -> bytes:
    salt, nonce = _bytes(kdf, "salt", 16), _bytes(found, "nonce", 12)
    n = _number(kdf, "n", N_LEAST, N_MOST)
    if n & (n - 1):
        raise Unreadable("n is no power of two")
    r, p = _number(kdf, "r", 8, 8), _number(kdf, "p", 1, 1)
    key = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=SCRYPT_MEMORY, dklen=32)
    sealed = _bytes(found, "ct", None)
    try:
        return AESGCM(key).decrypt(nonce, sealed, str(found["aad"]).encode())
    except (InvalidTag, ValueError) as error:
        raise WrongSecret("it does not open") from error


def _open_ctr(found: Mapping[str, Any], kdf: Mapping[str, Any], secret: bytes) -> bytes:
    salt, nonce = _bytes(kdf, "salt", 16), _bytes(found, "nonce", 16)
    rounds = _number(kdf, "iter", ITER_LEAST, ITER_MOST)
    tag, sealed = _bytes(found, "tag", 32), _bytes(found, "ct", None)
    keys = hashlib.pbkdf2_hmac("sha256", secret, salt, rounds, 64)
    said = json.dumps(
        {name: value for name, value in found.items() if name != "tag"},
        sort_keys=True,
        separators=(",", ":"),
    )
    if not hmac.compare_digest(tag, hmac.digest(keys[32:], said.encode(), "sha256")):
        raise WrongSecret("it does not open")
    decryptor = Cipher(algorithms.AES(keys[:32]), modes.CTR(nonce)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def _bytes(found: Mapping[str, Any], name: str, length: Optional[int]) -> bytes:
    try:
        raw = base64.b64decode(str(found.get(name)), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(f"{name} is not base64") from error
    if length is not None and len(raw) != length:
        raise Unreadable(f"{name} has not {length} bytes")
    return raw


def _number(found: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Unreadable(f"{name} is not from {least} to {most}")
    return value
