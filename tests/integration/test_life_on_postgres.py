"""The life of a production on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from server.db import postgres as store
from server.db.choose import open_store
from server.db.errors import StoreUnreachable
from tests.integration.test_production_life import output_of
from tests.kit import postgres
from tests.kit.house import finish, honest, house
from vmagent.wire import messages as m

pytestmark = pytest.mark.postgres


@pytest.fixture
def options(postgres_server: postgres.Postgres) -> dict[str, str]:
    """Settings that name an empty database."""
    return {"database.url": postgres_server.new_pool()}


async def test_a_database_that_mends_itself_is_waited_for_a_while(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, url = store.connect, options["database.url"]
    left = [asyncpg.CannotConnectNowError("not yet accepting connections") for _ in range(3)]

    async def connect(where: str) -> asyncpg.Connection:
        if left:
            raise left.pop()
        return await plain(where)

    monkeypatch.setattr(store, "connect", connect)
    opened = await open_store(url)
    await opened.close()
    assert not left
    left.append(asyncpg.CannotConnectNowError("not yet accepting connections"))
    monkeypatch.setattr(store, "STARTING_S", 0.0)
    with pytest.raises(StoreUnreachable, match="not yet accepting connections"):
        await open_store(url)


async def test_cheats_failures_holds_and_aborts_go_alike_on_postgresql(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        await found.produce(found.definition(events=100, unit=100, reference=0, most_errors=1))
        ada, bob, eve = [await found.join(name) for name in ("ada", "bob", "eve")]
        [lease] = await ada.leases()
        await ada.send(lease, 0, 30)
        failures = [m.EventFailure(50, 51, "segfault")]
        await ada.report(lease, "failed", failures=failures)

        async def held() -> bool:
            return "segfault" in (await found.show())["reason"]

        await found.until(held)
        await found.manage("POST", "/productions/toy-run/release")

        async def given() -> list[m.Lease]:
            return await eve.leases(8)

        for each in await found.until(given):
            await eve.work(each, lambda event: honest(event + (event == 99)))
        view = await finish(found, [ada, bob])
        assert view["rejected_hosts"] == [["eve", 1]]
        assert await output_of(found) == b"".join(honest(event) for event in range(100))
        await found.produce(found.definition("second", events=100, unit=100, reference=0))
        assert await ada.leases() != []
        status, view = await found.manage("POST", "/productions/second/abort")
        assert (status, view["state"]) == (200, "aborted")
        page = await found.answer("GET", "/productions/second")
        assert page.status == 200


async def test_a_range_is_split_on_postgresql_as_well(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        await found.produce(found.definition(events=200, unit=200, reference=0))
        ada, bob = await found.join("ada"), await found.join("bob")
        [lease] = await ada.leases()
        await ada.send(lease, 0, 20)
        await ada.report(lease, "returned")
        await finish(found, [bob, ada])
        assert await output_of(found) == b"".join(honest(event) for event in range(200))


async def test_logs_are_read_and_events_set_aside_on_postgresql(
    tmp_path: Path, options: dict[str, str]
) -> None:
    async with house(tmp_path, **options) as found:
        text = found.definition(events=60, unit=30, reference=0, quorum=1)
        bounds = "[limits]\nmemory_mb = 1000\nmemory_mb_most = 2000\n"
        await found.produce(text.replace("[limits]\n", bounds))
        hands = [await found.join(name) for name in ("ada", "bob", "cat")]
        new = {"name": "mine", "regex": "lost", "action": "ignore", "rank": 1}
        assert (await found.manage("POST", "/patterns", new))[0] == 201
        logs = iter(("std::bad_alloc\n", "all is lost\n", *["segmentation violation\n"] * 50))

        async def parked() -> bool:
            for hand in hands:
                for lease in await hand.leases():
                    if lease.first > 7 or lease.last <= 7:
                        await hand.work(lease)
                        continue
                    if lease.first < 7:
                        await hand.send(lease, lease.first, 7)
                    wrong = [m.EventFailure(7, 8, "crashed")]
                    await hand.report(lease, "failed", failures=wrong, log=next(logs))
            return bool((await found.show())["state"] == "done")

        await found.until(parked)
        view = await found.show()
        assert (view["settled"], view["set_aside"]) == (59, 1)
        said = await found.told("/productions/toy-run/failures?kind=memory")
        assert {"memory", "payload"} >= {group["kind"] for group in said["groups"]} - {"unknown"}
        assert [one["pattern"] for one in said["latest"]] == ["out-of-memory"]
        _, listed = await found.manage("GET", "/patterns")
        assert {row["name"]: row["matches"] for row in listed["patterns"]}["mine"] == 1
        body = {"production": "toy-run", "pattern": {"name": "x", "regex": "bad_alloc", "rank": 0}}
        _, tried = await found.manage("POST", "/patterns/test", body)
        assert [change["after"] for change in tried["changes"]] == ["x"]
        _, checked = await found.manage("POST", "/productions/toy-run/verify")
        assert (checked["ok"], checked["expected"]) == (True, 59)
        assert (await found.manage("POST", "/patterns/mine/remove"))[0] == 204
    async with house(tmp_path, **options) as again:
        assert (await again.show())["set_aside"] == 1
