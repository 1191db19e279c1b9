"""A server whose disk fills: nothing is half-done, everybody is told, and it goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration import test_disk_full
from tests.integration.test_production_life import output_of
from tests.kit.house import Answer, Hand, House, content_digest, finish, frame, frame_path, house
from vmagent.wire import messages as m

disk = test_disk_full.disk  # a tmpfs of 8 MiB; skips where root may not mount one


def large(event: int) -> bytes:
    """A large event, alike on every host."""
    return f"event {event} ".encode().ljust(20_000, b"x")[:-1] + b"\n"


def fill(disk: Path) -> Path:
    """Take all the room that is left."""
    hog = disk / "hog"
    with hog.open("wb", buffering=0) as file:
        while True:
            try:
                if not file.write(bytes(4096)):
                    break
            except OSError:
                break
    return hog


async def send(hand: Hand, lease: m.Lease, first: int, last: int) -> Answer:
    """A frame of large events."""
    body = frame(first, last, large)
    headers = {"Content-Digest": content_digest(body)}
    path = frame_path(lease.production, first, last)
    return await hand.house.answer("PUT", path, body, hand.token, headers)


async def held(found: House, hand: Hand, lease: m.Lease) -> list[list[int]]:
    """What is in hand of a lease."""
    _, state = await hand.call("GET", f"/api/v1/tasks/{lease.task}")
    return list(state["held"])


@pytest.fixture
async def on_disk(disk: Path) -> AsyncIterator[House]:
    """A server whose data folder lies on the small disk."""
    async with house(disk, **{"blobs.segment_mb": "1"}) as found:
        await found.produce(found.definition(events=100, unit=100, quorum=1, reference=0))
        yield found


async def test_a_full_disk_refuses_with_507_and_goes_on_when_there_is_room(
    disk: Path, on_disk: House
) -> None:
    found = on_disk
    ada = await found.join("ada")
    [lease] = await ada.leases()
    assert (await send(ada, lease, 0, 10)).status == 200
    hog = fill(disk)
    refused = None
    taken = [[0, 10]]
    for first in range(10, 90, 10):
        answer = await send(ada, lease, first, first + 10)
        if answer.status != 200:
            refused = answer
            break
        taken = [[0, first + 10]]
    assert refused is not None
    assert (refused.status, refused.code) == (507, "disk-full")
    assert int(refused.headers["Retry-After"]) > 0
    assert await held(found, ada, lease) == taken
    page = await found.answer("GET", "/productions/toy-run")
    assert page.status == 200
    hog.unlink()
    for first in range(taken[0][1], 100, 10):
        assert (await send(ada, lease, first, first + 10)).status == 200
    assert (await ada.report(lease))[0] == 200
    await finish(found, [])
    assert await output_of(found) == b"".join(large(event) for event in range(100))


async def test_a_database_on_a_full_disk_undoes_what_it_cannot_keep(
    disk: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{disk / 'windfall.db'}"
    async with house(tmp_path, **{"database.url": url}) as found:
        await found.produce(found.definition(events=200, unit=100, quorum=1, reference=0))
        ada = await found.join("ada")
        [lease] = await ada.leases()
        hog = fill(disk)
        codes = set()
        for number in range(400):
            status, said = await found.manage("POST", "/accounts", {"name": f"a{number}"})
            if status != 201:
                codes.add((status, said["code"]))
                break
        assert codes == {(507, "disk-full")}
        status, said = await ada.send(lease, lease.first, lease.first + 10)
        assert status == 200, "its segment has room, so it is durable there"
        status, said = await ada.report(lease, "returned")
        assert (status, said["code"]) == (507, "disk-full")
        hog.unlink()
        assert await held(found, ada, lease) == [[lease.first, lease.first + 10]]
        status, _ = await found.manage("POST", "/accounts", {"name": f"a{number}"})
        assert status == 201
        await ada.work(lease)
        await finish(found, [ada])
        [(count,)] = await found.rows("SELECT count(*) FROM accounts WHERE name LIKE 'a%'")
        assert count == number + 3, "admin and ada, and each that was answered with 201"
