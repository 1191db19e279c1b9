"""The editor of contexts in a real browser: preview while one types, rows, search, what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from playwright.async_api import Page, async_playwright, expect

from tests.integration.test_doors import give_password
from tests.integration.test_look import log_in
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.kit.house import House, house
from tests.kit.shelves import Somebody, somebody

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        PROGRAM is None, reason="apt-get install chromium-headless-shell fonts-dejavu-core"
    ),
]
KEY = "#shown"


@dataclass
class Author:
    """Somebody who writes contexts, in a browser and by the API."""

    found: House
    page: Page
    person: Somebody
    complaints: list[str]


@pytest.fixture
async def author(tmp_path: Path) -> AsyncIterator[Author]:
    """One of them."""
    async with house(tmp_path) as found, async_playwright() as play:
        found.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)
        person = await somebody(found, "volunteer")
        await give_password(found, "volunteer")
        browser = await play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        window = await browser.new_context(base_url=found.url)
        await log_in(window, found, "volunteer")
        page, complaints = await window.new_page(), list[str]()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield Author(found, page, person, complaints)
        await browser.close()


async def test_what_a_machine_gets_follows_what_is_typed(author: Author) -> None:
    page = author.page
    await page.goto("/contexts/new/edit?role=worker")
    shown = page.locator(KEY)
    await expect(shown).to_contain_text("16\u202f384 bytes")
    await page.get_by_label("Head", exact=True).fill("head.example.org")
    await expect(shown).to_contain_text("CONDOR_HOST = head.example.org")
    await page.get_by_label("Pool password").fill("a-pool-password-1")
    await expect(shown).to_contain_text("condor.secret")
    await expect(shown).not_to_contain_text("a-pool-password-1")
    await page.get_by_label("What a machine is given, as").select_option("amiconfig")
    await expect(shown).to_contain_text("condor_master")
    await page.get_by_label("Head", exact=True).fill("not a host!")
    await expect(shown).to_contain_text("Not to be rendered yet: condor.master")
    assert author.complaints == []
    assert (await author.person.call("GET", ""))[1] == {"contexts": []}


async def test_a_context_is_written_saved_and_edited(author: Author) -> None:
    page = author.page
    await page.goto("/contexts/new")
    await page.get_by_role("link", name="Begin with nothing").click()
    await page.get_by_label("Context name").fill("Two users")
    await page.get_by_role("button", name="Add Users").click()
    await page.get_by_label("Name", exact=True).nth(0).fill("ada")
    await page.get_by_label("Name", exact=True).nth(1).fill("bob")
    await expect(page.locator(KEY)).to_contain_text("bob")
    await page.get_by_role("button", name="Save context").click()
    await page.get_by_text("Two users is saved.").wait_for()
    made = (await author.person.call("GET", ""))[1]["contexts"][0]
    shown = (await author.person.call("GET", f"/{made['id']}"))[1]
    assert [row["name"] for row in shown["document"]["users"]["users"]] == ["ada", "bob"]
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_role("button", name="Take out ada").click()
    await page.get_by_role("button", name="Save revision 2").click()
    await page.get_by_text("Revision 2 is saved").wait_for()
    shown = (await author.person.call("GET", f"/{made['id']}"))[1]
    assert [row["name"] for row in shown["document"]["users"]["users"]] == ["bob"]


async def test_fields_and_parts_are_found_by_words_on_them(author: Author) -> None:
    page = author.page
    await page.goto("/contexts/new/edit")
    button = page.get_by_role("button", name="Add Squid", exact=False).first
    await expect(button).to_be_visible()
    await page.get_by_label("Find a field").fill("time zone")
    await expect(button).to_be_hidden()
    await expect(page.get_by_role("button", name="Add General")).to_be_visible()
    await page.get_by_label("Find a field").fill("")
    await expect(button).to_be_visible()


async def test_return_in_a_field_saves_nothing(author: Author) -> None:
    page = author.page
    await page.goto("/contexts/new/edit?role=worker")
    await page.get_by_label("Head", exact=True).fill("head.example.org")
    await page.get_by_label("Head", exact=True).press("Enter")
    await page.wait_for_load_state()
    await expect(page.get_by_label("Head", exact=True)).to_have_value("head.example.org")
    assert (await author.person.call("GET", ""))[1] == {"contexts": []}
