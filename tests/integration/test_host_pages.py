"""Pages of machines and bans: operators look, administrators act, both are told what happened."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.db import figures
from server.domain.rollup import Kind, Measure, Tally
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.house import House
from tests.kit.lived_in import live
from tests.kit.surfer import Surfer


@dataclass
class Desk:
    """A lived-in pool, the names of what is in it, and the administrator's browser."""

    found: House
    names: dict[str, str]
    browser: Surfer


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk of somebody logged in as the administrator."""
    async with doors(tmp_path) as (found, browser):
        names = await live(found)
        await browser.log_in("admin", WORD)
        yield Desk(found, names, browser)


async def test_a_ban_is_laid_and_lifted_on_the_machines_own_page(desk: Desk) -> None:
    page = f"/hosts/{desk.names['host']}"
    fields = {"reason": "its clock is <wrong>", "seconds": "3600"}
    answer = await desk.browser.send(f"{page}/ban", page, fields)
    assert (answer.status, answer.onto) == (303, page)
    shown = (await desk.browser.get(page)).text
    assert "its clock is &lt;wrong&gt;" in shown
    assert "It is banned" in shown
    assert "Lift the ban" in shown
    assert "its clock is &lt;wrong&gt;" in (await desk.browser.get("/bans")).text
    answer = await desk.browser.send(f"{page}/unban", page, {})
    assert answer.status == 303
    assert "Lift the ban" not in (await desk.browser.get(page)).text
    assert "lifted by admin" in (await desk.browser.get("/bans")).text


async def test_what_is_wrong_with_a_ban_stands_beside_its_field(desk: Desk) -> None:
    page = f"/hosts/{desk.names['host']}"
    wrong: list[dict[str, str]] = [
        {"reason": " "}, {"reason": "x", "seconds": "-1"}, {"reason": "y" * 301},
    ]  # fmt: skip
    for fields in wrong:
        answer = await desk.browser.send(f"{page}/ban", page, fields)
        assert answer.status == 400
        assert 'id="f-reason-error"' in answer.text
        assert f'value="{fields["reason"]}"' in answer.text
    assert (await desk.found.manage("GET", page))[1]["bans"] == []


async def test_a_machine_is_trusted_commanded_and_believed_no_longer(desk: Desk) -> None:
    page = f"/hosts/{desk.names['host']}"
    await desk.browser.send(f"{page}/trust", page, {"word": "trust", "why": "our own rack"})
    assert "trusted, by admin: our own rack" in (await desk.browser.get(page)).text
    answer = await desk.browser.send(f"{page}/trust", page, {"word": "love", "why": ""})
    assert (answer.status, 'id="f-why-error"' in answer.text) == (400, True)
    await desk.browser.send(f"{page}/command", page, {"name": "drain"})
    assert "It is told to drain" in (await desk.browser.get(page)).text
    assert (await desk.browser.send(f"{page}/command", page, {"name": "dance"})).status == 400
    await desk.browser.send(f"{page}/revoke", page, {})
    shown = (await desk.browser.get(page)).text
    assert "revoked" in shown
    assert "What can be done" not in shown


async def test_the_page_of_a_machine_draws_what_it_gave_by_day(desk: Desk) -> None:
    host = desk.names["host"]
    page, deps = f"/hosts/{host}", desk.found.deps
    given = {Measure.EVENTS_VALIDATED: 86_400, Measure.CPU_MS: 43_200_000}
    made = Tally(deps.clock())
    made.add([(Kind.HOST, str(host))], deps.clock() - 86_400.0, given)
    made.add([(Kind.HOST, "9999")], deps.clock() - 86_400.0, {Measure.EVENTS_VALIDATED: 7_000_000})
    await deps.store.write(lambda tx: figures.add(tx, made.rows))
    shown = (await desk.browser.get(page)).text
    assert "Its events" in shown
    assert re.search(r"<td>86.400</td><td>0</td>", shown), "agreed with, rejected"
    assert "<td>0.5</td>" in shown, "cores at work"
    assert "7\u202f000\u202f000" not in shown
    assert (await desk.browser.get(f"{page}?range=all")).status == 200
    assert (await desk.browser.get(f"{page}?range=hour")).status == 400


async def test_operators_look_and_volunteers_do_not_even_that(desk: Desk) -> None:
    host = f"/hosts/{desk.names['host']}"
    for role, status in (("operator", 200), ("volunteer", 403)):
        await desk.found.manage("POST", "/accounts", {"name": role, "role": role})
        await give_password(desk.found, role)
        await desk.browser.send("/logout", "/", {})
        await desk.browser.log_in(role, WORD)
        for path in ("/hosts", host, "/bans", "/new-pattern"):
            assert (await desk.browser.get(path)).status == status, (role, path)
        shown = await desk.browser.get(host)
        assert "What can be done" not in shown.text
        for deed in ("ban", "unban", "trust", "command", "revoke"):
            answer = await desk.browser.post(f"{host}/{deed}", {"reason": "x"})
            assert answer.status == 403
    assert (await desk.found.manage("GET", host))[1]["host"]["state"] != "banned"


async def test_who_is_not_logged_in_is_sent_to_the_door_and_back(desk: Desk) -> None:
    await desk.browser.send("/logout", "/", {})
    answer = await desk.browser.get("/hosts?q=ada")
    assert (answer.status, answer.onto) == (303, "/login?next=/hosts%3Fq%3Dada")


async def test_machines_are_found_by_name_account_site_and_state(desk: Desk) -> None:
    async def names(query: str) -> list[str]:
        text = (await desk.browser.get(f"/hosts?{query}")).text
        return [
            name for name in ("ada", "bob", "cat", "trigger-farm-033") if f">{name}</a>" in text
        ]

    assert await names("") == ["ada", "bob", "cat", "trigger-farm-033"]
    assert await names("q=CMS-hlt") == ["trigger-farm-033"]
    assert await names("q=b") == ["bob"]
    assert await names("state=banned") == ["cat"]
    assert await names("page=2") == []
    assert (await desk.browser.get("/hosts?page=x")).status == 400
    assert "&lt;b&gt;" in (await desk.browser.get("/hosts?q=%3Cb%3E")).text


async def test_versions_of_the_agent_are_banned_and_taken_again(desk: Desk) -> None:
    fields = {"which": "below", "version": "1.4.0", "reason": "wrong seeds", "seconds": ""}
    assert (await desk.browser.send("/bans", "/bans", fields)).onto == "/bans"
    assert "agent before 1.4.0" in (await desk.browser.get("/bans")).text
    said = (await desk.found.manage("GET", "/agents/bans"))[1]["bans"]
    assert ("<1.4.0", "wrong seeds", "admin") in [
        (ban["versions"], ban["reason"], ban["by"]) for ban in said
    ]
    await desk.browser.send("/bans/lift", "/bans", {"span": "<1.4.0"})
    said = (await desk.found.manage("GET", "/agents/bans"))[1]["bans"]
    assert "<1.4.0" not in [ban["versions"] for ban in said]
    for field, value in (("version", "newest"), ("version", ""), ("reason", " ")):
        answer = await desk.browser.send("/bans", "/bans", {**fields, field: value})
        assert (answer.status, f'id="f-{field}-error"' in answer.text) == (400, True)


async def test_what_people_do_to_machines_and_patterns_is_in_the_audit_log(desk: Desk) -> None:
    page = f"/hosts/{desk.names['host']}"
    await desk.browser.send(f"{page}/ban", page, {"reason": "x", "seconds": ""})
    await desk.browser.send(f"{page}/unban", page, {})
    await desk.browser.send(f"{page}/trust", page, {"word": "trust", "why": "ours"})
    await desk.browser.send(f"{page}/command", page, {"name": "drain"})
    await desk.browser.send(f"{page}/revoke", page, {})
    rows = await desk.found.rows("SELECT who, what, subject FROM audit ORDER BY id")
    host = desk.names["host"]
    deeds = [tuple(row) for row in rows if row[2] == host]
    assert deeds == [
        ("admin", f"host.{what}", host) for what in ("ban", "unban", "trust", "drain", "revoke")
    ]
    assert ("admin", "pattern.save", "no-geometry") in [tuple(row) for row in rows]


async def test_lists_of_machines_differ_in_their_titles(desk: Desk) -> None:
    found = [
        re.findall(r"<title>(.*?): Windfall</title>.*<h1>(.*?)</h1>", page, re.S)
        for page in [
            (await desk.browser.get(path)).text
            for path in ("/hosts", "/machines?site=cms-hlt", "/machines")
        ]
    ]
    words = ("All machines", "Machines of cms-hlt", "My machines")
    assert found == [[(word, word)] for word in words]


async def test_a_machines_page_draws_its_life_and_leads_to_its_tasks(desk: Desk) -> None:
    host = desk.names["host"]
    await desk.browser.send(f"/hosts/{host}/command", f"/hosts/{host}", {"name": "drain"})
    shown = (await desk.browser.get(f"/hosts/{host}")).text
    assert 'class="plot lifeline"' in shown
    assert "drain by admin" in shown
    assert f'href="/tasks?host={host}"' in shown
    [[task]] = await desk.found.rows("SELECT max(id) FROM tasks WHERE host = $1", int(host))
    assert f'href="/tasks/{task}"' in shown
    life = await desk.found.told(f"/hosts/{host}/life")
    assert [one["said"] for one in life["commands"]] == ["drain by admin"]
    [[failed]] = await desk.found.rows(
        "SELECT count(*) FROM tasks WHERE host = $1 AND state = 'failed'", int(host)
    )
    assert len(life["failed"]) == failed > 0
    assert life["worked"]
    assert all(life["start"] <= one["start"] <= one["end"] <= life["end"] for one in life["worked"])
    assert (await desk.found.manage("GET", "/hosts/9999/life"))[0] == 404
