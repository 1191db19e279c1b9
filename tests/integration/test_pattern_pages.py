"""Patterns on their pages: tried on a log before they are saved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.house import House
from tests.kit.lived_in import live
from tests.kit.surfer import Surfer

OWN = {"name": "no-field", "regex": "no field map <(\\w+)>", "kind": "input",
       "action": "ignore", "enabled": "on", "rank": "10", "most": "0", "factor": "2"}  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[House, Surfer]]:
    """A lived-in pool, and the browser of an operator."""
    async with doors(tmp_path) as (found, browser):
        await live(found)
        await found.manage("POST", "/accounts", {"name": "olga", "role": "operator"})
        await give_password(found, "olga")
        await browser.log_in("olga", WORD)
        yield found, browser


async def pattern(found: House, name: str) -> Any:
    status, said = await found.manage("GET", f"/patterns/{name}")
    return said if status == 200 else None


async def test_a_pattern_is_tried_on_a_log_and_then_saved(desk: tuple[House, Surfer]) -> None:
    found, browser = desk
    tried = {**OWN, "log": "a\r\nno field map <solenoid>\r\n", "do": "try"}
    shown = await browser.send("/new-pattern", "/new-pattern", tried)
    assert shown.status == 200
    assert "<code>no field map &lt;solenoid&gt;</code>" in shown.text
    assert 'value="no field map &lt;(\\w+)&gt;"' in shown.text
    assert await pattern(found, "no-field") is None
    saved = await browser.post("/new-pattern", {**tried, "do": "save"})
    assert (saved.status, saved.onto) == (303, "/patterns/no-field")
    said = await pattern(found, "no-field")
    assert (said["regex"], said["kind"], said["rank"], said["changed_by"]) == (
        OWN["regex"], "input", 10, "olga",
    )  # fmt: skip
    assert "It is saved." in (await browser.get("/patterns/no-field")).text


async def test_a_pattern_is_tried_on_the_logs_of_a_production(desk: tuple[House, Surfer]) -> None:
    _, browser = desk
    tried = {**OWN, "regex": "reading geometry", "production": "toy-run", "do": "try"}
    shown = await browser.send("/new-pattern", "/new-pattern", tried)
    assert "3\u00a0logs kept of toy-run" in shown.text
    assert "segfault" in shown.text
    nothing = await browser.post("/new-pattern", {**OWN, "do": "try"})
    assert (nothing.status, 'id="f-log-error"' in nothing.text) == (400, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "No Field"), ("regex", "("), ("regex", "a*"), ("kind", "x"), ("action", "x"),
     ("most", "1001"), ("most", "inf"), ("factor", "nan"), ("factor", "99"), ("rank", "many")],
)  # fmt: skip
async def test_what_is_wrong_stands_beside_its_field(
    desk: tuple[House, Surfer], field: str, value: str
) -> None:
    found, browser = desk
    answer = await browser.send("/new-pattern", "/new-pattern", {**OWN, field: value, "do": "save"})
    assert answer.status == 400
    assert f'id="f-{field}-error"' in answer.text
    assert await pattern(found, "no-field") is None


async def test_a_name_that_is_taken_is_told_beside_the_name(desk: tuple[House, Surfer]) -> None:
    _, browser = desk
    taken = {**OWN, "name": "segfault", "do": "save"}
    answer = await browser.send("/new-pattern", "/new-pattern", taken)
    assert (answer.status, 'id="f-name-error"' in answer.text) == (400, True)


async def test_a_built_in_pattern_is_changed_and_had_as_it_came(desk: tuple[House, Surfer]) -> None:
    found, browser = desk
    page = "/patterns/segfault"
    was = await pattern(found, "segfault")
    fields = {"regex": "Segmentation", "kind": "payload", "action": "ignore", "do": "save"}
    assert (await browser.send(page, page, fields)).status == 303
    now = await pattern(found, "segfault")
    assert (now["regex"], now["enabled"], now["changed_by"]) == ("Segmentation", False, "olga")
    assert (await browser.send(f"{page}/remove", page, {})).onto == "/patterns"
    assert (await pattern(found, "segfault"))["regex"] == was["regex"]
    assert (await browser.send(f"{page}/remove", page, {})).status == 409
