"""Leases get their text and one signature for all that are sealed before the first is answered."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.handlers.schema import encode, maker
from server.services.deps import LeaseValue
from vmagent.wire import merkle
from vmagent.wire.messages import PROTOCOL, Lease, Proof

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_lease = maker(Lease)
_proof = maker(Proof)


def _b64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


class Batch:
    """Texts that share a signature; closed when the first of them is answered."""

    __slots__ = ("kid", "paths", "signature", "texts")

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.kid = ""
        self.signature = ""
        self.paths: list[bytes] = []


class Sealed(NamedTuple):
    """The leases of one answer: where they stand in their batch."""

    sealer: Sealer
    batch: Batch
    at: int
    leased: int

    def leases(self) -> list[str]:
        """The exact texts."""
        texts = self.batch.texts[self.at : self.at + self.leased]
        return [text.decode() for text in texts]

    def proof(self) -> Proof:
        """The signature over the batch, and the paths that lead to it."""
        batch = self.batch
        if not batch.signature:
            self.sealer.close(batch)
        paths = batch.paths[self.at : self.at + self.leased]
        return _proof(
            batch.kid, batch.signature, len(batch.texts), self.at, [_b64(path) for path in paths]
        )


class Sealer:
    """Signs batches with the work key; one signature costs as much as a whole small request."""

    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        self.kid = kid
        self._key = key
        self._open = Batch()

    def __call__(self, leases: Sequence[LeaseValue]) -> Sealed:
        """Take these leases into the open batch."""
        batch = self._open
        index = len(batch.texts)
        batch.texts += [
            encode(
                _lease(
                    v.task, v.production, v.manifest, v.host, v.first, v.last,
                    v.issued, v.until, v.ask, PROTOCOL, v.memory_mb,
                )
            )
            for v in leases
        ]  # fmt: skip
        return Sealed(self, batch, index, len(leases))

    def use(self, kid: str, key: Ed25519PrivateKey) -> None:
        """Sign with this key from now on; what is open is signed with the old one."""
        if self._open.texts:
            self.close(self._open)
        self.kid, self._key = kid, key

    def close(self, batch: Batch) -> None:
        """Sign a batch; what is sealed from now on goes into the next."""
        if self._open is batch:
            self._open = Batch()
        batch.kid = self.kid
        root, batch.paths = merkle.tree(batch.texts)
        batch.signature = _b64(self._key.sign(merkle.CONTEXT + root))
