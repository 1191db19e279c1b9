"""Payload bundles: taken in with their signature, handed out by digest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from server.blobs.base import BlobTrouble
from server.db import payloads, productions
from server.db.payloads import Payload
from server.domain.errors import BadInput, DigestMismatch, Exists, NotFound
from server.services.deps import Deps
from server.services.trouble import readable, told


@dataclass(frozen=True)
class Bundle:
    """What a checked statement says of a bundle, and the statement itself."""

    name: str
    version: str
    digest: str
    size: int
    statement: str


async def add(deps: Deps, bundle: Bundle, data: bytes, found: str) -> Payload:
    """Keep a bundle. The same bundle twice is fine.

    Raises DigestMismatch, BadInput, Exists, DiskFull, Unavailable.
    """
    if found != bundle.digest:
        raise DigestMismatch(bundle.digest, found)
    if len(data) != bundle.size:
        raise BadInput([f"size: the statement says {bundle.size}, the bundle has {len(data)}"])
    known = await deps.store.read(lambda tx: payloads.by_digest(tx, bundle.digest))
    if known is not None:
        return known
    try:
        await deps.blobs.put(key_of(bundle.digest), data)
    except BlobTrouble as error:
        raise told(error) from error
    row = Payload(
        bundle.digest, bundle.name, bundle.version, bundle.size, bundle.statement, deps.clock()
    )
    if not await deps.store.write(lambda tx: payloads.add(tx, row)):
        raise Exists("payload", f"{bundle.name} {bundle.version}")
    return row


async def find(deps: Deps, digest: str) -> Payload:
    """The bundle of this digest. Raises NotFound."""
    row = await deps.store.read(lambda tx: payloads.by_digest(tx, digest))
    if row is None:
        raise NotFound("payload", digest)
    return row


async def everyone(deps: Deps) -> list[Payload]:
    """Every bundle."""
    return await deps.store.read(payloads.everyone)


async def manifest(deps: Deps, digest: str) -> str:
    """The signed manifest of this digest. Raises NotFound."""
    text = await deps.store.read(lambda tx: productions.manifest(tx, digest))
    if text is None:
        raise NotFound("manifest", digest)
    return text


def stream(deps: Deps, bundle: Payload, offset: int, count: int) -> AsyncIterator[bytes]:
    """The bytes of a bundle from ``offset`` on. Raises Unavailable."""
    return readable(deps.blobs.stream(key_of(bundle.digest), offset, count))


def key_of(digest: str) -> str:
    """The blob of a bundle."""
    return f"payloads/{digest}.tar.gz"
