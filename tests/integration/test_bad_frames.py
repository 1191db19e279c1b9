"""Frames that are wrong, late, doubled or not theirs: refused by name, or harmless."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.blobs.records import RECORD_HEAD
from tests.kit.house import (
    Hand,
    House,
    content_digest,
    finish,
    frame,
    frame_path,
    honest,
    house,
)
from vmagent.wire import frames
from vmagent.wire import messages as m


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A server with one production of one unit of 200 events."""
    async with house(tmp_path) as server:
        await server.produce(server.definition(events=200, reference=0))
        yield server


@pytest.fixture
async def ada(found: House) -> Hand:
    """A host."""
    return await found.join("ada")


async def lease_of(hand: Hand) -> m.Lease:
    """A lease of a host."""
    [lease] = await hand.leases()
    return lease


async def stored(found: House) -> list[tuple[int, int]]:
    """The frames that are kept."""
    return [(a, b) for a, b in await found.rows("SELECT first, last FROM frames ORDER BY id")]


async def refused(found: House, hand: Hand, lease: m.Lease, **changes: Any) -> tuple[int, str]:
    """Send a frame that is refused; nothing of it is kept."""
    first, last = changes.pop("events", (lease.first, lease.first + 10))
    status, said = await hand.send(lease, first, last, **changes)
    assert await stored(found) == []
    assert said["detail"]
    return status, said["code"]


def beyond(lease: m.Lease) -> list[tuple[int, int]]:
    """Events that are not of a lease."""
    return [(lease.last, lease.last + 1), (0, 201), (5, 5), (9, 5), (10**15, 10**15 + 1)]


async def test_a_frame_outside_the_lease_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    for first, last in beyond(lease):
        said = await ada.send(lease, first, last, body=frame(lease.first, lease.first + 1))
        assert (said[0], said[1]["code"]) == (400, "outside-lease")
    assert await stored(found) == []


async def test_a_frame_for_another_hosts_task_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    eve = await found.join("eve")
    assert await refused(found, eve, lease) == (400, "outside-lease")


async def test_a_frame_that_says_it_is_too_large_is_refused_unread(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    head = (
        f"PUT {frame_path(lease.production, 0, 10)} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {ada.token}\r\nContent-Digest: {content_digest(b'')}\r\n"
        "Content-Length: 9999999999\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert await stored(found) == []


async def test_a_record_larger_than_the_manifest_allows_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    body = frame(lease.first, lease.first + 10, lambda event: b"x" * (1 + 100_000 * (event == 3)))
    assert await refused(found, ada, lease, body=body) == (400, "bad-frame")


async def test_a_frame_too_large_for_its_events_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    body = frame(lease.first, lease.first + 1, lambda event: b"x" * 100_001)
    said = await refused(found, ada, lease, events=(lease.first, lease.first + 1), body=body)
    assert said == (413, "too-large")


@pytest.mark.parametrize("large", [False, True])
async def test_a_frame_with_a_wrong_digest_is_refused(found: House, ada: Hand, large: bool) -> None:
    lease = await lease_of(ada)
    make = (lambda event: b"x" * 90_000) if large else honest
    body = frame(lease.first, lease.first + 10, make)
    said = await refused(found, ada, lease, body=body, digest=content_digest(b"another"))
    assert said == (400, "digest-mismatch")


@pytest.mark.parametrize(
    "field",
    ["", "sha-256", "sha-256=:zz:", "sha-256=:AAAA:", "md5=:AAAA:", "sha-256=:" + "A" * 2000 + ":"],
)
async def test_a_frame_with_a_malformed_digest_header_is_refused(
    found: House, ada: Hand, field: str
) -> None:
    lease = await lease_of(ada)
    body, path = frame(0, 10), frame_path(lease.production, 0, 10)
    answer = await found.answer("PUT", path, body, ada.token, {"Content-Digest": field})
    assert (answer.status, answer.code) == (400, "bad-digest-field")
    assert await stored(found) == []


async def test_a_frame_without_a_digest_header_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    path = frame_path(lease.production, 0, 10)
    answer = await found.answer("PUT", path, frame(0, 10), ada.token)
    assert (answer.status, answer.code) == (400, "bad-digest-field")


async def test_a_frame_without_its_length_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    body, path = frame(0, 10), frame_path(lease.production, 0, 10)

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:20]
        yield body[20:]

    headers = {"Content-Digest": content_digest(body)}
    answer = await found.answer("PUT", path, pieces(), ada.token, headers)
    assert (answer.status, answer.code) == (411, "length-missing")
    assert await stored(found) == []


@pytest.mark.parametrize("size", [30, 40_000])
async def test_a_frame_that_breaks_off_leaves_nothing(found: House, ada: Hand, size: int) -> None:
    lease = await lease_of(ada)
    body = frame(lease.first, lease.first + 10, lambda event: b"x" * 9000)
    head = (
        f"PUT {frame_path(lease.production, 0, 10)} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {ada.token}\r\nContent-Digest: {content_digest(body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", found.port)
    writer.write(head.encode() + body[:size])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    status, _ = await ada.send(lease, lease.first, lease.first + 10, body=body)
    assert status == 200
    assert await stored(found) == [(lease.first, lease.first + 10)]


def altered(body: bytes, at: int, value: int) -> bytes:
    """The same bytes with another big-endian u32 at this place."""
    return body[:at] + struct.pack(">I", value) + body[at + 4 :]


GOOD = frame(0, 10)
WRONG_HEADS = {
    "another first event": frame(1, 11),
    "fewer events": frame(0, 9),
    "a wrong magic": b"WFF2" + GOOD[4:],
    "fewer records": frames.encode(0, 10, [honest(event) for event in range(9)]),
    "more records": frames.encode(0, 10, [honest(event) for event in range(11)]),
    "no record": frames.encode(0, 10, []),
    "no event": altered(GOOD, 12, 0),
    "four billion records": altered(GOOD, 16, 2**32 - 1),
    "a length too long": altered(GOOD, 20, 2**31),
    "bytes behind its end": GOOD + b"!",
    "a byte too few": GOOD[:-1],
    "half a head": GOOD[:10],
    "half a table of lengths": GOOD[:40],
    "nothing but zeros": bytes(400),
}


async def test_a_table_of_lengths_that_is_too_long_is_not_waited_for(
    found: House, ada: Hand
) -> None:
    lease = await lease_of(ada)
    body = frame(lease.first, lease.first + 10, lambda event: b"x" * 9000)
    body = altered(altered(body, 12, 20_000), 16, 20_000)
    head = (
        f"PUT {frame_path(lease.production, lease.first, lease.first + 10)} HTTP/1.1\r\n"
        f"Host: x\r\nAuthorization: Bearer {ada.token}\r\n"
        f"Content-Digest: {content_digest(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
    writer.write(head.encode() + body[:40_000])
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.parametrize("what", WRONG_HEADS)
async def test_a_frame_that_is_not_what_its_address_says_is_refused(
    found: House, ada: Hand, what: str
) -> None:
    lease = await lease_of(ada)
    said = await refused(found, ada, lease, body=WRONG_HEADS[what])
    assert said == (400, "bad-frame")


async def test_a_large_frame_with_a_wrong_head_is_refused_before_it_is_whole(
    found: House, ada: Hand
) -> None:
    lease = await lease_of(ada)
    body = b"WFF2" + frame(lease.first, lease.first + 10, lambda event: b"x" * 90_000)[4:]
    assert await refused(found, ada, lease, body=body) == (400, "bad-frame")


async def test_an_empty_frame_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    path = frame_path(lease.production, 0, 10)
    headers = {"Content-Digest": content_digest(b"")}
    answer = await found.answer("PUT", path, b"", ada.token, headers)
    assert (answer.status, answer.code) == (400, "bad-frame")


async def test_a_frame_that_cuts_through_a_record_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        text = found.definition(events=200, reference=0).replace("block =", "granule = 10\nblock =")
        await found.produce(text.replace("block = 1\n", "block = 10\n"))
        ada = await found.join("ada")
        lease = await lease_of(ada)
        body = frames.encode(0, 15, [b"a", b"b"])
        assert await refused(found, ada, lease, events=(0, 15), body=body) == (400, "bad-frame")
        status, _ = await ada.send(lease, 0, 20, body=frames.encode(0, 20, [b"a", b"b"]))
        assert status == 200


async def test_the_same_frame_twice_is_answered_alike_and_kept_once(
    found: House, ada: Hand
) -> None:
    lease = await lease_of(ada)
    answers = [await ada.send(lease, lease.first, lease.first + 10) for _ in range(3)]
    for status, said in answers:
        assert (status, said["task"]["held"]) == (200, [[lease.first, lease.first + 10]])
    assert await stored(found) == [(lease.first, lease.first + 10)]


async def test_a_frame_sent_again_takes_no_room(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.first + 10)
    before = found.deps.segments.reserve(0).offset
    await ada.send(lease, lease.first, lease.first + 10)
    assert found.deps.segments.reserve(0).offset == before + RECORD_HEAD


@pytest.mark.parametrize("late", [False, True])
async def test_the_same_frame_many_times_at_once_is_kept_once(
    found: House, ada: Hand, late: bool
) -> None:
    lease = await lease_of(ada)
    if late:
        await ada.report(lease, "returned")
    answers = await asyncio.gather(
        *(ada.send(lease, lease.first, lease.first + 10) for _ in range(12))
    )
    assert {status for status, _ in answers} == {200}
    assert len({str(said["task"]["held"]) for _, said in answers}) == 1
    assert await stored(found) == [(lease.first, lease.first + 10)]


async def test_the_same_events_with_other_bytes_do_not_replace_the_first(
    found: House, ada: Hand
) -> None:
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.first + 10)
    status, _ = await ada.send(lease, lease.first, lease.first + 10, lambda event: b"other\n")
    assert status == 200
    assert await stored(found) == [(lease.first, lease.first + 10)]


async def test_frames_that_overlap_make_every_event_once(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, reference=0))
        for name in ("ada", "bob"):
            hand = await found.join(name)
            while leases := await hand.leases():
                for lease in leases:
                    for first in range(lease.first, lease.last, 7):
                        last = min(lease.last, first + 20)
                        status, _ = await hand.send(lease, first, last)
                        assert status == 200
                    await hand.report(lease)
        view = await finish(found, [])
        assert view["settled"] == 200
        status, checked = await found.manage("POST", "/productions/toy-run/verify")
        assert (checked["ok"], checked["events"]) == (True, 200)


async def test_a_frame_for_an_unknown_production_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    for number in (999, 10**17):
        said = await refused(found, ada, lease, production=number)
        assert said == (404, "production-unknown")


async def test_a_frame_for_an_aborted_production_is_to_be_dropped(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    await found.manage("POST", "/productions/toy-run/abort")
    assert await refused(found, ada, lease) == (410, "production-over")


async def test_a_frame_for_a_production_that_is_done_is_to_be_dropped(
    found: House, ada: Hand
) -> None:
    hands = [ada, await found.join("bob")]
    lease = await lease_of(ada)
    await ada.report(lease, "returned")
    await finish(found, hands)
    status, said = await ada.send(lease, lease.first, lease.first + 10)
    assert (status, said["code"]) == (410, "production-over")


async def test_an_address_with_a_number_too_long_is_no_address(found: House, ada: Hand) -> None:
    path = frame_path(1, 0, 10**30)
    answer = await found.answer("PUT", path, b"x", ada.token)
    assert (answer.status, answer.code) == (404, "not-found")


async def test_a_packed_body_is_refused(found: House, ada: Hand) -> None:
    lease = await lease_of(ada)
    body, path = frame(0, 10), frame_path(lease.production, 0, 10)
    headers = {"Content-Digest": content_digest(body), "Content-Encoding": "gzip"}
    answer = await found.answer("PUT", path, body, ada.token, headers)
    assert answer.status in (400, 415)
    assert await stored(found) == []


async def test_a_host_that_sends_garbage_cannot_fill_the_disk(tmp_path: Path) -> None:
    async with house(tmp_path, **{"limits.frame_bytes": "100000"}) as found:
        await found.produce(found.definition(events=200, reference=0))
        eve, ada = await found.join("eve"), await found.join("ada")
        lease, honest_one = await lease_of(eve), await lease_of(ada)
        body = frame(lease.first, lease.first + 1, lambda event: b"x" * 90_000)
        told = [
            await eve.send(
                lease, lease.first, lease.first + 1, body=body, digest=content_digest(b"")
            )
            for _ in range(12)
        ]
        codes = [said["code"] for _, said in told]
        assert codes == ["digest-mismatch"] * 8 + ["too-many"] * 4
        for event in range(honest_one.first, honest_one.first + 20):
            good = frame(event, event + 1, lambda event: b"x" * 90_000)
            status, _ = await ada.send(honest_one, event, event + 1, body=good)
            assert status == 200
        now = found.deps.clock()
        found.deps.clock = lambda: now + 61
        status, said = await eve.send(lease, lease.first, lease.first + 1, body=body)
        assert (status, said["task"]["held"]) == (200, [[lease.first, lease.first + 1]])
