"""People invited by a file: all or nobody, and each becomes what his line says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.test_cli_served import Terminal
from tests.integration.test_doors import WORD, doors
from tests.integration.test_people import api, follow, with_mail
from tests.kit.house import House
from tests.kit.shelves import somebody
from tests.kit.surfer import surfer

HEAD = "name,email,role,groups,site\n"
GOOD = (
    f"{HEAD}Ada Lovelace,ada@example.org,operator,na61 alice,\n"
    "Bob,bob@example.org,,na61,cern\n"
)  # fmt: skip


async def prepared(found: House) -> None:
    """Two groups and a site."""
    for name in ("na61", "alice"):
        assert (await api(found, "POST", "/groups", {"name": name}))[0] == 201
    await found.token("farmer", site="cern")


async def bring(found: House, csv: str, token: str = "", **more: Any) -> tuple[int, Any]:
    """Send a file."""
    return await api(found, "POST", "/accounts/import", {"csv": csv, **more}, token)


async def invited(found: House) -> list[str]:
    """Whose invitations are open."""
    _, said = await api(found, "GET", "/invitations")
    return sorted(each["email"] for each in said["invitations"])


async def test_who_follows_his_link_is_in_his_groups_and_runs_his_site(tmp_path: Path) -> None:
    async with with_mail(tmp_path) as (found, browser, box):
        await prepared(found)
        status, said = await bring(found, GOOD, check=True)
        assert (status, [each["url"] for each in said["people"]]) == (201, ["", ""])
        assert await invited(found) == []
        status, said = await bring(found, GOOD)
        assert (status, len({each["url"] for each in said["people"]})) == (201, 2)
        link = await box.link("bob@example.org", "invitation")
        assert link == said["people"][1]["url"]
        assert 'value="Bob"' in (await follow(browser, link)).text
        fields = {"name": "bob", "email": "bob@example.org", "full_name": "Bob", "password": WORD}
        assert (await browser.post("/link", fields)).status == 303
        assert "institute" in (await browser.get("/profile")).text
        assert "cern" in (await browser.get("/sites")).text
        groups = (await browser.get("/groups")).text
        assert ("na61" in groups, "alice" in groups) == (True, False)
        assert await invited(found) == ["ada@example.org"]
        _, log = await api(found, "GET", "/audit?who=admin")
        told = {each["what"] for each in log["entries"]}
        assert {"account.import", "invitation.make", "group.add", "site.admin-add"} <= told


async def test_a_file_with_one_fault_invites_nobody_and_names_each_place(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await prepared(found)
        assert (await api(found, "POST", "/invitations", {"email": "old@example.org"}))[0] == 201
        async with surfer(found.url) as other:
            made = (await api(found, "POST", "/invitations", {"email": "has@example.org"}))[1]
            await follow(other, made["url"])
            fields = {"name": "has", "email": "has@example.org", "password": WORD}
            assert (await other.post("/link", fields)).status == 303
        before = await invited(found)
        wrong = (
            f"{GOOD}C,old@example.org\nD,has@example.org\nE,e@example.org,,na62\n"
            "F,f@example.org,,,desy\n"
        )
        status, said = await bring(found, wrong)
        assert (status, said["code"]) == (400, "bad-input")
        assert [text.partition(";")[0] for text in said["faults"]] == [
            "line 4, email: old@example.org is invited already",
            "line 5, email: has@example.org has the account has",
            "line 6, groups: there is no group na62",
            "line 7, site: there is no site desy",
        ]
        assert await invited(found) == before
        await browser.log_in("admin", WORD)
        answer = await browser.send("/admin/accounts/import", "/admin/accounts", {"csv": wrong})
        assert (answer.status, "line 7, site: there is no site desy" in answer.text) == (400, True)
        assert "F,f@example.org" in answer.text, "what was typed is not lost"
        answer = await browser.post("/admin/accounts/import", {"csv": GOOD, "do": "look"})
        assert "Nobody is invited yet" in answer.text
        assert await invited(found) == before
        answer = await browser.post("/admin/accounts/import", {"csv": GOOD, "do": "invite"})
        assert answer.text.count("/link/wfl_") == 2
        assert await invited(found) == sorted([*before, "ada@example.org", "bob@example.org"])


async def test_nobody_below_an_administrator_brings_people(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, _):
        await prepared(found)
        manager = await somebody(found, "boss", "manager")
        assert (await bring(found, GOOD, manager.token))[0] == 403
        assert await invited(found) == []


async def test_people_are_brought_from_the_command_line(tmp_path: Path) -> None:
    async with doors(tmp_path) as (found, browser):
        await prepared(found)
        terminal, file = Terminal(found, tmp_path), tmp_path / "people.csv"
        file.write_text(GOOD + "C,nothing\n")
        _, err, code = await terminal.said("account", "import", file)
        assert (code != 0, "line 4, email: 'nothing' is no address" in err) == (True, True)
        file.write_text(GOOD, encoding="utf-8-sig")
        rows = await terminal.run("account", "import", file)
        assert [row["email"] for row in rows] == ["ada@example.org", "bob@example.org"]
        # A group that is removed before somebody comes, and whose name is taken, is not joined.
        assert (await api(found, "DELETE", "/groups/alice"))[0] == 204
        assert (await api(found, "POST", "/groups", {"name": "alice"}))[0] == 201
        await follow(browser, rows[0]["url"])
        await browser.post("/link", {"name": "ada", "password": WORD})
        _, said = await api(found, "GET", "/groups/alice")
        assert [each["name"] for each in said["members"]] == ["admin"]
        _, said = await api(found, "GET", "/groups/na61")
        assert [each["name"] for each in said["members"]] == ["ada", "admin"]
