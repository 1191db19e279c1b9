"""Blobs in memory pass the suite."""

from __future__ import annotations

import pytest

from server.blobs.base import BlobFull, Blobs
from server.blobs.memory import MemoryBlobs
from tests.conformance.blobs.suite import BlobsSuite, keys_of


class TestMemoryBlobs(BlobsSuite):
    """The suite, in memory."""

    @pytest.fixture
    def blobs(self) -> Blobs:
        return MemoryBlobs()


async def test_memory_with_a_limit_says_when_it_is_full() -> None:
    blobs = MemoryBlobs(room=10)
    await blobs.put("a", b"123456")
    with pytest.raises(BlobFull, match="6 of 10 bytes"):
        await blobs.put("b", b"12345")
    await blobs.put("a", b"1234567890")
    await blobs.delete("a")
    await blobs.put("b", b"12345")
    assert await keys_of(blobs) == ["b"]
