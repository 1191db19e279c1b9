"""My contribution: what one gave is told, certified, and checked by whoever holds the paper."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest

from server.domain.rollup import DAY, Kind
from server.handlers import contribution_pages
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.command_line import run
from tests.kit.gifts import amount, gave
from tests.kit.house import House
from tests.kit.surfer import Surfer
from web.certificate import Sheet, certificate

CODE = re.compile(r"(?:[2-9B-Z]{4}-){3}[2-9B-Z]{4}")


@dataclass
class Givers:
    """A pool whose accounts gave something, Vera's browser, and her token."""

    found: House
    browser: Surfer
    token: str
    host: int


@pytest.fixture
async def givers(tmp_path: Path) -> AsyncIterator[Givers]:
    """Vera gave much with one machine, Anna more, and Otto nothing."""
    async with doors(tmp_path) as (found, browser):
        await found.produce(found.definition(events=100, reference=0))
        hosts = {}
        for name, events in (("vera", 12_345), ("anna", 20_000), ("otto", 0)):
            hosts[name] = (await found.join(name)).id
            [[number]] = await found.rows("SELECT id FROM accounts WHERE name = $1", name)
            if events:
                facts = amount(events, events / 100, events_rejected=3)
                await gave(found, Kind.ACCOUNT, str(number), 5 * DAY, facts)
                await gave(found, Kind.HOST, str(hosts[name]), 5 * DAY, facts)
                await gave(found, Kind.CONTRIBUTION, f"{number}/1", 0, facts)
        token = await found.token("vera", kind="api")
        for name in ("vera", "otto"):
            await give_password(found, name)
        await browser.log_in("vera", WORD)
        yield Givers(found, browser, token["token"], hosts["vera"])


async def test_what_one_gave_is_told_in_sum_by_machine_and_by_production(givers: Givers) -> None:
    path = "/api/v1/me/contribution"
    mine = (await givers.found.answer("GET", path, None, givers.token)).body
    assert (mine["events"], mine["rejected"], mine["cpu_h"]) == (12_345, 3, 123.45)
    assert (mine["rank"], mine["ranked"]) == (2, 2)
    assert [(one["host"], one["events"]) for one in mine["machines"]] == [(givers.host, 12_345)]
    assert [(one["production"], one["events"]) for one in mine["studies"]] == [("toy-run", 12_345)]
    assert {badge["name"] for badge in mine["badges"]} == {"A thousand events", "A day of CPU"}
    shown = (await givers.browser.get("/contribution")).text
    assert "12\u202f345" in shown
    assert "toy-run" in shown


async def test_who_gave_nothing_has_no_rank_no_badge_and_no_certificate(givers: Givers) -> None:
    await givers.browser.send("/logout", "/", {})
    await givers.browser.log_in("otto", WORD)
    shown = (await givers.browser.get("/contribution")).text
    assert "Make a certificate" not in shown
    assert "Badges" not in shown
    answer = await givers.browser.post("/contribution/certificates")
    assert answer.status >= 400
    assert "No event of yours has been agreed on yet" in answer.text


async def test_a_certificate_says_on_paper_what_the_server_says_to_anybody(givers: Givers) -> None:
    answer = await givers.browser.send("/contribution/certificates", "/contribution", {})
    path = answer.onto
    assert CODE.fullmatch(path.removeprefix("/certificates/"))
    code = path.rpartition("/")[2]
    await givers.browser.send("/logout", "/", {})
    shown = await givers.browser.get(path)
    assert "12\u202f345" in shown.text
    assert shown.headers["X-Robots-Tag"] == "noindex"
    paper = await givers.found.answer("GET", f"{path}/print")
    assert paper.headers["Content-Type"] == "application/pdf"
    with pypdfium2.PdfDocument(paper.body) as document:
        assert len(document) == 1
        words = document[0].get_textpage().get_text_range().replace("\u00a0", " ")
        assert all(said in words for said in ("vera", "12 345", "123", code, "toy-run")), words
        assert f"{givers.found.url}{path}" in words
        dots = document[0].render(scale=1).to_pil().convert("L")
        dark = sum(dots.histogram()[:128]) / (dots.width * dots.height)
        assert 0.005 < dark < 0.2, "neither empty nor black"
    # More is given later; the certificate still says what it said.
    [[number]] = await givers.found.rows("SELECT id FROM accounts WHERE name = 'vera'")
    await gave(givers.found, Kind.ACCOUNT, str(number), 6 * DAY, amount(5, 1))
    plain = code.replace("-", "").lower()
    said = await givers.found.answer("GET", f"/api/v1/certificates/{plain}")
    assert (said.status, said.body["events"]) == (200, 12_345)


async def test_a_certificate_is_drawn_once_however_many_ask(
    givers: Givers, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = 0

    def count(sheet: Sheet) -> bytes:
        nonlocal drawn
        drawn += 1
        return certificate(sheet)

    monkeypatch.setattr(contribution_pages, "certificate", count)
    answer = await givers.browser.send("/contribution/certificates", "/contribution", {})
    paths = [f"{answer.onto}/print", f"/api/v1{answer.onto}/print"] * 10
    papers = await asyncio.gather(*(givers.found.answer("GET", path) for path in paths))
    assert ({paper.status for paper in papers}, drawn) == ({200}, 1)
    assert all(paper.body == papers[0].body for paper in papers)


async def test_a_code_that_was_never_given_shows_nothing(givers: Givers) -> None:
    for path in ("/certificates/2345-6789-BCDF-GHJK", "/api/v1/certificates/23456789BCDFGHJK"):
        assert (await givers.found.answer("GET", path)).status == 404
    assert (
        await givers.found.answer("GET", "/certificates/2345-6789-BCDF-GHJK/print")
    ).status == 404


async def test_who_made_a_certificate_withdraws_it_and_nobody_else(givers: Givers) -> None:
    answer = await givers.browser.send("/contribution/certificates", "/contribution", {})
    path = answer.onto
    anna = await givers.found.token("anna", kind="api")
    back = f"/api/v1/me{path}/withdraw"
    assert (await givers.found.answer("POST", back, None, anna["token"])).status == 404
    assert (await givers.found.answer("GET", path)).status == 200
    assert (await givers.browser.send(f"{path}/withdraw", "/contribution", {})).status == 303
    for gone in (path, f"{path}/print", f"/api/v1{path}"):
        assert (await givers.found.answer("GET", gone)).status == 404
    assert (await givers.browser.send(f"{path}/withdraw", "/contribution", {})).status == 404


async def test_no_account_floods_the_table_of_certificates(givers: Givers) -> None:
    path, found = "/api/v1/me/certificates", givers.found
    answers = [(await found.answer("POST", path, None, givers.token)).status for _ in range(21)]
    assert answers == [201] * 20 + [429]


async def test_contributions_and_certificates_on_the_command_line(
    givers: Givers, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(givers.token)
    door = ("--server", givers.found.url, "--token-file", tmp_path / "token")

    async def say(*args: str | Path) -> str:
        said = await asyncio.to_thread(run, "me", *args, *door)
        assert said.code == 0, said
        return said.out

    assert "toy-run" in await say("contribution")
    said = await say("certify", "--output", tmp_path / "mine.pdf")
    code = said.strip().rpartition(" ")[2]
    assert (tmp_path / "mine.pdf").read_bytes().startswith(b"%PDF")
    assert code in await say("certificates")
    await say("certificates", "--withdraw", code)
    none = await asyncio.to_thread(run, "me", "certificates", "--withdraw", "mine", *door)
    assert (none.code, "there is no certificate mine" in none.err) == (6, True)
    assert await say("certificates") == "No certificates.\n"
