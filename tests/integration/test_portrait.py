"""A host in full and the bans, as the API and the command line tell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.house import House, house
from tests.kit.lived_in import live


async def told(found: House, path: str) -> Any:
    return await found.told(path)


async def test_a_host_is_shown_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        names = await live(found)
        ada, cat = await told(found, f"/hosts/{names['host']}"), await told(
            found, f"/hosts/{names['banned']}"
        )  # fmt: skip
        assert (ada["host"]["name"], ada["host"]["state"]) == ("ada", "working")
        assert (ada["memory_mb"], ada["disk_mb"], ada["host"]["cores"]) == (8000, 8000, 4)
        assert ada["bans"] == []
        states = {task["state"] for task in ada["tasks"]}
        assert {"delivered", "failed", "leased"} <= states
        assert [task["id"] for task in ada["tasks"]] == sorted(
            (task["id"] for task in ada["tasks"]), reverse=True
        )
        assert {task["production"] for task in ada["tasks"]} == {"toy-run", "mumu-91gev"}

        assert cat["host"]["state"] == "banned"
        [ban] = cat["bans"]
        assert (ban["reason"], ban["by"], ban["ended_at"]) == (
            "its memory is broken", "admin", None,
        )  # fmt: skip
        assert [move["target"] for move in cat["moves"]] == ["banned"]


async def test_what_is_held_against_a_host_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(reference=0))
        hand = await found.join("ada")
        [lease] = await hand.leases()
        await hand.report(lease, "failed", reason="crashed")
        said = await told(found, f"/hosts/{hand.id}")
        [quota] = said["quotas"]
        assert (quota["payload"], quota["bad"], said["failures"]) == ("toy 1", 1, 1)
        assert quota["left"] == quota["allowed"] - 1 == quota["most"] - 2


async def test_a_host_that_is_believed_no_longer_can_still_be_looked_at(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        hand = await found.join("ada")
        assert (await found.manage("POST", f"/hosts/{hand.id}/revoke"))[0] == 204
        said = await told(found, f"/hosts/{hand.id}")
        assert (said["host"]["name"], said["host"]["state"]) == ("ada", "revoked")
        status, said = await found.manage("GET", "/hosts/999")
        assert (status, said["code"]) == (404, "host-unknown")


async def test_bans_that_stand_are_told_before_those_that_are_over(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada, bob = await found.join("ada"), await found.join("bob")
        for hand, seconds in ((ada, None), (bob, 60)):
            body = {"reason": "cool down", "seconds": seconds}
            await found.manage("POST", f"/hosts/{hand.id}/ban", body)
        before = found.deps.clock
        found.deps.clock = lambda: before() + 61
        bans = (await told(found, "/bans"))["bans"]
        assert [(ban["name"], ban["ended_by"]) for ban in bans] == [("ada", ""), ("bob", "")]
        assert bans[0]["ended_at"] is None
        assert bans[1]["ended_at"] == pytest.approx(bans[1]["until"])
        await found.manage("POST", f"/hosts/{ada.id}/unban")
        bans = (await told(found, "/bans"))["bans"]
        assert [(ban["name"], ban["ended_by"]) for ban in bans] == [("bob", ""), ("ada", "admin")]


async def test_only_operators_look_closely(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        hand = await found.join("ada")
        for role, status in (("volunteer", 403), ("operator", 200)):
            made = await found.token(role, role=role, kind="api")
            for path in (f"/api/v1/hosts/{hand.id}", "/api/v1/bans"):
                assert (await found.call("GET", path, None, made["token"]))[0] == status
