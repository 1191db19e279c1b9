"""A banned version of the agent gets no work, and nothing that it made is taken."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.house import Hand, House, finish, house
from tests.kit.payload_scripts import SLOW
from tests.kit.vm import Vm, owner
from vmagent import __version__
from vmagent.wire import codec
from vmagent.wire import messages as m

BAD = {"version": "1.0.1", "reason": "its events 7 are wrong"}


async def ask(hand: Hand, agent: str) -> tuple[int, Any]:
    """Ask for work as an agent of this version."""
    message = m.AskRequest(uuid.uuid4().hex, 1, 8000, 8000, agent=agent)
    return await hand.call("POST", "/api/v1/work", message)


async def produce(found: House) -> None:
    """A production of one unit that one copy settles."""
    await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))


async def test_a_banned_version_is_told_what_to_take_and_delivers_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await produce(found)
        ada, bob = await found.join("ada"), await found.join("bob")
        status, said = await ask(ada, "1.0.1")
        assert status == 200
        lease = codec.decode(said["leases"][0], m.Lease)
        status, said = await found.manage("POST", "/agents/ban", BAD)
        assert (status, said["versions"], said["hosts"]) == (200, "1.0.1", 1)
        assert await found.rows("SELECT state FROM tasks WHERE id = $1", lease.task) == [
            ("aborted",)
        ]
        status, said = await ask(ada, "1.0.1")
        assert (status, said["code"]) == (403, "agent-banned")
        assert "its events 7 are wrong" in said["detail"]
        assert "another than 1.0.1" in said["detail"]
        status, said = await ada.send(lease, 0, 10)
        assert (status, said["code"]) == (403, "agent-banned")
        status, said = await ada.call("GET", "/api/v1/commands?wait=0")
        assert [order["name"] for order in said["commands"]] == ["abort"]  # it hears that it ends
    async with house(tmp_path) as again:
        ada.house = bob.house = again
        status, _ = await ada.send(lease, 0, 10)
        assert status == 403  # what it said of its version is remembered
        status, said = await ask(ada, "1.0.2")
        assert status == 200
        await ada.work(codec.decode(said["leases"][0], m.Lease))
        await finish(again, [ada, bob])
        status, said = await again.manage("GET", "/agents/bans")
        assert [(ban["versions"], ban["hosts"]) for ban in said["bans"]] == [("1.0.1", 0)]
        assert (await again.manage("POST", "/agents/unban", {"version": "1.0.1"}))[0] == 204
        status, said = await again.manage("POST", "/agents/unban", {"version": "1.0.1"})
        assert (status, said["code"]) == (404, "ban-unknown")


async def test_all_before_a_version_are_banned_and_none_of_them_joins(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await produce(found)
        ada = await found.join("ada")
        body = {"below": "2.0", "reason": "too old", "seconds": 60}
        assert (await found.manage("POST", "/agents/ban", body))[0] == 200
        for version in ("1.9.9", "2.0rc1"):
            status, said = await ask(ada, version)
            assert (status, said["code"]) == (403, "agent-banned"), version
            assert "2.0 or newer" in said["detail"]
        token = (await found.token("bob"))["token"]
        status, said = await found.enrol(token, "bob")  # it says no version
        assert (status, said["code"]) == (403, "agent-banned")
        assert (await ask(ada, "2.0.1"))[0] == 200
        before = found.deps.clock
        found.deps.clock = lambda: before() + 61
        assert (await ask(ada, "1.9.9"))[0] == 200
        assert (await found.enrol(token, "bob"))[0] == 201


async def test_a_banned_version_is_not_paired_until_the_ban_is_lifted(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada, old, late = await owner(found, "ada"), Vm(found, "old"), Vm(found, "late")
        await ada.pair(old)  # it says no version
        body = {"below": "2.0", "reason": "too old"}
        assert (await found.manage("POST", "/agents/ban", body))[0] == 200
        made = await ada.begin()
        await late.present(made["pin"])
        assert (await ada.confirm(made["id"], late.words)).status == 200
        answer = await late.collect()
        assert (answer.status, answer.code) == (403, "agent-banned")
        assert len((await ada.ask("GET", "/machines")).body["machines"]) == 1
        assert (await ada.look(made["id"]))["state"] == "confirmed"  # nothing is used up
        assert (await old.collect()).status == 200  # a lost answer is sent again
        await found.manage("POST", "/agents/unban", {"below": "2.0"})
        assert (await late.collect()).status == 200


async def test_bans_of_versions_are_in_the_audit_log(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await found.manage("POST", "/agents/ban", {"below": "2.0", "reason": "too old"})
        await found.manage("POST", "/agents/unban", {"below": "2.0"})
        await found.manage("POST", "/agents/unban", {"below": "2.0"})  # there is none by now
        rows = await found.rows("SELECT who, what, subject, details FROM audit ORDER BY id")
        deeds = [tuple(row) for row in rows if row[1].startswith("agent.")]
        assert deeds == [
            ("admin", "agent.ban", "<2.0", "too old"),
            ("admin", "agent.unban", "<2.0", ""),
        ]


async def test_a_ban_that_names_nothing_or_no_version_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for body in ({}, {"version": "1", "below": "2"}, {"version": "new"}):
            status, said = await found.manage("POST", "/agents/ban", {"reason": "why", **body})
            assert (status, said["code"]) == (400, "bad-input"), body


async def test_a_real_agent_that_is_banned_says_so_and_works_again_afterwards(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        text = found.definition(events=120, unit=60, quorum=1, reference=2)
        await found.produce(text, SLOW.replace("of %d;", "of %d\\n").encode())
        body = {"version": __version__, "reason": "its events 7 are wrong"}
        agent = AgentProcess(tmp_path / "node")
        token = (await found.token("ada"))["token"]
        door = cast(FakeServer, SimpleNamespace(url=found.url, token=token))
        await asyncio.to_thread(agent.join, door)
        await found.manage("POST", "/agents/ban", body)
        agent.start("--flush-s", "0.2")
        try:

            async def told() -> bool:
                shown = await asyncio.to_thread(agent.status)
                return "its events 7 are wrong" in str(shown.get("banned", ""))

            await found.until(told, 60.0)
            waited = agent.log.read_text().count("this version of the agent is banned")
            assert waited == 1  # it does not ask again and again
            await found.manage("POST", "/agents/unban", {"version": __version__})
            await asyncio.to_thread(agent.kill_all)  # as the one who runs it would
            agent.start("--flush-s", "0.2")

            async def done() -> bool:
                return bool((await found.show())["state"] == "done")

            await found.until(done, 120.0)
        finally:
            await asyncio.to_thread(agent.kill_all)
