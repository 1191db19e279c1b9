"""What comes too often is refused by host and by address, and nobody else is hurt by it."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.kit.house import house
from vmagent.wire import codec
from vmagent.wire import messages as m

PROXIED = {"server.behind_proxy": "true", "server.proxies": "127.0.0.1"}


def joining(token: str) -> bytes:
    """A request to join."""
    facts = m.HostFacts(4, 8000, 8000, "x86_64")
    return codec.encode(m.EnrolRequest(uuid.uuid4().hex, token, "vm", facts))


async def test_who_joins_too_often_waits_and_others_may_join(tmp_path: Path) -> None:
    async with house(tmp_path, **PROXIED, **{"limits.joins_per_minute": "3"}) as found:
        token = (await found.token("ada", uses=10))["token"]

        async def join(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            answer = await found.answer("POST", "/api/v1/hosts", joining(token), headers=headers)
            assert ("Retry-After" in answer.headers) == (answer.status == 429)
            return answer.status

        told = [await join(f"2001:db8:0:1::{number}") for number in range(1, 6)]
        assert told == [201, 201, 201, 429, 429]  # a /64 is one
        assert await join("2001:db8:0:2::1") == 201
        assert await join("198.51.100.7, 2001:db8:0:1::1") == 429  # the first is anybody's word


async def test_wrong_tokens_without_end_are_not_looked_for_and_good_ones_are(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, **{"limits.wrong_tokens_per_minute": "5"}) as found:
        ada = await found.join("ada")
        other = (await found.token("bob", kind="api"))["token"]
        told = []
        for number in range(8):
            answer = await found.answer("GET", "/api/v1/hosts", token=f"wfa_{number:043d}")
            told.append(answer.status)
        assert told == [401] * 5 + [429] * 3
        assert (await found.manage("GET", "/accounts"))[0] == 200  # it was good lately
        assert (await ada.call("GET", "/api/v1/commands?wait=0"))[0] == 200
        assert (await found.answer("GET", "/api/v1/accounts", token=other)).status == 429
        before = found.deps.clock
        found.deps.clock = lambda: before() + 61
        assert (await found.answer("GET", "/api/v1/hosts", token="wfa_x")).status == 401
        assert (await found.answer("GET", "/api/v1/accounts", token=other)).status == 403


async def test_signs_of_life_and_long_polls_of_a_host_are_counted(tmp_path: Path) -> None:
    options = {"limits.beats_per_minute": "10", "limits.polls_per_minute": "10"}
    async with house(tmp_path, **options) as found:
        ada, bob = await found.join("ada"), await found.join("bob")
        for method, path, body in (
            ("POST", "/api/v1/heartbeat", m.HeartbeatRequest()),
            ("GET", "/api/v1/commands?wait=0", None),
        ):
            told = [(await ada.call(method, path, body))[0] for _ in range(12)]
            assert told == [200] * 10 + [429] * 2
            assert (await bob.call(method, path, body))[0] == 200


async def test_a_sign_of_life_names_a_task_once_and_is_not_answered_without_end(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
        ada = await found.join("ada")
        [lease] = await ada.leases()
        tasks = [m.Progress(number) for number in range(10_000, 12_000)]
        tasks += [m.Progress(lease.task, 3), m.Progress(lease.task, 5)]
        status, said = await ada.call("POST", "/api/v1/heartbeat", m.HeartbeatRequest(tasks))
        assert status == 200
        assert [task["task"] for task in said["tasks"]].count(lease.task) == 1
        assert len(said["tasks"]) == 65
        assert found.deps.registry.tasks[lease.task].done == 5


async def test_one_address_does_not_hold_all_the_places_of_live_pages(tmp_path: Path) -> None:
    async with house(tmp_path, **PROXIED, **{"limits.listeners_per_address": "2"}) as found:
        url = f"{found.url}/events"
        one, other = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "198.51.100.8"}
        async with found.session.get(url, headers=one) as first:
            assert first.status == 200
            async with found.session.get(url, headers=one) as second:
                assert second.status == 200
                async with found.session.get(url, headers=one) as third:
                    assert third.status == 503
                async with found.session.get(url, headers=other) as fourth:
                    assert fourth.status == 200
