"""Tasks as operators find them: pages, API and command line say the same, with log and moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_doors import WORD, doors, give_password
from tests.integration.test_host_pages import Desk
from tests.kit.command_line import Said, run
from tests.kit.lived_in import BAD, live


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A lived-in pool, and somebody logged in as an operator."""
    async with doors(tmp_path) as (found, browser):
        names = await live(found)
        await found.manage("POST", "/accounts", {"name": "olga", "role": "operator"})
        await give_password(found, "olga")
        await browser.log_in("olga", WORD)
        yield Desk(found, names, browser)


async def tasks(desk: Desk, query: str) -> list[dict[str, Any]]:
    """What programs are answered."""
    found = await desk.found.told(f"/tasks?{query}")
    return list(found["tasks"])


async def test_tasks_are_found_by_all_that_is_known_of_them(desk: Desk) -> None:
    everything = await tasks(desk, "limit=1000")
    assert [task["id"] for task in everything] == sorted(
        (task["id"] for task in everything), reverse=True
    )
    for name in ("production", "state", "host_name", "account", "kind"):
        for value in {task[name] for task in everything} - {""}:
            word = {"host_name": "host"}.get(name, name)
            found = await tasks(desk, f"{word}={value}&limit=1000")
            had = [task for task in everything if task[name] == value]
            if word == "production":
                had = [task for task in had if task["host"]]
            assert found == had, (name, value)
    failed = [task for task in everything if task["kind"]]
    assert failed
    assert await tasks(desk, "site=cms-hlt") == []
    ends = [task["ended_at"] for task in await tasks(desk, "order=ended")]
    assert ends == sorted(ends, reverse=True)
    assert await tasks(desk, f"since={ends[0]}") == [
        task for task in await tasks(desk, "order=ended") if task["ended_at"] == ends[0]
    ]
    assert await tasks(desk, "until=2020-01-01T00:00") == []


async def test_pages_follow_each_other_to_the_end(desk: Desk) -> None:
    everything = [task["id"] for task in await tasks(desk, "limit=1000")]
    found, query = list[int](), "limit=3"
    while True:
        page = await desk.found.told(f"/tasks?{query}")
        found += [task["id"] for task in page["tasks"]]
        if not page["next"]:
            break
        query = f"limit=3&after={page['next']}"
    assert found == everything


async def test_a_task_shows_its_log_with_the_line_that_matched_its_copies_and_its_moves(
    desk: Desk,
) -> None:
    path = f"/tasks/{desk.names['failed']}"
    shown = await desk.browser.get(path)
    assert shown.status == 200
    assert f"<mark>Segmentation fault at event {BAD}</mark>" in shown.text
    assert "reading geometry" in shown.text
    for words in ("Who else has or had these events", "What has become of it", "segfault"):
        assert words in shown.text
    story = await desk.found.told(f"{path}/story")
    assert [(step["source"], step["target"]) for step in story["steps"]] == [
        ("ready", "leased"),
        ("leased", "failed"),
    ]
    assert story["finding"]["pattern"] == "segfault"
    first, last = story["task"]["first"], story["task"]["last"]
    assert story["copies"]
    assert all(copy["first"] < last and copy["last"] > first for copy in story["copies"])
    assert all(f'href="/tasks/{copy["id"]}"' in shown.text for copy in story["copies"])


async def test_what_is_asked_for_wrongly_is_told_beside_the_form(desk: Desk) -> None:
    for query, status, words in (
        ("state=asleep", 400, "asleep is none"),
        ("order=best", 400, "best is none"),
        ("since=tomorrow", 400, "is no time"),
        ("after=x", 400, "give the next of the page before"),
        (f"after=-{'9' * 40}", 200, "No task is like that"),
        (f"order=oldest&after={'9' * 40}", 200, "No task is like that"),
        ("order=ended&after=12", 400, "give the next of the page before"),
        ("host=nobody", 404, "no host nobody"),
        ("site=%3Cb%3E", 404, "no site &lt;b&gt;"),
        ("account=nobody", 404, "no account nobody"),
        ("production=nobody", 404, "no production nobody"),
    ):
        shown = await desk.browser.get(f"/tasks?{query}")
        assert (shown.status, words in shown.text) == (status, True), (query, shown.text[-2000:])
        assert 'role="search"' in shown.text
        assert (await desk.found.manage("GET", f"/tasks?{query}"))[0] == status
    assert (await desk.browser.get("/tasks/999999")).status == 404


async def test_tasks_are_listed_and_shown_on_the_command_line(desk: Desk, tmp_path: Path) -> None:
    token = await desk.found.token("oscar", role="operator", kind="api")
    (tmp_path / "token").write_text(token["token"])

    async def say(*args: str) -> Said:
        door = ("--server", desk.found.url, "--token-file", tmp_path / "token")
        return await asyncio.to_thread(run, "task", *args, *door)

    rows = (await say("list", "--state", "failed", "--json")).json()
    assert rows == await tasks(desk, "state=failed")
    listed = await say("list", "-n", "1", "--state", "failed")
    assert listed.err.startswith(f"more: --after {rows[0]['id']}")
    shown = await say("show", desk.names["failed"])
    assert f"Segmentation fault at event {BAD}" in shown.out
    assert "its steps:" in shown.out
    assert (await say("show", desk.names["failed"], "--json")).json()["finding"]
    assert (await say("show", "999999")).code != 0


async def test_volunteers_are_shown_no_tasks(desk: Desk) -> None:
    await desk.found.manage("POST", "/accounts", {"name": "vera", "role": "volunteer"})
    token = await desk.found.token("vera", kind="api")
    await give_password(desk.found, "vera")
    await desk.browser.send("/logout", "/", {})
    await desk.browser.log_in("vera", WORD)
    for path in ("/tasks", f"/tasks/{desk.names['failed']}"):
        assert (await desk.browser.get(path)).status == 403
    for path in ("/api/v1/tasks", f"/api/v1/tasks/{desk.names['failed']}/story"):
        answer = await desk.found.answer("GET", path, None, token["token"])
        assert answer.status == 403
