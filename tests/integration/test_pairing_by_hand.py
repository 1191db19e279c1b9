"""Pairing from the command line of a volunteer, and in a browser whose page follows by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from playwright.async_api import Page, async_playwright

from server.services import people
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.kit.command_line import Said, run
from tests.kit.house import House, house
from tests.kit.vm import Owner, Vm, owner

WORD = "wombat staple orchard"
SLOW_MS = 60_000  # the machine that tests run on may be busy


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


@pytest.fixture
async def ada(found: House) -> Owner:
    return await owner(found, "ada")


async def typed(person: Owner, folder: Path, *args: str, answers: str | None = None) -> Said:
    """A command of somebody with a token of their own."""
    token = folder / "ada.token"
    token.write_text(person.token)
    token.chmod(0o600)
    environ = {"WINDFALL_SERVER": person.house.url, "WINDFALL_TOKEN_FILE": str(token)}
    return await asyncio.to_thread(run, *args, environ=environ, answers=answers)


async def test_the_whole_story_on_a_terminal_of_a_volunteer(
    found: House, ada: Owner, tmp_path: Path
) -> None:
    asked = ("pair", "start", "--name", "attic")
    story = asyncio.create_task(typed(ada, tmp_path, *asked, answers="y\n"))

    async def open_pins() -> Any:
        return (await ada.ask("GET", "/pairings")).body["pairings"]

    [made] = await found.until(open_pins)
    vm = Vm(found)
    await vm.present(made["pin"])

    async def confirmed() -> bool:
        return bool((await ada.look(made["id"]))["state"] == "confirmed")

    await found.until(confirmed)
    hand = await vm.in_hand()
    said = await story
    assert said.code == 0, said
    assert made["pin_display"] in said.out
    assert vm.words in said.out
    assert f"paired: machine {hand.id}" in said.out
    said = await typed(ada, tmp_path, "machine", "list")
    assert "attic" in said.out
    for words in (("pause",), ("limit", "--cores", "2", "--hours", "22-6"), ("resume",)):
        said = await typed(ada, tmp_path, "machine", words[0], str(hand.id), *words[1:])
        assert said.code == 0, said
    _, orders = await hand.call("GET", "/api/v1/commands?wait=0")
    assert [one["name"] for one in orders["commands"]][-1] == "resume"
    said = await typed(ada, tmp_path, "machine", "show", str(hand.id))
    assert "resume by ada" in said.out
    said = await typed(ada, tmp_path, "machine", "unmanage", str(hand.id), answers="y\n")
    assert said.code == 0
    assert (await hand.call("GET", "/api/v1/commands?wait=0"))[0] == 410


async def test_programs_pair_by_code_without_being_asked(
    found: House, ada: Owner, tmp_path: Path
) -> None:
    vm = Vm(found)
    await vm.show_code()
    made = (await typed(ada, tmp_path, "pair", "code", vm.code, "--json")).json()
    wrong = await typed(ada, tmp_path, "pair", "confirm", made["id"], "other words here", "--json")
    assert wrong.code != 0
    assert await vm.status() == "pending"
    said = await typed(ada, tmp_path, "pair", "confirm", made["id"], vm.words, "--json")
    assert said.json()["state"] == "confirmed"
    await vm.in_hand()
    token = (await typed(ada, tmp_path, "machine", "token", "--json")).json()
    assert (await found.enrol(token["token"], "node"))[0] == 201
    rows = (await typed(ada, tmp_path, "machine", "tokens", "--json")).json()
    assert [row["state"] for row in rows] == ["used up"]


async def test_a_no_on_the_terminal_confirms_nothing(
    found: House, ada: Owner, tmp_path: Path
) -> None:
    vm = Vm(found)
    await vm.show_code()
    story = asyncio.create_task(typed(ada, tmp_path, "pair", "code", vm.code, answers="n\n"))

    async def mine() -> Any:
        return (await ada.ask("GET", "/pairings")).body["pairings"]

    [made] = await found.until(mine)
    await ada.ask("DELETE", f"/pairings/{made['id']}")
    said = await story
    assert said.code != 0
    assert (await vm.collect()).status == 410


@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell")
async def test_the_page_of_a_pin_follows_the_machine_by_itself(found: House, ada: Owner) -> None:
    found.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)  # the real one takes 64 MiB
    await people.set_password(found.deps, await people.account_of(found.deps, "ada"), WORD, "test")
    async with async_playwright() as program:
        browser = await program.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        page = await browser.new_page(base_url=found.url)
        page.set_default_timeout(SLOW_MS)
        await _by_pin(found, ada, page)
        await _by_link(found, page)
        await browser.close()


async def _by_pin(found: House, ada: Owner, page: Page) -> None:
    await page.goto("/pair")
    await page.get_by_label("Name or e-mail address").fill("ada")
    await page.get_by_label("Password").fill(WORD)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_label("Name").fill("attic")
    await page.get_by_role("button", name="Show a PIN").click()
    await page.get_by_role("heading", name="Type this PIN at the machine").wait_for()
    shown = await page.locator(".code").inner_text()
    pin = "".join(sign for sign in shown if sign.isdigit())
    await page.locator(".countdown strong").wait_for()
    await page.locator("html[data-live=yes]").wait_for()
    vm = Vm(found)
    await vm.present(pin)
    await page.get_by_role("heading", name="I see a machine").wait_for()
    words = await page.locator(".words li").all_inner_texts()
    assert " ".join(words) == vm.words
    await page.locator(".countdown strong").wait_for()  # it counts in what came over the stream too
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_role("heading", name="Confirmed").wait_for()
    await vm.in_hand()
    await page.get_by_role("heading", name="Paired").wait_for()
    await page.get_by_role("link", name="See what it does").click()
    await page.get_by_role("heading", name="attic", exact=True).wait_for()
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_text("The machine is told to pause.").wait_for()
    await page.get_by_text("Unmanage this machine").click()
    await page.get_by_role("button", name="Unmanage").click()
    await page.get_by_text("No machine is yours yet").wait_for()
    assert (await ada.ask("GET", "/machines")).body["machines"] == []


async def _by_link(found: House, page: Page) -> None:
    vm = Vm(found)
    answer = await vm.show_code()
    await page.goto(answer.body["verification_uri_complete"])
    assert await page.get_by_label("Code").input_value() == vm.code
    await page.get_by_role("button", name="Find the machine").click()
    await page.get_by_role("heading", name="I see a machine").wait_for()
    await page.get_by_role("button", name="Not mine").click()
    await page.get_by_role("heading", name="Rejected").wait_for()
    assert await vm.status() == "rejected"
