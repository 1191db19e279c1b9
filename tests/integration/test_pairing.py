"""Pairing over HTTP as honest people and machines do it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.kit.house import House, house
from tests.kit.vm import Owner, Vm, owner
from vmagent.wire import jws


async def test_a_machine_is_paired_by_pin_and_works(found: House, ada: Owner) -> None:
    made = await ada.begin(name="attic")
    assert re.fullmatch("[0-9]{6}", made["pin"])
    assert made["pin_display"] == " ".join(re.findall("..", made["pin"]))
    assert (made["state"], made["expires_in"]) == ("waiting", 300)
    vm = Vm(found)
    answer = await vm.present(made["pin"])
    assert answer.status == 202
    assert (answer.body["interval"], answer.body["expires_in"]) == (5, 300)
    seen = await ada.look(made["id"])
    assert seen["state"] == "claimed"
    assert seen["machine"]["words"] == vm.words
    assert seen["machine"]["hostname"] == "vm-1"
    assert seen["machine"]["version"] == "4.5"
    assert await vm.status() == "pending"
    assert (await vm.collect()).code == "pairing-pending"
    assert (await ada.confirm(made["id"], vm.words)).body["state"] == "confirmed"
    found.deps.desk.polls.clear()
    assert await vm.status() == "ready"
    answer = await vm.collect()
    assert answer.status == 200
    assert (answer.body["account"], answer.body["name"]) == ("ada", "attic")
    assert answer.body["context"] is None
    first = jws.peek(answer.body["keys"][0])[1]
    assert answer.body["release"] == first["kid"]
    seen = await ada.look(made["id"])
    assert (seen["state"], seen["host"]) == ("delivered", answer.body["host"])
    [row] = (await ada.ask("GET", "/machines")).body["machines"]
    assert (row["name"], row["state"]) == ("attic", "waiting for work")


async def test_a_paired_machine_makes_events(found: House, ada: Owner) -> None:
    await found.produce(found.definition(events=200, unit=200, quorum=1, reference=0))
    hand = await ada.pair(Vm(found))
    while leases := await hand.leases():
        for lease in leases:
            await hand.work(lease)

    async def told() -> bool:
        [row] = (await ada.ask("GET", "/machines")).body["machines"]
        return bool(row["events_done"] == 200)

    await found.until(told)


async def test_a_code_from_the_machine_is_typed_on_the_page(found: House, ada: Owner) -> None:
    vm = Vm(found)
    answer = await vm.show_code()
    assert answer.status == 202
    assert answer.body["expires_in"] == 600
    assert answer.body["verification_uri_complete"].endswith(f"/pair/code?code={vm.code}")
    assert all(set(row) <= {"0", "1"} for row in answer.body["qr"])
    assert len(answer.body["qr"]) == len(answer.body["qr"][0])
    assert await vm.status() == "pending"
    typed = await ada.ask("POST", "/pairings/code", {"code": vm.code.lower().replace("-", " ")})
    assert typed.status == 201
    assert typed.body["state"] == "claimed"
    assert typed.body["machine"]["words"] == vm.words
    assert (await ada.confirm(typed.body["id"], vm.words)).status == 200
    assert (await vm.collect()).body["account"] == "ada"


async def test_reloading_shows_the_same_pin_also_after_the_server_restarted(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as first:
        ada = await owner(first, "ada")
        made = await ada.begin()
        assert (await ada.look(made["id"]))["pin"] == made["pin"]
    async with house(tmp_path) as second:
        ada.house = second
        assert (await ada.look(made["id"]))["pin"] == made["pin"]
        vm = Vm(second)
        assert (await vm.present(made["pin"])).status == 202
        assert (await ada.look(made["id"]))["machine"]["words"] == vm.words


async def test_a_new_pin_cancels_the_old_one_and_three_may_be_open(
    found: House, ada: Owner
) -> None:
    made = [await ada.begin() for _ in range(3)]
    fourth = await ada.ask("POST", "/pairings", {})
    assert (fourth.status, fourth.code) == (409, "pins-many")
    await ada.begin(instead=made[0]["id"])
    assert (await ada.look(made[0]["id"]))["state"] == "cancelled"
    vm = Vm(found)
    assert (await vm.present(made[0]["pin"])).status == 202
    assert (await ada.look(made[0]["id"]))["machines"] == []
    bob = await owner(found, "bob")
    await bob.begin()


async def test_a_browser_that_waits_is_told_at_once(found: House, ada: Owner) -> None:
    made = await ada.begin()
    waiting = asyncio.create_task(ada.look(made["id"], "?wait=30&since=0"))
    vm = Vm(found)
    await vm.present(made["pin"])
    seen = await asyncio.wait_for(waiting, 60)
    assert (seen["state"], seen["changes"]) == ("claimed", 1)
    again = await ada.look(made["id"], "?wait=30&since=0")
    assert again["changes"] == 1


async def test_a_request_sent_again_is_the_same_request(found: House, ada: Owner) -> None:
    made = await ada.begin()
    vm = Vm(found)
    first = await vm.present(made["pin"])
    second = await vm.present(made["pin"])
    assert second.body == first.body
    assert len((await ada.look(made["id"]))["machines"]) == 1
    other = Vm(found)
    assert (await other.show_code()).body == (await other.show_code()).body


async def test_who_asks_too_often_is_told_to_slow_down(found: House) -> None:
    vm = Vm(found)
    await vm.present("000000")
    assert await vm.status() == "pending"
    answer = await found.answer("GET", "/api/v1/pair/status", token=vm.poll)
    assert (answer.body["state"], answer.body["interval"]) == ("slow_down", 10)


async def test_what_was_cut_off_is_collected_again_until_the_machine_was_heard_of(
    found: House, ada: Owner
) -> None:
    vm = Vm(found)
    made = await ada.agree(vm)
    first, second = await vm.collect(), await vm.collect()
    assert second.body["host"] == first.body["host"]
    assert second.body["token"] != first.body["token"]
    hosts = await found.answer("GET", "/api/v1/commands?wait=0", token=first.body["token"])
    assert hosts.status == 401
    hosts = await found.answer("GET", "/api/v1/commands?wait=0", token=second.body["token"])
    assert hosts.status == 200
    third = await vm.collect()
    assert (third.status, third.code) == (409, "pairing-collected")
    assert (await ada.look(made["id"]))["alarms"] == 1


@pytest.mark.parametrize("cause", ["reject", "cancel"])
async def test_a_machine_that_is_not_wanted_is_told_so(
    found: House, ada: Owner, cause: str
) -> None:
    made = await ada.begin()
    vm = Vm(found)
    await vm.present(made["pin"])
    if cause == "reject":
        answer = await ada.ask("POST", f"/pairings/{made['id']}/reject")
        assert answer.body["state"] == "rejected"
    else:
        assert (await ada.ask("DELETE", f"/pairings/{made['id']}")).status == 204
    assert await vm.status() == {"reject": "rejected", "cancel": "expired"}[cause]
    assert (await vm.collect()).code == "pairing-over"


async def test_a_site_is_for_those_who_run_one(found: House, ada: Owner) -> None:
    await found.token("boss", site="lab")
    answer = await ada.ask("POST", "/pairings", {"site": "lab"})
    assert (answer.status, answer.code) == (403, "not-your-site")
    institute = await owner(found, "institute", "institute")
    for name in ("nowhere", "lab"):
        answer = await institute.ask("POST", "/pairings", {"site": name})
        assert (answer.status, answer.code) == (403, "not-your-site")
    assert (await found.manage("PUT", "/sites/lab/admins/institute"))[0] == 204
    await institute.pair(Vm(found), site="lab")
    [row] = (await institute.ask("GET", "/machines")).body["machines"]
    assert row["site"] == "lab"


async def test_a_context_that_is_none_is_refused_before_a_pin_is_shown(ada: Owner) -> None:
    answer = await ada.ask("POST", "/pairings", {"context_id": "f" * 32})
    assert (answer.status, answer.code) == (404, "context-unknown")
    assert (await ada.ask("GET", "/pairings")).body["pairings"] == []
