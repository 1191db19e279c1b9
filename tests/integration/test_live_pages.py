"""The pages of tasks, machines and what people gave, live: told to those who may see them alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from playwright.async_api import Page, async_playwright

from server.domain.rollup import DAY, Kind, floor
from server.handlers import (
    contribution_pages,
    giving_pages,
    host_pages,
    machine_pages,
    sse,
    team_pages,
)
from server.handlers import task_pages as tasks
from tests.integration.test_doors import WORD, doors, give_password
from tests.integration.test_pages_in_a_browser import PROGRAM, SWITCHES
from tests.kit.gifts import amount, gave
from tests.kit.house import House
from tests.kit.lived_in import live
from tests.kit.surfer import Surfer, surfer

QUICK = partial(sse.Pace, every=0.05, share=1.0, silence=0.2, check=0.1)


@dataclass
class Hall:
    """A lived-in pool whose streams are quick, and the browsers of people by their names."""

    found: House
    names: dict[str, str]
    people: dict[str, Surfer] = field(default_factory=dict)

    @asynccontextmanager
    async def followed(self, who: str, path: str) -> AsyncIterator[ClientResponse]:
        """A stream that somebody opens."""
        async with self.people[who].session.get(f"{self.found.url}{path}") as stream:
            yield stream


@pytest.fixture
async def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    """The owner of the machine, an operator, and a stranger to both."""
    monkeypatch.setattr(sse, "Pace", QUICK)
    for module in (tasks, machine_pages, contribution_pages, giving_pages, team_pages):
        monkeypatch.setattr(module, "PACE_S", 0.05)
    monkeypatch.setattr(host_pages, "LIST_S", 0.05)
    monkeypatch.setattr(host_pages, "ONE_S", 0.05)
    async with AsyncExitStack() as stack:
        found, _ = await stack.enter_async_context(
            doors(tmp_path, **{"limits.listeners_per_account": "9"})
        )
        made = Hall(found, await live(found))
        for name, role in (
            ("volunteer", ""),
            ("olga", "operator"),
            ("eve", "volunteer"),
            ("admin", ""),
        ):
            if role:
                await found.manage("POST", "/accounts", {"name": name, "role": role})
            await give_password(found, name)
            browser = await stack.enter_async_context(surfer(found.url))
            assert (await browser.log_in(name, WORD)).status == 303
            made.people[name] = browser
        yield made


async def told(stream: ClientResponse, words: str) -> str:
    """All that is told up to these words."""
    said = ""
    async with asyncio.timeout(90):
        while words not in said:
            line = (await stream.content.readline()).decode()
            assert line, f"the stream ended before {words!r}"
            said += line
    return said


async def ended(stream: ClientResponse) -> str:
    """What is told until nothing more comes."""
    async with asyncio.timeout(90):
        return (await stream.content.read()).decode()


async def lease_of(hall: Hall, host: str) -> int:
    """The latest task of a machine."""
    [[task]] = await hall.found.rows("SELECT max(id) FROM tasks WHERE host = $1", int(host))
    return int(task)


async def test_what_changes_elsewhere_is_told_on_every_page(hall: Hall) -> None:
    machine, now = hall.names["machine"], hall.found.deps.clock()
    [[account]] = await hall.found.rows("SELECT id FROM accounts WHERE name = 'volunteer'")
    ada = hall.names["host"]
    task = await lease_of(hall, ada)
    hand = await hall.found.join("dan")

    async def change() -> None:
        person = hall.people["volunteer"]
        await person.send(f"/machines/{machine}/resume", f"/machines/{machine}", {})
        await person.send(f"/machines/{machine}/name", f"/machines/{machine}", {"name": "cellar"})
        facts = amount(77_000_000, 1)
        await gave(hall.found, Kind.ACCOUNT, str(account), floor(now, DAY), facts)
        await gave(hall.found, Kind.SITE, "cms-hlt", floor(now, DAY), facts)
        await hall.found.manage("POST", f"/hosts/{ada}/revoke", None)
        team = hall.names["team"]
        await hall.people["eve"].send(f"/teams/{team}/join", f"/teams/{team}", {})
        assert await hand.leases()

    async with AsyncExitStack() as stack:
        streams = [
            (await stack.enter_async_context(hall.followed(who, path)), words)
            for who, path, words in (
                ("volunteer", f"/machines/{machine}/events", "cellar"),
                ("volunteer", "/machines/events", "cellar"),
                ("volunteer", "/contribution/events", "77\u202f001\u202f200"),
                ("volunteer", f"/teams/{hall.names['team']}/events", ">eve</th>"),
                ("olga", "/sites/cms-hlt/giving/events", "77\u202f001\u202f200"),
                ("olga", "/tasks/events?host=dan", "data: <td data-of=\"machine\"><a href=\"/hosts/"
                 f"{hand.id}\">dan</a>"),
                ("olga", f"/tasks/{task}/events", "aborted"),
                ("olga", "/hosts/events?q=cellar", ">cellar</a>"),
                ("olga", f"/hosts/{machine}/events", "cellar"),
            )
        ]  # fmt: skip
        for stream, words in streams:
            assert words not in await told(stream, "\n\n")
        await change()
        await asyncio.gather(*(told(stream, words) for stream, words in streams))


async def test_one_task_that_moves_is_told_and_the_rest_of_the_list_is_not(hall: Hall) -> None:
    machine = hall.names["machine"]
    task = await lease_of(hall, machine)
    async with hall.followed("olga", "/tasks/events") as stream:
        await told(stream, "\n\n")
        await hall.found.manage("POST", f"/hosts/{machine}/revoke", None)
        said = await told(stream, "aborted")
    assert f"event: part\ndata: t{task}\n" in said
    assert "event: live" not in said


async def test_strangers_get_no_stream(hall: Hall) -> None:
    machine = hall.names["machine"]
    own = (f"/machines/{machine}/events", "/sites/cms-hlt/giving/events")
    ours = ("/tasks/events", f"/tasks/{hall.names['failed']}/events", "/hosts/events",
            f"/hosts/{machine}/events", "/operations/events")  # fmt: skip
    async with surfer(hall.found.url) as nobody:
        hall.people["nobody"] = nobody
        for path in (*own, *ours, "/contribution/events", "/machines/events"):
            async with hall.followed("nobody", path) as answer:
                assert answer.status == 401, path
                assert (await answer.json(content_type=None))["code"] == "signed-out"
    for path in (*own, *ours):
        async with hall.followed("eve", path) as answer:
            assert answer.status in (403, 404), path
    for path, status in (
        ("/tasks/999999/events", 404), ("/tasks/events?state=lost", 400),
        ("/tasks/events?site=nowhere", 404), ("/sites/nowhere/giving/events", 404),
    ):  # fmt: skip
        async with hall.followed("olga", path) as answer:
            assert answer.status == status, path


async def test_a_stream_ends_with_its_session_and_with_the_right_to_see(hall: Hall) -> None:
    machine = hall.names["machine"]
    async with (
        hall.followed("volunteer", "/contribution/events") as own,
        hall.followed("volunteer", f"/machines/{machine}/events") as one,
        hall.followed("olga", "/tasks/events") as ours,
    ):
        await told(own, "\n\n")
        await told(one, "\n\n")
        await told(ours, "\n\n")
        await hall.people["volunteer"].send("/logout", "/contribution", {})
        for stream in (own, one):
            assert "event: over\ndata: Nobody is signed in here any more" in await ended(stream)
        status, _ = await hall.found.manage("POST", "/accounts/olga/role", {"role": "volunteer"})
        assert status == 204
        assert "event: over\ndata: " in await ended(ours)


async def test_who_is_not_the_owner_any_more_is_told_so_and_nothing_else(hall: Hall) -> None:
    machine = hall.names["machine"]
    async with hall.followed("volunteer", f"/machines/{machine}/events") as stream:
        await told(stream, "\n\n")
        await hall.people["volunteer"].send(
            f"/machines/{machine}/unmanage", f"/machines/{machine}", {}
        )
        assert "event: over\n" in await ended(stream)


async def test_one_account_does_not_hold_all_the_places(hall: Hall) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(9):
            stream = await stack.enter_async_context(
                hall.followed("volunteer", "/contribution/events")
            )
            assert stream.status == 200
        async with hall.followed("volunteer", "/machines/events") as more:
            assert more.status == 503
            said = await more.json(content_type=None)
            assert said["code"] == "too-many-listeners"
            assert "limits.listeners_per_account" in said["detail"]
        async with hall.followed("olga", "/machines/events") as other:
            assert other.status == 200


@asynccontextmanager
async def shown(hall: Hall, who: str, path: str) -> AsyncIterator[Page]:
    """A page in a real browser, where somebody is signed in already; it is live."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=PROGRAM, args=SWITCHES)
        window = await browser.new_context(viewport={"width": 1280, "height": 800})
        secret = hall.people[who].cookie("session")
        await window.add_cookies(
            [{"name": "windfall-session", "value": secret, "url": hall.found.url}]
        )
        page = await window.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{hall.found.url}{path}")
        await page.locator("#link").get_by_text("Live.").wait_for()
        yield page
        assert complaints == []
        await browser.close()


@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell")
async def test_a_list_that_is_read_stands_still_and_keeps_what_is_chosen(hall: Hall) -> None:
    machine = hall.names["machine"]
    async with shown(hall, "admin", "/hosts?sort=name") as page:
        bob = page.get_by_role("row", name="bob")
        await bob.get_by_role("checkbox").check()
        await page.get_by_label("Name, account or site").fill("half a wo")
        place = await bob.bounding_box()
        await hall.people["volunteer"].send(
            f"/machines/{machine}/name", f"/machines/{machine}", {"name": "attic 2"}
        )
        await hall.found.join("abe")
        await page.get_by_role("link", name="attic 2", exact=True).wait_for()
        show = page.get_by_role("button", name="Show what has changed: 1 new")
        await show.wait_for()
        assert await bob.bounding_box() == place
        assert await bob.get_by_role("checkbox").is_checked()
        typed = page.get_by_label("Name, account or site")
        assert await typed.input_value() == "half a wo"
        assert await typed.evaluate("e => e === document.activeElement")
        assert await page.get_by_role("link", name="abe", exact=True).count() == 0
        await show.click()
        await page.get_by_role("link", name="abe", exact=True).wait_for()
        assert await show.is_hidden()
        assert await bob.get_by_role("checkbox").is_checked()
        assert await typed.input_value() == "half a wo"


@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell")
async def test_a_task_that_ends_changes_where_it_stands(hall: Hall) -> None:
    machine = hall.names["machine"]
    task = await lease_of(hall, machine)
    async with shown(hall, "olga", "/tasks") as page:
        own = page.locator(f'[data-part="t{task}"]')
        below = page.locator(f'[data-part="t{task - 3}"]')
        places = await own.bounding_box(), await below.bounding_box()
        hand = await hall.found.join("dan")
        assert await hand.leases()
        await hall.found.manage("POST", f"/hosts/{machine}/revoke", None)
        await own.get_by_text("aborted").wait_for()
        await page.get_by_role("button", name="Show what has changed").wait_for()
        assert (await own.bounding_box(), await below.bounding_box()) == places


@pytest.mark.browser
@pytest.mark.skipif(PROGRAM is None, reason="apt-get install chromium-headless-shell")
async def test_a_machine_lives_round_a_form_that_is_being_filled(hall: Hall) -> None:
    machine, owner = hall.names["machine"], hall.people["volunteer"]
    async with shown(hall, "volunteer", f"/machines/{machine}") as page:
        await page.get_by_text("Unmanage this machine").click()
        await page.get_by_label("Hours").fill("22-6")
        place = await page.get_by_label("Hours").bounding_box()
        await owner.send(f"/machines/{machine}/resume", f"/machines/{machine}", {})
        await page.get_by_role("cell", name="resume by volunteer").wait_for()
        await page.get_by_role("button", name="Pause").wait_for()
        assert await page.get_by_label("Hours").input_value() == "22-6"
        assert await page.get_by_label("Hours").evaluate("e => e === document.activeElement")
        assert await page.get_by_label("Hours").bounding_box() == place
        assert await page.get_by_role("button", name="Unmanage").is_visible(), "it stays unfolded"
        # With its history in sight, that stands still, and the state goes on.
        await page.set_viewport_size({"width": 1280, "height": 3000})
        await owner.send(f"/machines/{machine}/pause", f"/machines/{machine}", {})
        await page.get_by_role("button", name="Show what has changed").wait_for()
        await page.get_by_role("button", name="Resume").wait_for()
        assert await page.get_by_role("cell", name="suspend by volunteer").count() == 1
        await owner.send(f"/machines/{machine}/resume", f"/machines/{machine}", {})
        await page.get_by_role("button", name="Pause").click()
        await page.get_by_text("The machine is told to pause.").wait_for()
        await page.locator("#link").get_by_text("Live.").wait_for()
        await owner.send("/logout", "/contribution", {})
        await page.locator("#link").get_by_text("Nobody is signed in here any more").wait_for()
