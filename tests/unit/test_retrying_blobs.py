"""What may succeed later is tried again, with pauses; what cannot is not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.blobs.base import PIECE, BlobFailed, BlobMissing, Body, Stored
from server.blobs.memory import MemoryBlobs
from server.blobs.retrying import Patience, RetryingBlobs
from tests.conformance.blobs.suite import Replayed, keys_of, streamed


class Shaky(MemoryBlobs):
    """Fails so many times before it works."""

    def __init__(self, failures: int, retry: bool = True) -> None:
        super().__init__()
        self.failures = failures
        self.retry = retry
        self.calls = 0

    def shake(self) -> None:
        """Fail, if there are failures left."""
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise BlobFailed("the network shook", retry=self.retry)

    async def put(self, key: str, data: Body) -> Stored:
        stored = await super().put(key, data)
        self.shake()
        return stored

    async def get(self, key: str) -> bytes:
        self.shake()
        return await super().get(key)

    async def delete(self, key: str) -> None:
        self.shake()
        await super().delete(key)

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = PIECE
    ) -> AsyncIterator[bytes]:
        yield (await self.get(key))[:2]
        if key == "breaks":
            raise BlobFailed("in the middle", retry=True)
        yield (await MemoryBlobs.get(self, key))[2:]

    async def list(self, prefix: str = "") -> AsyncIterator[str]:
        number = 0
        async for key in super().list(prefix):
            yield key
            number += 1
            if number == 2:
                self.shake()


def patient(shaky: Shaky, pauses: list[float] | None = None) -> RetryingBlobs:
    """Retries that write their pauses down instead of waiting."""
    kept = [] if pauses is None else pauses

    async def sleep(pause: float) -> None:
        kept.append(pause)

    patience = Patience(tries=5, first_s=1.0, longest_s=3.0)
    return RetryingBlobs(shaky, patience, sleep, lambda low, high: low + high)


async def test_it_tries_again_with_doubling_pauses_up_to_a_bound() -> None:
    pauses: list[float] = []
    shaky = Shaky(4)
    assert (await patient(shaky, pauses).put("a", b"content")).size == 7
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    assert shaky.calls == 5


async def test_it_gives_up_with_the_last_error() -> None:
    shaky = Shaky(99)
    with pytest.raises(BlobFailed, match="the network shook"):
        await patient(shaky).get("a")
    assert shaky.calls == 5


async def test_what_cannot_succeed_later_is_not_tried_again() -> None:
    shaky = Shaky(1, retry=False)
    with pytest.raises(BlobFailed):
        await patient(shaky).delete("a")
    assert shaky.calls == 1
    with pytest.raises(BlobMissing):
        await patient(shaky).get("a")
    assert shaky.calls == 2


async def test_pieces_that_start_anew_are_put_again_and_an_iterator_is_not() -> None:
    shaky = Shaky(2)
    blobs = patient(shaky)
    assert (await blobs.put("a", Replayed(b"con", b"tent"))).size == 7
    assert await blobs.get("a") == b"content"
    shaky.failures = 1
    with pytest.raises(BlobFailed):
        await blobs.put("b", aiter(Replayed(b"con", b"tent")))


async def test_a_stream_is_begun_again_but_never_in_the_middle() -> None:
    shaky = Shaky(0)
    blobs = patient(shaky)
    await blobs.put("a", b"content")
    await blobs.put("breaks", b"content")
    shaky.failures = 3
    assert await streamed(blobs, "a") == b"content"
    with pytest.raises(BlobFailed, match="in the middle"):
        await streamed(blobs, "breaks")


async def test_a_list_that_broke_off_goes_on_without_repeating_a_key() -> None:
    shaky = Shaky(0)
    for key in "abcde":
        await shaky.put(key, b"")
    shaky.failures = 3
    assert await keys_of(patient(shaky)) == list("abcde")
