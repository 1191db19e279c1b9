"""The suite that every blob back-end passes; a subclass gives the fixture ``blobs``."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from server.blobs.base import BadKey, BlobMissing, Blobs, Found, Stored

BIG = random.Random(7).randbytes(3_000_001)


class Replayed:
    """Pieces that can be read again, and may break off."""

    def __init__(self, *pieces: bytes, breaks: BaseException | None = None) -> None:
        self._pieces, self._breaks = pieces, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece
        if self._breaks is not None:
            raise self._breaks


async def keys_of(blobs: Blobs, prefix: str = "") -> list[str]:
    """All keys with a prefix, sorted; twice the same key fails."""
    keys = [key async for key in blobs.list(prefix)]
    assert len(keys) == len(set(keys))
    return sorted(keys)


async def streamed(
    blobs: Blobs, key: str, offset: int = 0, size: int | None = None, piece: int = 1 << 20
) -> bytes:
    """A stream, joined; a piece that is empty or too large fails."""
    pieces = [got async for got in blobs.stream(key, offset, size, piece)]
    assert all(0 < len(got) <= piece for got in pieces)
    return b"".join(pieces)


class BlobsSuite:
    """The contract of `Blobs`, one promise per test."""

    swapped = (b"o" * 500_000, b"n" * 700_000)

    async def test_what_is_put_can_be_got(self, blobs: Blobs) -> None:
        stored = await blobs.put("out/one.bin", b"events")
        assert stored == Stored(6, hashlib.sha256(b"events").hexdigest())
        assert await blobs.get("out/one.bin") == b"events"
        assert await blobs.stat("out/one.bin") == Found(6)

    async def test_an_empty_blob_is_a_blob(self, blobs: Blobs) -> None:
        assert (await blobs.put("empty", b"")).size == 0
        assert (await blobs.put("hollow", Replayed())).size == 0
        assert await blobs.get("empty") == await blobs.get("hollow") == b""
        assert await streamed(blobs, "empty") == b""
        assert await blobs.read("empty", 0, 10) == b""

    async def test_pieces_become_one_blob(self, blobs: Blobs) -> None:
        pieces = [BIG[at : at + 70_000] for at in range(0, len(BIG), 70_000)]
        stored = await blobs.put("out/big", Replayed(*pieces, b""))
        assert stored == Stored(len(BIG), hashlib.sha256(BIG).hexdigest())
        assert await blobs.get("out/big") == BIG

    async def test_the_same_put_twice_is_fine_and_the_last_put_wins(self, blobs: Blobs) -> None:
        for data in (b"first", b"first", b"second, longer", b"3rd"):
            await blobs.put("again", data)
            assert await blobs.get("again") == data
        await blobs.put("again", Replayed(b"in ", b"pieces"))
        assert await blobs.get("again") == b"in pieces"
        assert await keys_of(blobs) == ["again"]

    async def test_a_put_that_breaks_off_changes_nothing(self, blobs: Blobs) -> None:
        await blobs.put("kept", b"old")
        for key in ("kept", "never"):
            with pytest.raises(ConnectionResetError, match="agent went away"):
                await blobs.put(key, Replayed(BIG, breaks=ConnectionResetError("agent went away")))
        assert await blobs.get("kept") == b"old"
        with pytest.raises(BlobMissing):
            await blobs.get("never")
        assert await keys_of(blobs) == ["kept"]

    async def test_a_put_that_is_cancelled_leaves_nothing_to_see(self, blobs: Blobs) -> None:
        begun, never = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield BIG
            begun.set()
            await never.wait()

        task = asyncio.create_task(blobs.put("cut", slow()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await keys_of(blobs) == []

    async def test_any_range_can_be_read(self, blobs: Blobs) -> None:
        await blobs.put("big", BIG)
        size = len(BIG)
        ranges = [(0, 1), (0, size), (size - 1, 1), (1_234_567, 1_300_000), (5, 0), (0, 2 * size)]
        ranges += [(size - 5, 10), (size, 10), (size + 99, 10)]
        for offset, count in ranges:
            want = BIG[offset : offset + count]
            assert await blobs.read("big", offset, count) == want, (offset, count)
            assert await streamed(blobs, "big", offset, count) == want, (offset, count)
        assert await streamed(blobs, "big") == BIG
        assert await streamed(blobs, "big", 17, None, 65_536) == BIG[17:]

    async def test_a_negative_range_is_refused(self, blobs: Blobs) -> None:
        await blobs.put("some", b"bytes")
        with pytest.raises(ValueError, match="negative"):
            await blobs.read("some", -1, 2)
        with pytest.raises(ValueError, match="negative"):
            await blobs.read("some", 0, -2)
        with pytest.raises(ValueError, match="negative"):
            await streamed(blobs, "some", -1)

    async def test_what_is_not_there_is_missing(self, blobs: Blobs) -> None:
        await blobs.put("here/there", b"x")
        for key in ("nowhere", "here/nowhere", "no/such/folder", "here"):
            with pytest.raises(BlobMissing, match=key):
                await blobs.get(key)
            with pytest.raises(BlobMissing):
                await blobs.read(key, 0, 1)
            with pytest.raises(BlobMissing):
                await streamed(blobs, key)
            with pytest.raises(BlobMissing):
                await blobs.stat(key)

    async def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, blobs: Blobs) -> None:
        await blobs.put("a/gone", b"x")
        await blobs.put("a/kept", b"y")
        await blobs.delete("a/gone")
        await blobs.delete("a/gone")
        await blobs.delete("never/was")
        with pytest.raises(BlobMissing):
            await blobs.get("a/gone")
        assert await keys_of(blobs) == ["a/kept"]
        await blobs.put("a/gone", b"back")
        assert await blobs.get("a/gone") == b"back"

    async def test_a_list_has_every_key_of_a_prefix_once(self, blobs: Blobs) -> None:
        assert await keys_of(blobs) == []
        keys = ["a", "b/1", "b/2", "b/20", "b/c/d/deep", "bb", "b-1", "B/1"]
        for key in keys:
            await blobs.put(key, b"x")
        for prefix in ("", "a", "b", "b/", "b/2", "b/c", "b/c/", "b/c/d/de", "bb/", "zz", "b/9/"):
            want = sorted(key for key in keys if key.startswith(prefix))
            assert await keys_of(blobs, prefix) == want, prefix

    async def test_bad_keys_are_refused_by_every_method(self, blobs: Blobs) -> None:
        bad = [
            "",
            "/abs",
            "a//b",
            "a/",
            "..",
            "a/../b",
            ".hidden",
            "a/.b",
            "a b",
            "a\n",
            "ä",
            "a\0",
        ]
        for key in [*bad, "k" * 201, "k/" * 300 + "k"]:
            with pytest.raises(BadKey):
                await blobs.put(key, b"x")
            with pytest.raises(BadKey):
                await blobs.get(key)
            with pytest.raises(BadKey):
                await blobs.read(key, 0, 1)
            with pytest.raises(BadKey):
                await streamed(blobs, key)
            with pytest.raises(BadKey):
                await blobs.stat(key)
            with pytest.raises(BadKey):
                await blobs.delete(key)
        with pytest.raises(BadKey):
            await keys_of(blobs, "../")
        assert await keys_of(blobs) == []

    async def test_the_longest_keys_work(self, blobs: Blobs) -> None:
        key = "A._-9/" + "k" * 200 + "/" + "z" * 200
        await blobs.put(key, b"x")
        assert await keys_of(blobs, "A._-9/") == [key]

    async def test_many_calls_at_once_do_not_mix(self, blobs: Blobs) -> None:
        bodies = {f"many/{k:02}": random.Random(k).randbytes(40_000 + k) for k in range(24)}
        await asyncio.gather(*(blobs.put(key, Replayed(body)) for key, body in bodies.items()))
        got = await asyncio.gather(*(blobs.get(key) for key in bodies))
        assert got == list(bodies.values())
        assert await keys_of(blobs, "many/") == list(bodies)

    async def test_a_reader_sees_old_or_new_and_never_a_mixture(self, blobs: Blobs) -> None:
        old, new = self.swapped
        await blobs.put("swap", old)
        done = asyncio.Event()

        async def swap() -> None:
            for _ in range(5):
                await blobs.put("swap", Replayed(new))
                await blobs.put("swap", old)
            done.set()

        swapping = asyncio.create_task(swap())
        while not done.is_set():
            assert await blobs.get("swap") in (old, new)
            await asyncio.sleep(0)
        await swapping

    async def test_a_sweep_removes_no_blob(self, blobs: Blobs) -> None:
        await blobs.put("a/kept", b"x")
        assert await blobs.sweep(0) == 0
        assert await keys_of(blobs) == ["a/kept"]

    async def test_it_may_be_closed_twice(self, blobs: Blobs) -> None:
        await blobs.close()
        await blobs.close()
