"""Blobs and segments that fail: it is told, tried again, and stops nobody else."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.blobs.base import BlobFailed, BlobFull, Body, Stored
from server.blobs.memory import MemoryBlobs
from server.domain.errors import Unavailable
from tests.integration.test_production_life import output_of
from tests.kit.house import House, bundle, finish, honest, house
from vmagent.wire import codec
from vmagent.wire import messages as m
from vmagent.wire.statements import PayloadStatement


class BrokenBlobs(MemoryBlobs):
    """Refuses to keep, or to give, keys that hold one of some words."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[str, Exception] = {}
        self.tries: list[str] = []

    def check(self, key: str) -> None:
        """Fail as told."""
        for word, error in self.words.items():
            if word in key:
                self.tries.append(key)
                raise error

    async def put(self, key: str, data: Body) -> Stored:
        """See `Blobs.put`."""
        self.check(key)
        return await super().put(key, data)

    async def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        self.check(key)
        return await super().get(key)

    async def stream(
        self, key: str, offset: int = 0, size: int | None = None, piece: int = 1 << 20
    ) -> AsyncIterator[bytes]:
        """See `Blobs.stream`."""
        self.check(key)
        async for part in super().stream(key, offset, size, piece):
            yield part


@pytest.fixture
def blobs() -> BrokenBlobs:
    """Blobs that can be broken."""
    return BrokenBlobs()


@pytest.fixture
async def found(tmp_path: Path, blobs: BrokenBlobs) -> AsyncIterator[House]:
    """A server on these blobs, with a production of two units."""
    async with house(tmp_path) as server:
        server.deps.blobs = blobs
        await server.produce(server.definition(events=200, unit=100, reference=0, quorum=1))
        yield server


FULL = BlobFull("no room for it: the disk is full")
FAILED = BlobFailed("the back-end answered 500", retry=True)


@pytest.mark.parametrize("error", [FULL, FAILED], ids=["full", "failed"])
async def test_a_unit_that_cannot_be_written_waits_and_the_others_go_on(
    found: House, blobs: BrokenBlobs, error: Exception
) -> None:
    blobs.words["units/000000/000000000"] = error
    ada = await found.join("ada")
    for lease in await ada.leases(4):
        await ada.work(lease)

    async def reason() -> str:
        view = await found.show()
        return str(view["reason"]) if view["units_settled"] == 1 else ""

    said = await found.until(reason)
    assert f"unit 0 not written: {error}" in said
    page = await found.answer("GET", "/productions/toy-run")
    assert b"unit 0 not written" in page.body

    async def twice() -> bool:
        return len(blobs.tries) > 1

    await found.until(twice)
    assert len(blobs.tries) < 5, "it is not tried without a pause"
    blobs.words.clear()
    view = await finish(found, [])
    assert (view["reason"], view["settled"]) == ("", 200)
    assert await output_of(found) == b"".join(honest(event) for event in range(200))


@pytest.mark.parametrize("word", ["output", "units/000000/000000001"], ids=["written", "read"])
async def test_an_output_that_cannot_be_merged_is_tried_again(
    found: House, blobs: BrokenBlobs, word: str
) -> None:
    ada = await found.join("ada")
    if word == "output":
        blobs.words[word] = FULL
    leases = await ada.leases(4)
    for lease in leases[:-1]:
        await ada.work(lease)
    if word != "output":
        blobs.get = broken_get(blobs)  # type: ignore[method-assign]
    await ada.work(leases[-1])

    async def reason() -> str:
        return str((await found.show())["reason"])

    assert "output not merged" in await found.until(reason)
    assert (await found.show())["state"] == "merging"
    blobs.words.clear()
    await finish(found, [])


def broken_get(blobs: BrokenBlobs) -> Any:
    """Units cannot be read, for a while."""
    inner, fail = blobs.get, [True]

    async def get(key: str) -> bytes:
        if fail and "units" in key:
            fail.pop()
            raise FAILED
        return await inner(key)

    return get


async def test_a_unit_that_waits_is_taken_up_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        found.deps.blobs = blobs = BrokenBlobs()
        blobs.words["units"] = FULL
        await found.produce(found.definition(events=100, unit=100, reference=0, quorum=1))
        ada = await found.join("ada")
        await ada.work((await ada.leases())[0])

        async def tried() -> bool:
            return bool(blobs.tries)

        await found.until(tried)
    async with house(tmp_path) as again:
        view = await finish(again, [])
        assert view["settled"] == 100


async def test_a_bundle_that_cannot_be_kept_is_refused_and_taken_later(
    found: House, blobs: BrokenBlobs
) -> None:
    other = bundle() + b"\0"
    blobs.words["payloads"] = FULL
    answer = await found.put_payload(other, _said(other))
    assert (answer.status, answer.code) == (507, "disk-full")
    assert int(answer.headers["Retry-After"]) > 0
    blobs.words["payloads"] = FAILED
    answer = await found.put_payload(other, _said(other))
    assert (answer.status, answer.code) == (503, "unavailable")
    blobs.words.clear()
    assert (await found.put_payload(other, _said(other))).status == 201


def _said(body: bytes) -> Any:
    return PayloadStatement("toy", "2", hashlib.sha256(body).hexdigest(), len(body))


async def test_bytes_that_cannot_be_had_are_told_before_the_answer_begins(
    found: House, blobs: BrokenBlobs
) -> None:
    ada = await found.join("ada")
    for lease in await ada.leases(4):
        await ada.work(lease)
    await finish(found, [])
    [row] = await found.rows("SELECT digest FROM payloads")
    blobs.words.update({"payloads": FAILED, "output": FAILED})
    answer = await found.answer("GET", f"/api/v1/payloads/{row[0]}", token=ada.token)
    assert (answer.status, answer.code) == (503, "unavailable")
    answer = await found.answer("GET", "/api/v1/productions/toy-run/output", token=found.admin)
    assert (answer.status, answer.code) == (503, "unavailable")


async def test_a_disk_without_room_refuses_frames_and_takes_them_later(
    found: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await found.join("ada")
    [lease, *_] = await ada.leases()

    def full(size: int) -> Any:
        raise FULL

    with monkeypatch.context() as broken:
        broken.setattr(found.deps.segments, "reserve", full)
        status, said = await ada.send(lease, lease.first, lease.first + 10)
        assert (status, said["code"]) == (507, "disk-full")
    assert await found.rows("SELECT id FROM frames") == []
    await ada.work(lease)


async def test_a_database_that_takes_nothing_undoes_leases_and_loses_no_frame(
    found: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await found.join("ada")
    [lease, *_] = await ada.leases()
    writer = found.deps.store.writer
    real = writer.commit

    async def fails(*args: Any) -> None:
        raise Unavailable(2.0)

    before = len(found.deps.line(lease.production))
    with monkeypatch.context() as broken:
        broken.setattr(writer, "commit", fails)
        status, said = await ada.send(lease, lease.first, lease.first + 10)
        assert (status, said["task"]["held"]) == (200, [[lease.first, lease.first + 10]])
        status, said = await ada.report(lease, "returned")
        assert status == 503
        answers = await asyncio.gather(*(_ask(found, name) for name in (ada.token, ada.token)))
        assert [answer.status for answer in answers] == [503, 503]
    assert writer.commit == real
    rows = await found.rows("SELECT first, last FROM frames")
    assert rows == [(lease.first, lease.first + 10)]
    assert len(found.deps.line(lease.production)) == before
    await ada.work(lease)
    await finish(found, [ada])


async def _ask(found: House, token: str) -> Any:
    raw = codec.encode(m.AskRequest(uuid.uuid4().hex, 1, 8000, 8000))
    return await found.answer("POST", "/api/v1/work", raw, token)


async def test_frames_whose_bytes_were_damaged_are_computed_again(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=100, unit=100, reference=0))
        hands = [await found.join(name) for name in ("ada", "bob", "cid")]
        await hands[0].work((await hands[0].leases())[0])
        [(segment, place, length), *_] = await found.rows(
            "SELECT segment, place, length FROM frames ORDER BY id"
        )
        with (tmp_path / "data" / "segments" / f"{segment:08d}.seg").open("r+b") as file:
            file.seek(place + length - 5)
            file.write(b"dirty")
        for hand in hands[1:]:
            for lease in await hand.leases(4):
                await hand.work(lease)
        await finish(found, hands[1:])
        assert await output_of(found) == b"".join(honest(event) for event in range(100))
        assert dataclasses.asdict(found.deps.troubles) == {"known": {}}
