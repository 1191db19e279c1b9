"""What is secret in the database: encrypted and digested with keys that are not in the database.

AES-256-GCM (NIST SP 800-38D) with a random nonce; what a secret is of is authenticated with it, so
that nobody who can write rows can move it to another. Digests are HMAC-SHA256 (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.domain.errors import Refusal

KEY_BYTES = 32
_ID, _NONCE = 4, 12


class NotOpened(Refusal):
    """A secret of {about} does not open: restore its key (keys.at_rest), or set the secret anew."""

    code = "secret-lost"
    about: str


class Safe:
    """The keys: the first encrypts and digests, all decrypt."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Over keys of 32 bytes; without any, over one that ends with this object."""
        self._keys = tuple(keys) or (secrets.token_bytes(KEY_BYTES),)
        self._by_id = {_id(key): AESGCM(_part(key, "encrypt")) for key in reversed(self._keys)}

    def close(self, secret: bytes, about: str) -> bytes:
        """Encrypt; ``about`` says what it is the secret of, and `open` wants to hear the same."""
        name, nonce = _id(self._keys[0]), secrets.token_bytes(_NONCE)
        return name + nonce + self._by_id[name].encrypt(nonce, secret, about.encode())

    def open(self, closed: bytes, about: str) -> bytes:
        """What was encrypted. Raises NotOpened."""
        name, nonce, rest = closed[:_ID], closed[_ID : _ID + _NONCE], closed[_ID + _NONCE :]
        found = self._by_id.get(name)
        if found is None:
            raise NotOpened(about)
        try:
            return found.decrypt(nonce, rest, about.encode())
        except (InvalidTag, ValueError) as error:
            raise NotOpened(about) from error

    def digest(self, text: str, about: str) -> bytes:
        """What is kept of a short secret that is only compared; another one for each use."""
        key = _part(self._keys[0], f"digest {about}")
        return hmac.digest(key, text.encode(), hashlib.sha256)


def _part(key: bytes, use: str) -> bytes:
    """A key of its own for each use."""
    return hmac.digest(key, use.encode(), hashlib.sha256)


def _id(key: bytes) -> bytes:
    return _part(key, "id")[:_ID]
