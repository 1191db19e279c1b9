"""A banned host is refused by every route with the reason, keeps its spool, and may come back."""

from __future__ import annotations

from pathlib import Path

from tests.kit.house import finish, house


async def test_a_banned_host_is_told_why_and_its_work_goes_to_others(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
        ada, bob = await found.join("ada"), await found.join("bob")
        [lease] = await ada.leases()
        body = {"reason": "its memory is broken"}
        status, said = await found.manage("POST", f"/hosts/{ada.id}/ban", body)
        assert (status, said["until"]) == (200, None)
        for method, path, message in (
            ("POST", "/api/v1/heartbeat", None), ("GET", f"/api/v1/tasks/{lease.task}", None),
        ):  # fmt: skip
            status, said = await ada.call(method, path, message)
            assert (status, said["code"]) == (503, "banned")
            assert "its memory is broken" in said["detail"]
        status, said = await ada.send(lease, lease.first, lease.first + 10)
        assert (status, said["code"]) == (503, "banned")
        _, hosts = await found.manage("GET", "/hosts")
        assert {host["name"]: host["state"] for host in hosts["hosts"]}["ada"] == "banned"
        assert (await found.rows("SELECT state FROM tasks WHERE id = $1", lease.task)) == [
            ("aborted",)
        ]
    async with house(tmp_path) as again:
        ada.house = bob.house = again
        status, _ = await ada.send(lease, lease.first, lease.first + 10)
        assert status == 503
        status, _ = await again.manage("POST", f"/hosts/{ada.id}/unban")
        assert status == 204
        status, _ = await ada.send(lease, lease.first, lease.first + 10)
        assert status == 200
        moves = await again.rows("SELECT source, target FROM moves WHERE machine = 'host'")
        assert [tuple(row) for row in moves] == [("active", "banned"), ("banned", "active")]
        await finish(again, [bob])


async def test_a_ban_for_a_time_ends_by_itself_and_none_is_lifted_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
        ada = await found.join("ada")
        body = {"reason": "cool down", "seconds": 60}
        assert (await found.manage("POST", f"/hosts/{ada.id}/ban", body))[0] == 200
        assert (await ada.call("GET", "/api/v1/commands?wait=0"))[0] == 503
        before = found.deps.clock
        found.deps.clock = lambda: before() + 61
        assert await ada.leases() != []
        assert (await found.manage("POST", f"/hosts/{ada.id}/unban"))[0] == 204
        status, said = await found.manage("POST", f"/hosts/{ada.id}/unban")
        assert (status, said["code"]) == (404, "ban-unknown")
        status, said = await found.manage("POST", "/hosts/999/ban", body)
        assert (status, said["code"]) == (404, "host-unknown")
