"""The doors of the site over real HTTP, tried by those who may come in and by those who may not."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher

from server.domain.people import PASSWORD_MOST
from server.services import people
from server.services.passwords import Passwords
from tests.kit.house import House, house
from tests.kit.ports import free_port
from tests.kit.surfer import Surfer, surfer

WORD = "wombat staple orchard"
ELSEWHERE = [
    *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example"),
    *("javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", " //evil.example"),
    *("/x\r\nSet-Cookie: a=b", "", "evil"),
]
NOT_FROM_HERE = ["cross-site", "same-site"]


@asynccontextmanager
async def doors(folder: Path, **options: str) -> AsyncIterator[tuple[House, Surfer]]:
    """A server where the administrator has a password, and a browser."""
    async with house(folder, **options) as found, surfer(found.url) as browser:
        found.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)  # the real one takes 64 MiB
        await give_password(found, "admin")
        yield found, browser


async def give_password(found: House, name: str, password: str = WORD) -> None:
    """Give an account a password."""
    account = await people.account_of(found.deps, name)
    await people.set_password(found.deps, account, password, "test")


async def test_who_knows_the_password_is_let_in_and_out_again(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        assert "Logged in as" not in (await browser.get("/")).text
        answer = await browser.log_in("admin", WORD, "/patterns?x=1")
        assert (answer.status, answer.onto) == (303, "/patterns?x=1")
        page = await browser.get("/")
        assert "<strong>admin</strong>" in page.text
        assert page.headers["Cache-Control"] == "no-store"
        assert (await browser.get("/login?next=/patterns")).onto == "/patterns"
        answer = await browser.post("/logout")
        assert (answer.status, answer.onto) == (303, "/")
        page = await browser.get("/")
        assert "You are logged out." in page.text
        assert "Logged in as" not in page.text
        assert "You are logged out." not in (await browser.get("/")).text


async def test_a_page_without_a_form_gives_visitors_no_cookie(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        assert "Set-Cookie" not in (await browser.get("/")).headers
        assert "Set-Cookie" in (await browser.get("/login")).headers


async def test_who_chooses_a_theme_is_shown_it_until_it_is_that_of_the_system(
    tmp_path: Path,
) -> None:
    async with doors(tmp_path) as (_, browser):
        for theme in ("dark", "light"):
            answer = await browser.send("/appearance", "/appearance", {"theme": theme})
            assert (answer.status, answer.onto) == (303, "/appearance")
            assert f'<html lang="en" data-theme="{theme}">' in (await browser.get("/")).text
        for theme in ("", "pink"):
            await browser.send("/appearance", "/appearance", {"theme": theme})
            assert "data-theme" not in (await browser.get("/")).text


async def test_cookies_are_for_this_host_alone_and_no_script_reads_them(tmp_path: Path) -> None:
    port = free_port()
    options = {
        "server.url": "https://windfall.example",
        "server.behind_proxy": "true",
        "server.port": f"{port}",
    }
    async with doors(tmp_path, **options), surfer(f"http://127.0.0.1:{port}") as browser:
        page = await browser.get("/login")
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Host-windfall-visitor=")
    for word in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
        assert f"; {word}" in cookie
    assert "Domain" not in cookie


async def test_wrong_names_and_wrong_passwords_are_answered_alike(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        wrong = await browser.log_in("admin", "not the password")
        nobody = await browser.log_in("nobody", "not the password")
    assert wrong.status == nobody.status == 403
    told = [page.text.replace(page.csrf, "").replace("nobody", "admin") for page in (wrong, nobody)]
    assert told[0] == told[1]
    assert "do not belong together" in told[0]


async def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        passwords = found.deps.doors.passwords
        checked: list[str] = []
        verify = passwords._verify

        def counted(kept: str, password: str) -> bool:
            checked.append(kept.rpartition("$")[0].rpartition("$")[0])
            return bool(verify(kept, password))

        passwords._verify = counted
        for name in ("admin", "nobody", "nobody@example.org", ""):
            assert (await browser.log_in(name, "not the password")).status == 403
    assert len(checked) == 4
    assert len(set(checked)) == 1, "the parameters of argon2 are the same for all"


async def test_accents_without_end_are_refused_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_order: list[int] = []
    normalize = unicodedata.normalize

    def counted(form: Literal["NFC"], text: str) -> str:
        put_in_order.append(len(text))
        return normalize(form, text)

    async with doors(tmp_path) as (_, browser):
        monkeypatch.setattr("server.services.passwords.unicodedata.normalize", counted)
        accents = "a" + "\u0301\u0316" * 5000
        assert (await browser.log_in("admin", accents)).status == 403
        assert (await browser.log_in("admin", WORD)).status == 303
    assert put_in_order
    assert max(put_in_order) <= PASSWORD_MOST


async def test_a_name_in_other_letters_is_taken_and_clears_nobody_elses_tries(
    tmp_path: Path,
) -> None:
    async with doors(tmp_path, **{"accounts.signup": "open"}) as (_, browser):
        for name in ("ADMIN", "Server", "postmaster"):
            fields = {"name": name, "password": "three other words"}
            assert (await browser.send("/signup", "/signup", fields)).status == 409
        fields = {"name": "Ada", "password": "three other words"}
        assert (await browser.send("/signup", "/signup", fields)).status == 303
        await browser.send("/profile", "/logout", {})
        fields["name"] = "ada"
        assert (await browser.send("/signup", "/signup", fields)).status == 409


@pytest.mark.parametrize("site", NOT_FROM_HERE)
async def test_a_form_sent_by_another_site_is_refused(tmp_path: Path, site: str) -> None:
    async with doors(tmp_path) as (_, browser):
        await browser.log_in("admin", WORD)
        await browser.get("/")
        for headers in ({"Sec-Fetch-Site": site}, {"Origin": f"https://{site}.example"},
                        {"Origin": "null"}):  # fmt: skip
            answer = await browser.post("/logout", headers=headers)
            assert answer.status == 403, headers
        assert "Logged in as" in (await browser.get("/")).text
        own = {"Sec-Fetch-Site": "same-origin", "Origin": browser.url}
        assert (await browser.post("/logout", headers=own)).status == 303


async def test_a_form_without_its_value_or_with_that_of_another_is_refused(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser), surfer(browser.url) as other:
        await browser.log_in("admin", WORD)
        await other.log_in("admin", WORD)
        foreign = (await other.get("/")).csrf
        own = (await browser.get("/")).csrf
        assert own != foreign
        for value in ("", foreign, own[:-1], "\u00e9"):
            assert (await browser.post("/logout", {"csrf": value})).status == 403, value
        assert "Logged in as" in (await browser.get("/")).text


async def test_what_is_no_form_is_refused(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        await browser.log_in("admin", WORD)
        own = (await browser.get("/")).csrf
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
            async with browser.session.post(
                f"{browser.url}/logout", data=f"csrf={own}", headers={"Content-Type": kind}
            ) as reply:
                assert reply.status == 400, kind


async def test_a_session_begins_with_a_new_secret_whatever_the_browser_brought(
    tmp_path: Path,
) -> None:
    async with doors(tmp_path) as (_, browser):
        planted = "wfs_" + "a" * 43
        browser.bring("session", planted)
        await browser.log_in("admin", WORD)
        first = browser.cookie("session")
        assert first not in ("", planted)
        async with surfer(browser.url) as thief:
            thief.bring("session", planted)
            assert "Logged in as" not in (await thief.get("/")).text
            thief.bring("session", first)
            assert "Logged in as" in (await thief.get("/")).text


async def test_a_stolen_cookie_opens_nothing_once_its_owner_has_logged_out(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser), surfer(browser.url) as thief:
        await browser.log_in("admin", WORD)
        thief.bring("session", browser.cookie("session"))
        assert "Logged in as" in (await thief.get("/")).text
        await browser.get("/")
        await browser.post("/logout")
        assert "Logged in as" not in (await thief.get("/")).text


async def test_logging_in_again_ends_the_session_that_the_browser_had(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser), surfer(browser.url) as thief:
        await browser.log_in("admin", WORD)
        thief.bring("session", browser.cookie("session"))
        page = await browser.get("/")
        fields = {"csrf": page.csrf, "name": "admin", "password": WORD, "next": "/"}
        assert (await browser.post("/login", fields)).status == 303
        assert "Logged in as" in (await browser.get("/")).text
        assert "Logged in as" not in (await thief.get("/")).text


async def test_who_logs_in_is_sent_to_this_site_alone(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        for onto in ELSEWHERE:
            answer = await browser.log_in("admin", WORD, onto)
            assert (answer.status, answer.onto) == (303, "/"), onto
            await browser.get("/")
            await browser.post("/logout")


async def test_guessing_is_slowed_down_for_an_account_and_for_an_address(tmp_path: Path) -> None:
    options = {"accounts.tries_per_account": "3", "accounts.tries_per_address": "5"}
    async with doors(tmp_path, **options) as (found, browser):
        tries = [(await browser.log_in("admin", f"guess number {n}")).status for n in range(4)]
        assert tries == [403, 403, 403, 429]
        right = await browser.log_in("admin", WORD)
        assert right.status == 429, "whoever guesses learns nothing from here on"
        assert [(await browser.log_in(f"x{n}", "guess")).status for n in range(3)] == [
            403,
            403,
            429,
        ]
        page = await browser.log_in("x", "guess")
        assert int(page.headers["Retry-After"]) >= 1
        await give_password(found, "admin")
        assert (await browser.log_in("admin", WORD)).status == 429, "the address is still slow"


async def test_many_guesses_at_once_are_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    async with doors(tmp_path, **{"accounts.tries_per_account": "3"}) as (_, browser):
        await browser.get("/login")
        fields = {"name": "admin", "password": "a guess", "next": "/"}
        answers = await asyncio.gather(*(browser.post("/login", fields) for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [403] * 3 + [429] * 9


async def test_who_comes_while_too_many_passwords_wait_is_asked_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"accounts.passwords_waiting": "1", "accounts.tries_per_account": "3"}
    async with doors(tmp_path, **options) as (found, browser):
        kept: Passwords = found.deps.doors.passwords
        go = threading.Event()
        verify = kept._verify

        def slow(hash: str, password: str) -> bool:
            go.wait(60)
            return verify(hash, password)

        monkeypatch.setattr(kept, "_verify", slow)
        await browser.get("/login")
        fields = {"name": "nobody", "password": "a guess", "next": "/"}
        held = [asyncio.create_task(browser.post("/login", fields)) for _ in range(3)]

        async def full() -> bool:
            return kept.here == 3

        await found.until(full, 60)
        fields = {"name": "admin", "password": WORD, "next": "/"}
        for _ in range(5):  # what was not looked at does not count as a try
            answer = await browser.post("/login", fields)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        go.set()
        assert [answer.status for answer in await asyncio.gather(*held)] == [403] * 3
        assert kept.here == 0
        assert (await browser.log_in("admin", WORD)).status == 303


async def test_who_logs_in_well_is_never_slowed_down(tmp_path: Path) -> None:
    async with doors(tmp_path, **{"accounts.tries_per_account": "2"}) as (_, browser):
        for _ in range(5):
            assert (await browser.log_in("admin", WORD)).status == 303
            await browser.get("/")
            await browser.post("/logout")


async def test_no_secret_is_kept_as_it_is(tmp_path: Path) -> None:
    async with doors(tmp_path) as (_, browser):
        await browser.log_in("admin", WORD)
        secret = browser.cookie("session")
        await browser.log_in("admin", "a wrong one that is a secret too")
    for path in (tmp_path / "data").rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            for text in (secret, WORD, "a wrong one that is a secret too"):
                assert text.encode() not in raw, path
