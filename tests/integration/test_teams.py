"""Teams: made, joined and left; nobody is in two, and what a team says is its founder's word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.domain.rollup import DAY, Kind
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.command_line import run
from tests.kit.gifts import amount, gave
from tests.kit.house import House
from tests.kit.surfer import Surfer


@dataclass
class Crowd:
    """Accounts with tokens, and a browser."""

    found: House
    browser: Surfer
    tokens: dict[str, str]

    async def ask(self, who: str, method: str, path: str = "", **body: Any) -> tuple[int, Any]:
        """What somebody is answered."""
        raw = json.dumps(body).encode() if body else None
        return await self.found.call(method, f"/api/v1/teams{path}", raw, self.tokens[who])

    async def made(self, who: str, name: str) -> int:
        """The id of a new team."""
        status, story = await self.ask(who, "POST", name=name)
        assert status == 201, story
        return int(story["team"]["id"])


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """Ada, Bob and Cat; Ada and Bob gave something."""
    async with doors(tmp_path) as (found, browser):
        tokens = {}
        for name, events in (("ada", 300), ("bob", 200), ("cat", 0)):
            tokens[name] = (await found.token(name, kind="api"))["token"]
            [[number]] = await found.rows("SELECT id FROM accounts WHERE name = $1", name)
            if events:
                await gave(found, Kind.ACCOUNT, str(number), 5 * DAY, amount(events, events / 100))
        await give_password(found, "ada")
        yield Crowd(found, browser, tokens)


async def test_a_team_is_the_sum_of_its_present_people(crowd: Crowd) -> None:
    team = await crowd.made("ada", "  Night   owls ")
    status, story = await crowd.ask("bob", "POST", f"/{team}/join")
    assert status == 200
    assert (story["team"]["name"], story["team"]["members"]) == ("Night owls", 2)
    assert story["team"]["credit"] == 5 * 3600
    people = [(one["name"], one["events"], one["founder"]) for one in story["people"]]
    assert people == [("ada", 300, True), ("bob", 200, False)]
    await crowd.ask("bob", "POST", "/leave")
    status, found = await crowd.ask("cat", "GET")
    assert [(one["credit"], one["members"], one["member"]) for one in found["teams"]] == [
        (3 * 3600, 1, False)
    ]


async def test_nobody_is_in_two_teams(crowd: Crowd) -> None:
    owls = await crowd.made("ada", "Owls")
    larks = await crowd.made("bob", "Larks")
    for who, path, body in (("ada", f"/{larks}/join", {}), ("bob", f"/{owls}/join", {}),
                            ("ada", "", {"name": "Third"})):  # fmt: skip
        status, said = await crowd.ask(who, "POST", path, **body)
        assert (status, said["code"]) == (409, "in-team")
    both = await asyncio.gather(
        *(crowd.ask("cat", "POST", f"/{one}/join") for one in (owls, larks))
    )
    assert sorted(status for status, _ in both) == [200, 409]


async def test_a_founder_is_followed_and_the_last_shuts_the_door(crowd: Crowd) -> None:
    team = await crowd.made("ada", "Owls")
    await crowd.ask("bob", "POST", f"/{team}/join")
    await crowd.ask("cat", "POST", f"/{team}/join")
    await crowd.ask("ada", "POST", "/leave")
    _, story = await crowd.ask("bob", "GET", f"/{team}")
    assert [one["name"] for one in story["people"] if one["founder"]] == ["bob"]
    for who in ("bob", "cat"):
        assert (await crowd.ask(who, "POST", "/leave"))[0] == 204
    assert (await crowd.ask("cat", "GET", f"/{team}"))[0] == 404
    assert (await crowd.ask("cat", "POST", "/leave"))[0] == 404


async def test_no_team_is_called_so_that_it_is_taken_for_another(crowd: Crowd) -> None:
    await crowd.made("ada", "Équipe CERN")
    for name in ("ÉQUIPE CERN", "Equipe C.E.R.N.", "équipe\u00a0\uff23ERN", "Equipe  cern"):
        status, said = await crowd.ask("bob", "POST", name=name)
        assert (status, said["code"]) == (409, "exists"), name
    for name in ("Equipe \u0421ERN", "\u0395quipe", "...", "\u200bCERN", "a\u202eb"):
        status, said = await crowd.ask("bob", "POST", name=name)
        assert (status, said["code"]) == (400, "bad-input"), name
    await crowd.made("bob", "Ночные совы 2026")
    await crowd.made("cat", "東京 Owls")


async def test_no_account_fills_the_audit_log(tmp_path: Path) -> None:
    """By joining and leaving, by agreeing and taking it back, on pages or by programs."""
    async with doors(tmp_path, **{"limits.changes_per_minute": "8"}) as (found, browser):
        token = (await found.token("ada", kind="api"))["token"]
        await give_password(found, "ada")
        told = []
        for agreed in (b'{"agreed":true}', b'{"agreed":false}') * 5:
            told.append((await found.call("PUT", "/api/v1/me/export", agreed, token))[0])
        assert told == [200] * 8 + [429] * 2
        assert (await found.answer("GET", "/api/v1/me/export", None, token)).status == 200
        await browser.log_in("ada", WORD)
        refused = await browser.send("/teams", "/teams", {"name": "Owls"})
        assert (refused.status, refused.headers["Retry-After"] > "0") == (429, True)
        lines = await found.rows("SELECT count(*) FROM audit WHERE what LIKE 'export.%'")
        assert lines == [(8,)]
        assert (await found.manage("POST", "/accounts", {"name": "bob"}))[0] == 201, "an operator"


async def test_only_its_founder_says_what_a_team_says_of_itself(crowd: Crowd) -> None:
    team = await crowd.made("ada", "Owls")
    await crowd.ask("bob", "POST", f"/{team}/join")
    said = {"words": "We compute at night.", "url": "https://owls.example/", "country": "Serbia"}
    assert (await crowd.ask("bob", "PUT", f"/{team}", **said))[0] == 403
    status, story = await crowd.ask("ada", "PUT", f"/{team}", **said)
    assert (status, story["team"]["words"]) == (200, "We compute at night.")
    for wrong in ({"url": "javascript:alert(1)"}, {"words": "\x07"}):
        assert (await crowd.ask("ada", "PUT", f"/{team}", **wrong))[0] == 400
    status, _ = await crowd.found.call(
        "PUT", f"/api/v1/teams/{team}", json.dumps({"words": "moderated"}).encode(),
        crowd.found.admin,
    )  # fmt: skip
    assert status == 200


async def test_names_are_one_of_a_kind_and_can_be_read(crowd: Crowd) -> None:
    await crowd.made("ada", "Owls")
    status, said = await crowd.ask("bob", "POST", name="OWLS")
    assert (status, said["code"]) == (409, "exists")
    for name in ("", "   ", "x" * 65, "a\x07b"):
        assert (await crowd.ask("bob", "POST", name=name))[0] == 400, name
    assert len((await crowd.ask("bob", "GET"))[1]["teams"]) == 1


async def test_teams_are_made_and_left_on_the_pages(crowd: Crowd) -> None:
    browser = crowd.browser
    await browser.log_in("ada", WORD)
    fields = {"name": "<b>Owls</b>", "words": "", "url": "", "country": ""}
    wrong = await browser.send("/teams", "/teams", {**fields, "url": "ftp://x"})
    assert (wrong.status, "url: begins with" in wrong.text) == (400, True)
    answer = await browser.send("/teams", "/teams", fields)
    assert answer.status == 303
    shown = (await browser.get(answer.onto)).text
    assert "&lt;b&gt;Owls&lt;/b&gt;" in shown
    assert "you are in it" in shown
    changed = await browser.send(
        answer.onto, answer.onto, {"words": "hoo", "url": "", "country": ""}
    )
    assert changed.status == 303
    assert "hoo" in (await browser.get(answer.onto)).text
    assert (await browser.send("/teams/leave", "/teams", {})).status == 303
    assert "No team yet" in (await browser.get("/teams")).text


async def test_teams_are_made_and_left_on_the_command_line(crowd: Crowd, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(crowd.tokens["bob"])
    door = ("--server", crowd.found.url, "--token-file", tmp_path / "token")

    async def say(*args: str) -> Any:
        said = await asyncio.to_thread(run, "team", *args, *door)
        assert said.code == 0, said
        return said

    assert (await say("list")).out == "No teams yet.\n"
    made = (await say("make", "Owls", "--country", "Serbia", "--json")).json()["team"]
    assert "bob" in (await say("show", str(made["id"]))).out
    assert (await say("leave")).out == "you are in no team\n"
    again = await crowd.made("ada", "Larks")
    assert (await say("join", str(again))).out == "you are in Larks\n"
