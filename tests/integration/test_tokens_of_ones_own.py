"""API tokens that people make for themselves, and what somebody tries who has got hold of one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from server.domain import scopes
from tests.integration.test_cli_served import Terminal
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.house import House, house

DAY_S = 86_400.0


async def make(
    found: House, token: str, *words: str, expires_s: float = DAY_S, **more: Any
) -> tuple[int, Any]:
    """Ask for a token with another."""
    answer = await found.answer(
        "POST", "/api/v1/me/tokens", wire({"scopes": words, "expires_s": expires_s, **more}), token
    )
    return answer.status, answer.body


def wire(body: Any) -> bytes:
    """A body as it goes over the wire."""
    return json.dumps(body).encode()


async def whole(found: House, name: str, **facts: Any) -> str:
    """An account with a token that may all that it may."""
    return str((await found.token(name, kind="api", **facts))["token"])


async def refused(found: House, method: str, path: str, token: str, body: Any = None) -> str:
    """The code with which this is refused; empty if it is not."""
    raw = None if body is None else wire(body)
    answer = await found.answer(method, f"/api/v1{path}", raw, token)
    return answer.code if answer.status >= 400 else ""


async def test_a_token_does_what_its_words_say_and_names_the_word_that_it_lacks(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        status, made = await make(found, found.admin, "read", "machines", note="for the screen")
        assert (status, made["scopes"]) == (201, ["read", "machines"])
        token = made["token"]
        assert await refused(found, "GET", "/status", token) == ""
        assert await refused(found, "GET", "/machines", token) == ""
        answer = await found.answer("GET", "/api/v1/contexts", None, token)
        assert (answer.status, answer.code) == (403, "scope-missing")
        assert "the scope contexts" in answer.body["detail"]
        mode = {"mode": "offline"}
        assert await refused(found, "PUT", "/mode", token, mode) == "scope-missing"
        status, told = await found.call("GET", "/api/v1/me/tokens", None, found.admin)
        assert status == 200
        assert told["tokens"][0]["note"] == "for the screen"
        assert token not in str(told)


async def test_a_narrow_token_makes_no_wider_one_and_none_that_lives_longer(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        _, made = await make(found, found.admin, "people", "read", expires_s=3600)
        narrow, until = made["token"], made["expires_at"]
        for wider in (("*",), ("people", "productions"), ("pool",)):
            status, problem = await make(found, narrow, *wider)
            assert (status, problem["code"]) == (400, "bad-input"), wider
            assert "more than the token has" in problem["detail"]
        status, child = await make(found, narrow, "read", expires_s=100 * DAY_S)
        assert (status, child["expires_at"]) == (201, until)
        assert (await make(found, child["token"], "read"))[0] == 403


async def test_who_has_a_narrow_token_gets_at_no_password_address_role_or_token_with_it(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as found:
        _, made = await make(found, found.admin, *scopes.SCOPES)
        every = made["token"]  # all the words are less than all
        for method, path, body in (
            ("POST", "/accounts/admin/tokens", {"kind": "api"}),
            ("POST", "/accounts/admin/password", {"password": WORD}),
            ("POST", "/accounts/admin/reset", None),
            ("POST", "/accounts/admin/totp/off", None),
            ("POST", "/accounts/admin/role", {"role": "admin"}),
            ("POST", "/invitations", {"role": "admin"}),
            ("POST", "/me/password", {"new": WORD}),
            ("PUT", "/me", {"email": "thief@example.org"}),
            ("POST", "/me/ssh-keys", {"key": "x"}),
        ):
            answer = await refused(found, method, path, every, body)
            assert answer == "scope-missing", (method, path)
        assert (await make(found, every, "*"))[0] == 400


async def test_a_token_of_another_is_neither_listed_nor_revoked(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada, ben = await whole(found, "ada"), await whole(found, "ben")
        _, made = await make(found, ada, "read")
        path = f"/me/tokens/{made['id']}/revoke"
        assert await refused(found, "POST", path, ben) == "issued-token-unknown"
        status, told = await found.call("GET", "/api/v1/me/tokens", None, ben)
        assert (status, [each["id"] == made["id"] for each in told["tokens"]]) == (200, [False])
        assert await refused(found, "GET", "/me", made["token"]) == ""
        assert await refused(found, "POST", path, ada) == ""
        assert await refused(found, "GET", "/me", made["token"]) == "token-revoked"
        assert await refused(found, "POST", path, ada) == "issued-token-unknown"


async def test_a_token_is_never_more_than_the_role_of_its_account(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await whole(found, "ada")
        _, made = await make(found, ada, "*")
        assert await refused(found, "GET", "/accounts", made["token"]) == "forbidden"
        _, made = await make(found, ada, "people")
        assert await refused(found, "GET", "/accounts", made["token"]) == "forbidden"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"scopes": [], "expires_s": 3600}, "at least one"),
        ({"scopes": ["everything"], "expires_s": 3600}, "is none"),
        ({"scopes": ["*", "read"], "expires_s": 3600}, "leave the others out"),
        ({"scopes": ["read"], "expires_s": 11 * DAY_S}, "accounts.token_days"),
        ({"scopes": ["read"], "expires_s": 3600, "note": "a\nb"}, "printable"),
        ({"scopes": ["read"]}, "expires_s"),
    ],
)
async def test_what_cannot_be_a_token_is_told_with_its_cure(
    tmp_path: Path, body: Any, word: str
) -> None:
    async with house(tmp_path, **{"accounts.token_days": "10"}) as found:
        answer = await found.answer("POST", "/api/v1/me/tokens", wire(body), found.admin)
        assert answer.status == 400
        assert word in answer.body["detail"]


async def test_a_token_is_made_and_revoked_on_the_page_and_shown_once(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await found.token("ada", kind="api")
        await give_password(found, "ada")
        await browser.log_in("ada", WORD)
        await browser.get("/profile")
        answer = await browser.post("/profile/tokens", {"days": "ten", "scope": "read"})
        assert (answer.status, "days" in answer.text) == (400, True)
        answer = await browser.post("/profile/tokens", {"days": "1", "scope": "read", "note": "n"})
        text = re.search(r"wfa_[\w-]{43}", answer.text)
        assert answer.status == 200
        assert text is not None
        assert answer.headers["Cache-Control"] == "no-store"
        token = text[0]
        assert await refused(found, "GET", "/me", token) == ""
        assert await refused(found, "GET", "/machines", token) == "scope-missing"
        page = await browser.get("/profile")
        assert token not in page.text
        number = re.search(r'name="token" value="(\d+)"', page.text)
        assert number is not None
        await browser.post("/profile/tokens/revoke", {"token": number[1]})
        assert await refused(found, "GET", "/me", token) == "token-revoked"


async def test_tokens_are_made_and_revoked_from_the_command_line(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        terminal = Terminal(found, tmp_path)
        make_it = ("me", "token", "make", "--scope", "read", "--days", "1", "--note", "cron")
        made = await terminal.run(*make_it)
        assert await refused(found, "GET", "/status", made["token"]) == ""
        rows = await terminal.run("me", "token", "list")
        assert (rows[0]["scopes"], rows[0]["note"]) == (["read"], "cron")
        await terminal.run("me", "token", "revoke", str(made["id"]))
        assert await refused(found, "GET", "/status", made["token"]) == "token-revoked"
