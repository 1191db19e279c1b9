"""My machines and my enrolment tokens, over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from server.domain.errors import NotFound
from server.services.desk import Chosen, Offer, Rendering
from tests.kit.house import House, house
from tests.kit.vm import Owner, Vm, owner
from vmagent.wire import codec, pairing

BATCH, SQUID = "b" * 32, "5" * 32


class Shelf:
    """Two contexts of ada's; the newest revision is 3."""

    async def choose(self, account: int, context: str, revision: int) -> Chosen:
        if context not in (BATCH, SQUID) or account != 2:
            raise NotFound("context", context)
        return Chosen(context, revision or 3, "Batch" if context == BATCH else "Squid")

    async def render(self, context: str, revision: int, host: int) -> Rendering:
        return Rendering(context, revision, "Batch", f"#cloud-config\nhostname: vm-{host}\n")

    async def names(self, wanted: Sequence[str]) -> dict[str, str]:
        return {one: "Batch" if one == BATCH else "Squid" for one in wanted}

    async def offered(self, account: int) -> list[Offer]:
        return [Offer(BATCH, 3, "Batch")]


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        made.deps.desk.contexts = Shelf()
        yield made


async def only(person: Owner) -> dict[str, object]:
    """The one machine of an account."""
    [row] = (await person.ask("GET", "/machines")).body["machines"]
    return dict(row)


async def test_an_unmanaged_machine_is_told_to_stop_and_then_answered_with_410(
    found: House, ada: Owner
) -> None:
    await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
    hand = await ada.pair(Vm(found))
    [lease] = await hand.leases()
    waiting = asyncio.create_task(hand.call("GET", "/api/v1/commands?wait=30"))
    await asyncio.sleep(0.05)
    assert (await ada.ask("POST", f"/machines/{hand.id}/unmanage")).status == 204
    status, said = await asyncio.wait_for(waiting, 60)
    if status == 200:  # the poll was open when it happened
        assert [one["name"] for one in said["commands"]] == ["stop"]
    for method, path, message in (
        ("POST", "/api/v1/heartbeat", None), ("GET", f"/api/v1/tasks/{lease.task}", None),
        ("GET", "/api/v1/commands?wait=0", None),
    ):  # fmt: skip
        status, said = await hand.call(method, path, message)
        assert (status, said["code"]) == (410, "host-unmanaged")
        assert said["commands"][0]["name"] == "stop"
    status, said = await hand.send(lease, lease.first, lease.first + 10)
    assert (status, said["code"]) == (410, "host-unmanaged")
    assert (await ada.ask("GET", "/machines")).body["machines"] == []
    rows = await found.rows("SELECT state FROM tasks WHERE id = $1", lease.task)
    assert [row[0] for row in rows] == ["aborted"]


async def test_an_unmanaged_machine_is_told_so_by_a_server_that_started_anew(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as first:
        ada = await owner(first, "ada")
        hand = await ada.pair(Vm(first))
        await ada.ask("POST", f"/machines/{hand.id}/unmanage")
    async with house(tmp_path) as second:
        hand.house = second
        status, said = await hand.call("GET", "/api/v1/commands?wait=0")
        assert (status, said["code"]) == (410, "host-unmanaged")


async def test_a_machine_is_paused_and_goes_on(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    for word, command, state in (
        ("pause", "suspend", "paused"), ("resume", "resume", "waiting for work"),
    ):  # fmt: skip
        assert (await ada.ask("POST", f"/machines/{hand.id}/{word}")).status == 201
        _, said = await hand.call("GET", "/api/v1/commands?wait=0")
        assert said["commands"][-1]["name"] == command

        async def shown(state: str = state) -> bool:
            return bool((await only(ada))["state"] == state)

        await found.until(shown)


async def test_limits_reach_the_machine_and_nonsense_does_not(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    wanted = {"cores": 2, "memory_mb": 4096, "hours": "mon-fri 18:30-7; sat,sun 0-24",
              "network": False}  # fmt: skip
    assert (await ada.ask("PUT", f"/machines/{hand.id}/limits", wanted)).body == wanted
    _, said = await hand.call("GET", "/api/v1/commands?wait=0")
    assert [one["name"] for one in said["commands"]] == ["limits"]
    assert await hand.call("GET", "/api/v1/machines/self/limits") == (200, wanted)
    assert (await only(ada))["limits"] == wanted
    for hours in ("always", "25-3", "6-6", "mon 8", "8-9;;"):
        answer = await ada.ask("PUT", f"/machines/{hand.id}/limits", {"hours": hours})
        assert (answer.status, answer.code) == (400, "bad-input"), hours
        assert "22-6" in answer.body["detail"]
    assert await hand.call("GET", "/api/v1/machines/self/limits") == (200, wanted)


async def test_a_machine_is_renamed_for_everybody(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    assert (await ada.ask("PUT", f"/machines/{hand.id}/name", {"name": "attic"})).status == 204
    assert (await only(ada))["name"] == "attic"
    assert (await found.rows("SELECT name FROM hosts"))[0][0] == "attic"
    for name in (" attic", "a\u0007b", "x" * 101):
        answer = await ada.ask("PUT", f"/machines/{hand.id}/name", {"name": name})
        assert answer.status == 400


async def test_operators_see_and_command_the_machines_of_all(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    boss = await owner(found, "boss", "operator")
    assert (await boss.ask("GET", "/machines")).body["machines"] == []
    rows = (await boss.ask("GET", "/machines?all=true")).body["machines"]
    assert [(row["id"], row["account"]) for row in rows] == [(hand.id, "ada")]
    assert (await boss.ask("POST", f"/machines/{hand.id}/pause")).status == 201


async def test_a_machine_is_given_its_context_and_says_what_became_of_it(
    found: House, ada: Owner
) -> None:
    made = await ada.begin(context_id=BATCH)
    assert (made["context_name"], made["revision"]) == ("Batch", 3)
    vm = Vm(found)
    await vm.present(made["pin"])
    await ada.confirm(made["id"], vm.words)
    answer = await vm.collect()
    host, token = answer.body["host"], answer.body["token"]
    context = {"id": BATCH, "revision": 3, "name": "Batch", "envelope": "", "root_pubkeys": [],
               "user_data": f"#cloud-config\nhostname: vm-{host}\n"}  # fmt: skip
    assert answer.body["context"] == context
    again = await found.answer("GET", "/api/v1/machines/self/context", token=token)
    assert again.body == context
    assert (await only(ada))["context_state"] == "waiting for the machine"
    raw = codec.encode(pairing.ContextReport(BATCH, 3, "applied", "cloud-init"))
    await found.answer("POST", "/api/v1/machines/self/context", raw, token)
    assert (await only(ada))["context_state"] == "revision 3 applied by cloud-init"
    raw = codec.encode(pairing.ContextReport(SQUID, 1, "applied"))
    other = await found.answer("POST", "/api/v1/machines/self/context", raw, token)
    assert (other.status, other.code) == (404, "context-unknown")


async def test_a_machine_is_contextualized_anew(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    answer = await ada.ask("POST", f"/machines/{hand.id}/recontextualize", {})
    assert (answer.status, answer.code) == (400, "bad-input")
    status, said = await hand.call("GET", "/api/v1/machines/self/context")
    assert (status, said["id"]) == (200, "")
    wanted = {"context_id": SQUID, "revision": 2}
    answer = await ada.ask("POST", f"/machines/{hand.id}/recontextualize", wanted)
    assert answer.body == {"context_id": SQUID, "revision": 2, "name": "Squid"}
    _, said = await hand.call("GET", "/api/v1/commands?wait=0")
    assert [one["name"] for one in said["commands"]] == ["recontextualize"]
    _, said = await hand.call("GET", "/api/v1/machines/self/context")
    assert (said["id"], said["revision"]) == (SQUID, 2)
    answer = await ada.ask("POST", f"/machines/{hand.id}/recontextualize", {})
    assert answer.body["revision"] == 3


async def test_a_machine_has_a_history(found: House, ada: Owner) -> None:
    await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
    hand = await ada.pair(Vm(found))
    [lease] = await hand.leases()
    await hand.work(lease)
    await ada.ask("POST", f"/machines/{hand.id}/pause")
    story = (await ada.ask("GET", f"/machines/{hand.id}")).body
    assert story["machine"]["name"] == "vm-1"
    told = [(one["what"], one["said"]) for one in story["timeline"]]
    assert ("joined", "vm-1") in told
    assert ("command", "suspend by ada") in told
    assert {"lease", "end"} <= {what for what, _ in told}
    times = [one["at"] for one in story["timeline"]]
    assert times == sorted(times, reverse=True)


async def test_a_token_of_ones_own_brings_machines_with_its_context_and_no_more_than_it_may(
    found: House, ada: Owner
) -> None:
    wanted = {"uses": 2, "context_id": BATCH, "note": "rack 7", "networks": "127.0.0.0/8, ::1/128"}
    made = await ada.ask("POST", "/enrolments", wanted)
    assert made.status == 201
    assert re.fullmatch(r"wf1\.[\w-]{43}\.[0-9a-f]{16}", made.body["token"])
    hosts = []
    for number in range(3):
        status, said = await found.enrol(made.body["token"], f"node-{number}")
        hosts.append((status, said.get("code", "")))
    assert hosts == [(201, ""), (201, ""), (401, "token-used")]
    status, said = await found.enrol(made.body["token"], "node-9")
    [row] = (await ada.ask("GET", "/enrolments")).body["tokens"]
    assert (row["state"], row["hosts"], row["context_name"]) == ("used up", 2, "Batch")
    assert row["networks"] == "127.0.0.0/8 ::1/128"
    rows = (await ada.ask("GET", "/machines")).body["machines"]
    assert {one["context_id"] for one in rows} == {BATCH}


async def test_a_machine_with_a_token_is_told_to_fetch_its_context(
    found: House, ada: Owner
) -> None:
    made = await ada.ask("POST", "/enrolments", {"context_id": BATCH})
    _, said = await found.enrol(made.body["token"], "node")
    answer = await found.answer("GET", "/api/v1/commands?wait=0", token=said["token"])
    assert [one["name"] for one in answer.body["commands"]] == ["recontextualize"]


async def test_a_token_is_good_in_its_networks_alone(found: House, ada: Owner) -> None:
    made = await ada.ask("POST", "/enrolments", {"networks": "192.0.2.0/24"})
    status, said = await found.enrol(made.body["token"], "node")
    assert (status, said["code"]) == (401, "token-elsewhere")
    [row] = (await ada.ask("GET", "/enrolments")).body["tokens"]
    assert (row["state"], row["uses_left"]) == ("open", 1)


@pytest.mark.parametrize(
    "wrong",
    [{"networks": "192.0.2.1/24"}, {"networks": "everywhere"}, {"uses": 5000}, {"note": "\u0007"}],
)
async def test_a_token_that_makes_no_sense_is_refused(ada: Owner, wrong: dict[str, object]) -> None:
    answer = await ada.ask("POST", "/enrolments", wrong)
    assert (answer.status, answer.code) == (400, "bad-input")


async def test_a_token_is_revoked_by_its_owner_alone(found: House, ada: Owner) -> None:
    made = await ada.ask("POST", "/enrolments", {})
    eve = await owner(found, "eve")
    path = f"/enrolments/{made.body['id']}/revoke"
    assert (await eve.ask("POST", path)).status == 404
    assert (await eve.ask("GET", "/enrolments")).body["tokens"] == []
    assert (await ada.ask("POST", path)).status == 204
    status, said = await found.enrol(made.body["token"], "node")
    assert (status, said["code"]) == (401, "token-revoked")


async def test_tokens_that_pairings_made_for_themselves_are_not_listed(
    found: House, ada: Owner
) -> None:
    await ada.pair(Vm(found))
    assert (await ada.ask("GET", "/enrolments")).body["tokens"] == []


async def test_a_site_of_a_token_is_for_those_who_run_one(found: House, ada: Owner) -> None:
    await found.token("boss", site="lab")
    assert (await ada.ask("POST", "/enrolments", {"site": "lab"})).status == 403
    institute = await owner(found, "inst", "institute")
    assert (await institute.ask("POST", "/enrolments", {"site": "lab"})).code == "not-your-site"
    assert (await found.manage("PUT", "/sites/lab/admins/inst"))[0] == 204
    made = await institute.ask("POST", "/enrolments", {"site": "lab"})
    await found.enrol(made.body["token"], "node")
    assert (await only(institute))["site"] == "lab"


def test_hours_are_read_as_agents_read_them() -> None:
    from server.domain.allowance import reads_hours
    from vmagent.hours import Hours

    for text in (
        *("22-6", "0-24", "mon-fri 18:30-7; sat,sun 0-24", "MON 8-9", "fri,sat-sun 1:05-2"),
        *("6-6", "24:30-3", "8-9;", "8", "always", "mon8-9", "0:60-3", "foo 1-2", "24-8"),
    ):
        try:
            Hours(text)
            understood = True
        except ValueError:
            understood = False
        assert reads_hours(text) == understood, text
