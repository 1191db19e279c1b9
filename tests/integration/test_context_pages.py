"""The pages of contexts as forms alone: no script runs here, as in a browser without any."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from argon2 import PasswordHasher

from tests.integration.test_doors import WORD, give_password
from tests.kit.house import House, house
from tests.kit.shelves import HASH, WORKER, Somebody, somebody

_FIELD = re.compile(
    r"<(input|textarea|select|button)\b([^>]*)>(.*?)(?=<(?:input|textarea|select|button|/form)\b)",
    re.S,
)
_ATTRIBUTE = re.compile(r'([a-z-]+)(?:="([^"]*)")?')


@dataclass
class Form:
    """A form of a page as a browser would send it."""

    action: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def first(self, name: str) -> str:
        """What is filled in."""
        return next(value for key, value in self.values if key == name)


def forms(page: str) -> list[Form]:
    """Every form that is sent by POST."""
    found = []
    for head, inner in re.findall(r'<form\b([^>]*method="post"[^>]*)>(.*?</form>)', page, re.S):
        form = Form(html.unescape(dict(_ATTRIBUTE.findall(head))["action"]))
        for kind, text, after in _FIELD.findall(inner):
            read(form, kind, text, after)
        found.append(form)
    return found


def read(form: Form, kind: str, text: str, after: str) -> None:
    """One control of a form."""
    has = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(text)}
    name, value = has.get("name", ""), has.get("value", "")
    if kind == "button":
        form.buttons.append((name, value))
    elif kind == "textarea":
        form.values.append(
            (name, html.unescape(after.partition("</textarea>")[0]).removeprefix("\n"))
        )
    elif kind == "select":
        options = list(re.finditer(r'<option(?: value="([^"]*)")?( selected)?>([^<]*)', after))
        # Without a selected one, a browser sends the first.
        one = next((each for each in options if each[2]), options[0])
        form.values.append((name, html.unescape(one[3] if one[1] is None else one[1])))
    elif has.get("type") not in ("checkbox", "radio") or "checked" in has:
        form.values.append((name, value))


@dataclass
class Browser:
    """Somebody who is logged in, with forms and nothing else."""

    house: House
    session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, str]:
        """A page."""
        async with self.session.get(self.house.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, values: list[tuple[str, str]]) -> tuple[int, str]:
        """Send a form; redirects are followed to the page that they lead to."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        where = self.house.url + path
        async with self.session.post(where, data=urlencode(values), headers=headers) as answer:
            return answer.status, await answer.text()

    async def send(
        self, page: str, action: str, button: str, changes: Mapping[str, str] | None = None,
        more: tuple[tuple[str, str], ...] = (),
    ) -> tuple[int, str]:  # fmt: skip
        """Fill a form of a page in and press a button: ``do=save``."""
        form = next(each for each in forms(page) if each.action == action)
        given = dict(changes or {})
        values = [(key, given.pop(key, value)) for key, value in form.values]
        assert given == {}, (given, [key for key, _ in form.values])
        name, _, value = button.partition("=")
        assert not button or (name, value) in form.buttons, form.buttons
        return await self.post(action, [*values, *more, *([(name, value)] if button else [])])


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A whole server, whose passwords are cheap."""
    async with house(tmp_path) as made:
        made.deps.doors.passwords.hasher = PasswordHasher(1, 64, 1)
        yield made


async def logged_in(found: House, name: str, role: str = "volunteer") -> Browser:
    """Somebody in a browser."""
    await found.manage("POST", "/accounts", {"name": name, "role": role})
    await give_password(found, name)
    browser = Browser(found, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)))
    _, page = await browser.get("/login")
    status, page = await browser.send(page, "/login", "", {"name": name, "password": WORD})
    assert (status, "Logged in as" in page) == (200, True)
    return browser


@pytest.fixture
async def browser(found: House, anna: Somebody) -> AsyncIterator[Browser]:
    """Anna's browser."""
    made = await logged_in(found, "anna")
    yield made
    await made.session.close()


NEW = "/contexts/new/edit"


async def test_a_role_and_a_few_fields_make_a_context(browser: Browser, anna: Somebody) -> None:
    _, page = await browser.get("/contexts/new")
    assert f"{NEW}?role=squid" in page
    _, page = await browser.get(f"{NEW}?role=worker")
    changes = {"name": "My worker", "condor.master": "head.example.org"}
    status, page = await browser.send(page, NEW, "do=save", changes)
    assert (status, "My worker is saved." in page) == (200, True)
    made = (await anna.call("GET", ""))[1]["contexts"][0]
    shown = (await anna.call("GET", f"/{made['id']}"))[1]
    assert (shown["role"], shown["document"]["condor"]) == (
        "worker",
        {"master": "head.example.org"},
    )


async def test_what_was_typed_stays_on_the_page_when_something_is_wrong(
    browser: Browser, anna: Somebody
) -> None:
    _, page = await browser.get(f"{NEW}?role=worker")
    changes = {"name": "Läufer", "condor.master": "not a host!", "description": "<b>two\nlines"}
    status, page = await browser.send(page, NEW, "do=save", changes)
    assert status == 400
    form = next(each for each in forms(page) if each.action == NEW)
    assert {key: form.first(key) for key in changes} == changes
    assert "<b>two" not in page
    assert re.search(r'id="a-condor.master">\s*<p class="error">', page)
    assert (await anna.call("GET", ""))[1] == {"contexts": []}


async def test_parts_and_rows_come_and_go_by_buttons_alone(
    browser: Browser, anna: Somebody
) -> None:
    _, page = await browser.get(NEW)
    _, page = await browser.send(page, NEW, "do=add:users", {"name": "Users"})
    _, page = await browser.send(page, NEW, "do=rows:users.users")
    rows = {"users.users[0].name": "ada", "users.users[2].name": "bob",
            "users.users[2].password": HASH}  # fmt: skip
    _, page = await browser.send(page, NEW, "do=look", rows)
    _, page = await browser.send(page, NEW, "do=add:squid")
    _, page = await browser.send(page, NEW, "do=cut:users.users[0]")
    _, page = await browser.send(page, NEW, "do=drop:squid")
    status, page = await browser.send(page, NEW, "do=save")
    assert status == 200
    made = (await anna.call("GET", ""))[1]["contexts"][0]
    shown = (await anna.call("GET", f"/{made['id']}?secrets=1"))[1]
    assert shown["document"] == {"users": {"users": [{"name": "bob", "password": HASH}]}}


async def test_the_preview_button_shows_what_a_machine_gets(browser: Browser) -> None:
    _, page = await browser.get(f"{NEW}?role=worker")
    changes = {"condor.master": "head.example.org", "condor.secret": "a-pool-password-1"}
    status, page = await browser.send(page, NEW, "do=preview", changes)
    assert status == 200
    assert "of 16\u202f384 bytes" in page
    assert "condor.secret" in page
    assert "CONDOR_HOST = head.example.org" in page
    shown = re.sub(r"<input[^>]*>", "", page)
    assert "a-pool-password-1" not in shown


async def test_secrets_stay_by_themselves_and_go_when_they_are_to_be_forgotten(
    browser: Browser, anna: Somebody
) -> None:
    id = (await anna.made())["context"]["id"]
    edit = f"/contexts/{id}/edit"
    _, page = await browser.get(edit)
    assert HASH not in page
    _, page = await browser.send(page, edit, "do=save", {"name": "Renamed"})
    assert "Revision 2 is saved" in page
    assert (await anna.call("GET", f"/{id}?secrets=1"))[1]["document"] == WORKER
    _, page = await browser.get(edit)
    forget = (("forget", "users.users[0].password"),)
    _, page = await browser.send(page, edit, "do=save", more=forget)
    assert (await anna.call("GET", f"/{id}"))[1]["secrets"] == []


async def test_who_saves_over_a_newer_revision_is_told_before(
    browser: Browser, anna: Somebody
) -> None:
    made = await anna.made()
    edit = f"/contexts/{made['context']['id']}/edit"
    _, page = await browser.get(edit)
    await anna.edited(made, name="By the other")
    status, page = await browser.send(page, edit, "do=save", {"name": "By me"})
    assert (status, "Somebody saved revision 2" in page) == (409, True)
    status, page = await browser.send(page, edit, "do=save")
    assert (status, "Revision 3 is saved" in page) == (200, True)


async def test_a_context_is_sealed_opened_and_sealed_again_on_the_page(
    browser: Browser, anna: Somebody, found: House
) -> None:
    _, page = await browser.get(f"{NEW}?role=worker")
    key = {"secret": "protected-file", "secret_again": "protected-fil"}
    changes = {"name": "Sealed", "condor.secret": "a-pool-password-1"}
    status, page = await browser.send(page, NEW, "do=save", {**changes, **key})
    assert (status, "Type the same secret twice" in page) == (400, True)
    key["secret_again"] = key["secret"]
    _, page = await browser.send(page, NEW, "do=save", key)
    made = (await anna.call("GET", ""))[1]["contexts"][0]
    assert made["sealed"]
    raw = b"".join(path.read_bytes() for path in found.settings.data.glob("windfall.db*"))
    assert b"a-pool-password-1" not in raw
    edit = f"/contexts/{made['id']}/edit"
    _, page = await browser.get(edit)
    opens = f"/contexts/{made['id']}/open"
    status, wrong = await browser.send(page, opens, "", {"secret": "protected-fill"})
    assert (status, "does not open it" in wrong) == (400, True)
    status, page = await browser.send(page, opens, "", {"secret": "protected-file"})
    form = next(each for each in forms(page) if each.action == edit)
    assert form.first("condor.secret") == "a-pool-password-1"
    status, page = await browser.send(page, edit, "do=save", {"name": "Open again"})
    assert (status, "Type the same secret twice" in page) == (400, True)
    status, page = await browser.send(page, edit, "do=save", key)
    assert (status, "Revision 2 is saved" in page) == (200, True)
    assert (await anna.call("POST", f"/{made['id']}/render", {}))[0] == 400


async def test_history_restores_removal_is_undone_and_sharing_is_said(
    browser: Browser, anna: Somebody
) -> None:
    made = await anna.made("First")
    id = made["context"]["id"]
    await anna.edited(made, name="Second")
    _, page = await browser.get(f"/contexts/{id}/history")
    status, page = await browser.send(page, f"/contexts/{id}/restore", "")
    assert (status, "Revision 3 says what revision 1 said." in page) == (200, True)
    status, page = await browser.send(page, f"/contexts/{id}/publish", "")
    assert (status, "Everybody could read" in page) == (409, True)
    status, page = await browser.send(page, f"/contexts/{id}/remove", "")
    assert (status, "It is removed." in page) == (200, True)
    status, page = await browser.send(page, f"/contexts/{id}/bring-back", "")
    assert (status, "First is back." in page) == (200, True)


async def test_publishing_goes_by_an_operators_page(browser: Browser, anna: Somebody) -> None:
    id = (await anna.made("Open to all", document={"cernvm": {"version": "4"}}))["context"]["id"]
    _, page = await browser.get(f"/contexts/{id}")
    _, page = await browser.send(page, f"/contexts/{id}/publish", "")
    assert "waits until an operator has read it" in page
    assert (await browser.get("/contexts/review"))[0] == 403
    olga = await logged_in(browser.house, "olga", "operator")
    _, page = await olga.get("/contexts/review")
    assert "Open to all" in page
    _, page = await olga.get(f"/contexts/{id}?revision=1")
    where = f"/contexts/{id}/review"
    status, page = await olga.send(page, where, "verdict=refuse", {"note": ""})
    assert (status, "say why" in page) == (400, True)
    status, page = await olga.send(page, where, "verdict=list", {"note": "fine"})
    assert (status, "Open to all is public now." in page) == (200, True)
    await olga.session.close()
    assert "Open to all" in (await browser.get("/library?words=open"))[1]


async def test_a_file_is_looked_at_before_it_is_imported(browser: Browser, anna: Somebody) -> None:
    id = (await anna.made("Exported"))["context"]["id"]
    _, text = await browser.get(f"/contexts/{id}/export?form=json")
    assert HASH not in text
    _, page = await browser.get("/contexts/import")
    where = "/contexts/import"
    status, page = await browser.send(page, where, "do=look", {"text": "{"})
    assert (status, "no JSON" in page) == (400, True)
    status, page = await browser.send(page, where, "do=look", {"text": text})
    assert (status, "a secret was left out" in page) == (200, True)
    assert len((await anna.call("GET", ""))[1]["contexts"]) == 1
    status, page = await browser.send(page, where, "do=save", {"name": "Imported"})
    assert (status, "Imported is imported." in page) == (200, True)
    assert len((await anna.call("GET", ""))[1]["contexts"]) == 2


async def test_defaults_are_set_by_whom_they_belong_to(browser: Browser, anna: Somebody) -> None:
    assert (await browser.get("/contexts/defaults/experiment"))[0] == 404
    where = "/contexts/defaults/user/me"
    _, page = await browser.get(where)
    _, page = await browser.send(page, where, "do=add:general")
    changes = {"general.timezone": "Europe/Belgrade"}
    status, page = await browser.send(page, where, "do=save", changes)
    assert (status, "The defaults are saved" in page) == (200, True)
    _, page = await browser.get(NEW)
    assert "Europe/Belgrade" in page
    assert "your defaults" in page


async def test_files_are_downloaded_with_secrets_only_by_who_asks_and_owns(
    browser: Browser, anna: Somebody
) -> None:
    id = (await anna.made())["context"]["id"]
    file = f"/contexts/{id}/files/mime/user-data"
    assert HASH not in (await browser.get(file))[1]
    assert HASH in (await browser.get(f"{file}?secrets=1"))[1]
    assert (await browser.get(f"/contexts/{id}/files/mime/passwd"))[0] == 404
    assert (await browser.get(f"/contexts/{id}/files/nothing/user-data"))[0] == 400


@pytest.mark.parametrize(
    "path", ["", "/edit", "/history", "/diff", "/export", "/files/mime/user-data"]
)
async def test_no_page_of_anothers_context_is_there(
    browser: Browser, found: House, path: str
) -> None:
    ben = await somebody(found, "ben")
    id = (await ben.made())["context"]["id"]
    assert (await browser.get(f"/contexts/{id}{path}"))[0] == 404


@pytest.mark.parametrize(
    "path", ["edit", "open", "restore", "share", "publish", "withdraw", "remove", "bring-back"]
)
async def test_no_form_changes_anothers_context(browser: Browser, found: House, path: str) -> None:
    ben = await somebody(found, "ben")
    made = await ben.made()
    id = made["context"]["id"]
    _, page = await browser.get(NEW)
    csrf = forms(page)[-1].first("csrf")
    fields: dict[str, Any] = {"csrf": csrf, "name": "Mine", "do": "save", "revision": "1",
                              "started_from": "1", "visibility": "private"}  # fmt: skip
    assert (await browser.post(f"/contexts/{id}/{path}", list(fields.items())))[0] == 404
    assert (await ben.call("GET", f"/{id}"))[1] == made


async def test_a_form_without_its_csrf_value_changes_nothing(
    browser: Browser, anna: Somebody
) -> None:
    id = (await anna.made())["context"]["id"]
    status, _ = await browser.post(f"/contexts/{id}/remove", [("csrf", "x")])
    assert status == 403
    assert (await anna.call("GET", f"/{id}"))[0] == 200


async def test_files_with_a_new_token_are_made_by_a_form_alone(
    browser: Browser, anna: Somebody
) -> None:
    id = (await anna.made(document={"agent": {"slots": 2}}))["context"]["id"]
    _, page = await browser.get(f"/contexts/{id}")
    form = f"/contexts/{id}/launch"
    assert (await browser.get(form))[0] == 405
    assert "wf1." not in page
    status, file = await browser.send(page, form, "", {"uses": "3", "days": "2"})
    assert (status, len(set(re.findall(r"wf1\.[A-Za-z0-9_-]{43}", file)))) == (200, 1)
    [token] = (await anna.call("GET", "/api/v1/enrolments"))[1]["tokens"]
    assert (token["uses_left"], token["context_id"], token["revision"]) == (3, id, 1)
    status, page = await browser.send(page, form, "", {"uses": "3", "days": "some"})
    assert (status, "whole numbers" in page) == (400, True)
