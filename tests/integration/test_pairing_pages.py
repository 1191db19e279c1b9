"""The pages of pairing and machines, as a browser without scripts uses them."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from server.services import people
from tests.kit.house import House, house
from tests.kit.surfer import Surfer, surfer
from tests.kit.vm import Owner, Vm, owner

WORD = "correct horse battery staple"


@dataclass
class Room:
    """A server with two people, each with a browser and an API token."""

    found: House
    ada: Surfer
    eve: Surfer
    api: Owner


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(house(tmp_path))
        found.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)  # the real one takes 64 MiB
        browsers, tokens = [], []
        for name in ("ada", "eve"):
            tokens.append(await owner(found, name))
            account = await people.account_of(found.deps, name)
            await people.set_password(found.deps, account, WORD, "test")
            browser = await stack.enter_async_context(surfer(found.url))
            assert (await browser.log_in(name, WORD)).status == 303
            browsers.append(browser)
        yield Room(found, browsers[0], browsers[1], tokens[0])


def text_of(page: str) -> str:
    """What a page says."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def pin_of(page: str) -> str:
    """The PIN on a page."""
    found = re.search(r"\d\d \d\d \d\d", text_of(page))
    assert found is not None, text_of(page)
    return found[0].replace(" ", "")


async def begin(browser: Surfer) -> tuple[str, str]:
    """The address of a pairing and its PIN."""
    at = (await browser.send("/pair", "/pair", {"name": "attic"})).onto
    return at, pin_of((await browser.get(at)).text)


async def test_the_whole_story_by_pin(room: Room) -> None:
    at, pin = await begin(room.ada)
    assert pin_of((await room.ada.get(at)).text) == pin  # loading it again shows the same
    vm = Vm(room.found)
    await vm.present(pin)
    shown = await room.ada.get(at)
    for word in vm.words.split():
        assert f"<li>{word}</li>" in shown.text
    assert "I see a machine" in shown.text
    machine = re.search(r'name="machine" value="([^"]+)"', shown.text)
    assert machine is not None
    answer = await room.ada.post(f"{at}/confirm", {"machine": machine[1]})
    assert (answer.status, answer.onto) == (303, at)
    assert "Confirmed" in (await room.ada.get(at)).text
    hand = await vm.in_hand()
    assert f'href="/machines/{hand.id}"' in (await room.ada.get(at)).text
    assert "attic" in text_of((await room.ada.get("/machines")).text)
    story = text_of((await room.ada.get(f"/machines/{hand.id}")).text)
    assert "waiting for work" in story
    assert "joined attic" in story


async def test_the_page_names_the_release_key_that_the_machine_was_told(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found)
    await vm.present(pin)
    machine = re.search(r'name="machine" value="([^"]+)"', (await room.ada.get(at)).text)
    assert machine is not None
    await room.ada.post(f"{at}/confirm", {"machine": machine[1]})
    collected = await vm.collect()
    assert f"<code>{collected.body['release']}</code>" in (await room.ada.get(at)).text


async def test_not_mine_gets_nothing(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found)
    await vm.present(pin)
    await room.ada.get(at)
    await room.ada.post(f"{at}/reject")
    assert "got nothing" in text_of((await room.ada.get(at)).text)
    assert (await vm.collect()).code == "pairing-over"


async def test_several_machines_are_shown_each_with_its_words(room: Room) -> None:
    at, pin = await begin(room.ada)
    machines = [Vm(room.found, f"vm-{n}") for n in range(3)]
    for vm in machines:
        await vm.present(pin)
    shown = await room.ada.get(at)
    assert "I see several machines" in shown.text
    assert len(re.findall("/confirm", shown.text)) == 3
    for vm in machines:
        assert vm.words in shown.text


async def test_a_new_pin_takes_the_place_of_the_old_one(room: Room) -> None:
    at, pin = await begin(room.ada)
    again = (await room.ada.post(f"{at}/again")).onto
    assert again != at
    assert pin_of((await room.ada.get(again)).text) != pin
    assert "good no more" in text_of((await room.ada.get(at)).text)


async def test_a_link_with_a_code_fills_it_in_and_does_nothing(room: Room) -> None:
    vm = Vm(room.found)
    await vm.show_code()
    shown = await room.ada.get(f"/pair/code?code={vm.code}")
    assert f'value="{vm.code}"' in shown.text
    assert await vm.status() == "pending"
    assert (await room.found.rows("SELECT * FROM pairings")) == []
    answer = await room.ada.post("/pair/code", {"code": vm.code})
    assert answer.status == 303
    seen = await room.ada.get(answer.onto)
    assert vm.words in seen.text
    machine = re.search(r'name="machine" value="([^"]+)"', seen.text)
    assert machine is not None
    for path in ("/confirm", f"/confirm?machine={machine[1]}"):
        assert (await room.ada.get(f"{answer.onto}{path}")).status == 405
    assert (await vm.collect()).code == "pairing-pending"
    await room.ada.post(f"{answer.onto}/confirm", {"machine": machine[1]})
    assert (await vm.collect()).status == 200


async def test_a_wrong_code_is_said_beside_the_form(room: Room) -> None:
    answer = await room.ada.send("/pair/code", "/pair/code", {"code": "BBBB-BBBB"})
    assert answer.status == 404
    assert "BBBB-BBBB" in answer.text
    answer = await room.ada.post("/pair/code", {"code": "hello"})
    assert answer.status == 400
    assert 'value="hello"' in answer.text


async def test_pages_of_another_person_are_not_there(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found)
    await vm.present(pin)
    hand_page = "/machines/1"
    await room.eve.get("/pair")
    for path in (at, f"{at}/events"):
        assert (await room.eve.get(path)).status == 404
    for path in ("confirm", "reject", "cancel", "again"):
        assert (await room.eve.post(f"{at}/{path}", {"machine": "x"})).status == 404, path
    other = await room.api.pair(Vm(room.found, "second"))
    hand_page = f"/machines/{other.id}"
    assert (await room.eve.get(hand_page)).status == 404
    for path in ("pause", "resume", "limits", "name", "context", "unmanage"):
        assert (await room.eve.post(f"{hand_page}/{path}", {"name": "x"})).status == 404, path
    assert (await room.ada.get(at)).status == 200


async def test_who_is_not_signed_in_is_sent_to_sign_in(room: Room) -> None:
    async with surfer(room.found.url) as stranger:
        shown = await stranger.get("/pair/code?code=BCDF-GHJK")
        assert shown.status == 303
        assert shown.onto == "/login?next=/pair/code%3Fcode%3DBCDF-GHJK"
        assert (await stranger.get("/machines")).onto.startswith("/login")


async def test_a_form_from_elsewhere_confirms_nothing(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found)
    await vm.present(pin)
    seen = await room.ada.get(at)
    machine = re.search(r'name="machine" value="([^"]+)"', seen.text)
    assert machine is not None
    fields = {"machine": machine[1]}
    forged = await room.ada.post(f"{at}/confirm", {**fields, "csrf": "x"})
    assert forged.status == 403
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await room.ada.post(f"{at}/confirm", fields, elsewhere)).status == 403
    assert (await room.api.look(at.removeprefix("/pair/")))["state"] == "claimed"


async def test_a_machine_is_told_by_its_page(room: Room) -> None:
    hand = await room.api.pair(Vm(room.found))
    at = f"/machines/{hand.id}"
    await room.ada.get(at)
    for path, fields in (
        ("pause", {}), ("limits", {"cores": "2", "memory_mb": "", "hours": "22-6"}),
        ("name", {"name": "attic"}), ("resume", {}),
    ):  # fmt: skip
        answer = await room.ada.post(f"{at}/{path}", fields)
        assert (answer.status, answer.onto) == (303, at), path
    _, said = await hand.call("GET", "/api/v1/machines/self/limits")
    assert said == {"cores": 2, "memory_mb": 0, "hours": "22-6", "network": False}
    shown = await room.ada.get(at)
    assert ">attic</h1>" in shown.text
    wrong = await room.ada.post(f"{at}/limits", {"hours": "always"})
    assert wrong.status == 400
    assert "22-6" in wrong.text
    assert (await room.ada.post(f"{at}/unmanage")).onto == "/machines"
    status, said = await hand.call("GET", "/api/v1/commands?wait=0")
    assert (status, said["code"]) == (410, "host-unmanaged")


async def test_a_token_is_shown_once_and_revoked(room: Room) -> None:
    fields = {"uses": "2", "days": "3", "networks": "127.0.0.0/8", "note": "rack 7"}
    made = await room.ada.send("/machines/tokens", "/machines/tokens", fields)
    found = re.search(r"wf1\.[\w-]{43}\.[0-9a-f]{16}", made.text)
    assert found is not None
    assert "no-store" in made.headers["Cache-Control"]
    assert (await room.found.enrol(found[0], "node"))[0] == 201
    again = await room.ada.get("/machines/tokens")
    assert found[0] not in again.text
    assert "rack 7" in again.text
    revoke = re.search(r'action="(/machines/tokens/\d+/revoke)"', again.text)
    assert revoke is not None
    assert (await room.ada.post(revoke[1])).status == 303
    assert (await room.found.enrol(found[0], "node-2"))[1]["code"] == "token-revoked"
    wrong = await room.ada.post("/machines/tokens", {**fields, "networks": "here"})
    assert (wrong.status, "192.0.2.0/24" in wrong.text) == (400, True)


async def test_a_page_that_is_followed_changes_when_a_machine_comes(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found)
    async with room.ada.session.get(f"{room.found.url}{at}/events") as stream:
        assert stream.content_type == "text/event-stream"
        first = await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 60)
        assert pin_of(first.decode()) == pin
        await vm.present(pin)
        second = (await asyncio.wait_for(stream.content.readuntil(b"\n\n"), 60)).decode()
        assert vm.words in second
        csrf = re.search(r'name="csrf" value="([^"]+)"', second)
        machine = re.search(r'name="machine" value="([^"]+)"', second)
        assert csrf is not None
        assert machine is not None
        fields = {"csrf": html.unescape(csrf[1]), "machine": machine[1]}
        assert (await room.ada.post(f"{at}/confirm", fields)).status == 303


async def test_what_a_machine_calls_itself_harms_no_page_of_its_owner(room: Room) -> None:
    at, pin = await begin(room.ada)
    vm = Vm(room.found, '"><script>alert(1)</script>')
    await vm.present(pin)
    assert "<script>alert" not in (await room.ada.get(at)).text


def choices(page: str) -> dict[str, str]:
    """What the choice of a context offers: values by words; the one chosen with a star."""
    select = page.partition('name="context"')[2].partition("</select>")[0]
    found = re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)<', select)
    return {f"{words}{'*' if chosen else ''}": value for value, chosen, words in found}


async def test_contexts_of_one_name_are_told_apart_and_the_last_used_is_chosen(room: Room) -> None:
    assert 'name="context"' not in (await room.ada.get("/pair")).text
    for _ in range(2):
        await room.api.ask("POST", "/contexts", {"name": "Batch", "document": {}})
    shown = choices((await room.ada.get("/pair")).text)
    _, second = [words for words in shown if words.startswith("Batch, revision 1, ")]
    assert shown["choose a context"] == ""
    assert not any(words.endswith("*") for words in shown), "none is chosen before one was used"
    await room.ada.post("/pair", {"context": "none"})
    assert (await room.api.ask("GET", "/pairings")).body["pairings"][0]["context_id"] == ""
    await room.ada.post("/pair", {"context": shown[second]})
    shown = choices((await room.ada.get("/pair")).text)
    assert [words for words in shown if words.endswith("*")] == [f"{second}*"]
