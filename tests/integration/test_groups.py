"""Groups over real HTTP: made, asked into, left; what strangers and members try who want more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.handlers import openapi
from tests.architecture.test_routes import ROUTES
from tests.integration.test_cli_served import Terminal
from tests.kit.house import House, house
from tests.kit.shelves import Somebody, somebody

BASE = "/api/v1/groups"
GROUP = f"{BASE}/na61"
CALLS: dict[str, tuple[str, Any]] = {
    "GET": ("", None),
    "PUT": ("", {"name": "mine", "title": ""}),
    "DELETE": ("", None),
    "POST /invitations": ("/invitations", {"account": "eve"}),
    "DELETE /invitations/{account}": ("/invitations/cleo", None),
    "POST /join": ("/join", None),
    "PUT /members/{account}": ("/members/eve", None),
    "DELETE /members/{account}": ("/members/ben", None),
    "POST /owner": ("/owner", {"account": "ben"}),
}
"""Every call about one group, by somebody who wants more than he has."""


class People:
    """A server; anna owns the group na61, ben is in it, cleo is asked, eve knows its name."""

    def __init__(self, found: House, *all_: Somebody) -> None:
        self.house = found
        self.anna, self.ben, self.cleo, self.eve, self.root = all_


async def group(who: Somebody, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
    """A call about the group."""
    return await who.call(method, GROUP + path, body)


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    """A whole server with these people."""
    async with house(tmp_path) as found:
        names = [await somebody(found, name) for name in ("anna", "ben", "cleo", "eve")]
        made = People(found, *names, Somebody(found, "admin", found.admin))
        body = {"name": "na61", "title": "NA61/SHINE"}
        status, said = await made.anna.call("POST", BASE, body)
        assert (status, said["group"]["standing"]) == (201, "owner"), said
        for name in ("ben", "cleo"):
            asked = await group(made.anna, "POST", "/invitations", {"account": name})
            assert asked[0] == 204, asked
        assert (await group(made.ben, "POST", "/join"))[0] == 200
        yield made


async def shared(people: People) -> str:
    """A context of anna that is shared with the group."""
    id = str((await people.anna.made())["context"]["id"])
    body = {"visibility": "group", "names": ["na61"]}
    assert (await people.anna.call("PUT", f"/{id}/sharing", body))[0] == 200
    return id


def test_every_call_about_one_group_is_tried_here() -> None:
    one = f"{BASE}/{{group}}"
    paths = [(route.method, openapi.template(route.path)) for route in ROUTES]
    known = {f"{method} {path.removeprefix(one)}".strip() for method, path in paths if one in path}
    assert known == CALLS.keys()


async def test_a_group_is_not_there_for_who_is_neither_in_it_nor_asked(people: People) -> None:
    for key, (path, body) in CALLS.items():
        method = key.partition(" ")[0]
        status, said = await group(people.eve, method, path, body)
        none = await people.eve.call(method, f"{BASE}/never{path}", body)
        assert (status, said["code"]) == (none[0], none[1]["code"]), key
        assert status == (403 if key == "PUT /members/{account}" else 404), (key, said)
    assert (await people.eve.call("GET", f"{BASE}?all=1"))[1] == {"groups": []}


async def test_who_is_asked_sees_who_asks_and_nothing_else(people: People) -> None:
    status, said = await group(people.cleo, "GET")
    assert (status, said["group"]["standing"], said["may_change"]) == (200, "asked", False)
    assert (said["members"], said["asked"]) == ([], [])
    for key in CALLS.keys() - {"GET", "POST /join", "DELETE /invitations/{account}"}:
        path, body = CALLS[key]
        status, said = await group(people.cleo, key.partition(" ")[0], path, body)
        assert status == 403, (key, said)
    id = await shared(people)
    assert (await people.cleo.call("GET", f"/{id}"))[0] == 404
    assert (await group(people.cleo, "DELETE", "/invitations/cleo"))[0] == 204
    assert (await group(people.cleo, "POST", "/join"))[0] == 404


async def test_a_member_never_becomes_its_owner_by_himself(people: People) -> None:
    refused = CALLS.keys() - {"GET", "POST /join", "DELETE /members/{account}"}
    for key in refused:
        path, body = CALLS[key]
        status, said = await group(people.ben, key.partition(" ")[0], path, body)
        wanted = "forbidden" if key == "PUT /members/{account}" else "not-owner"
        assert (status, said["code"]) == (403, wanted), key
    assert (await group(people.ben, "DELETE", "/members/anna"))[0] == 403
    _, said = await group(people.ben, "GET")
    assert [(m["name"], m["owns"]) for m in said["members"]] == [("anna", True), ("ben", False)]
    assert said["group"]["owner"] == "anna"
    assert (await group(people.ben, "POST", "/join"))[0] == 200, "said twice it is done once"
    _, said = await group(people.ben, "GET")
    assert said["group"]["standing"] == "member"


async def test_an_owner_hands_it_over_and_is_a_member_then(people: People) -> None:
    assert (await group(people.anna, "DELETE", "/members/anna"))[1]["code"] == "bad-input"
    assert (await group(people.anna, "POST", "/owner", {"account": "cleo"}))[0] == 404
    status, said = await group(people.anna, "POST", "/owner", {"account": "ben"})
    assert (status, said["group"]["owner"], said["may_change"]) == (200, "ben", False)
    assert (await group(people.anna, "POST", "/owner", {"account": "anna"}))[0] == 403
    assert (await group(people.anna, "DELETE", "/members/anna"))[0] == 204
    assert (await group(people.anna, "GET"))[0] == 404
    rows = await people.house.rows("SELECT account FROM group_members WHERE is_admin = 1")
    assert len(rows) == 1


@pytest.mark.parametrize("how", ["dropped", "left", "removed"])
async def test_who_is_out_uses_nothing_any_more_from_that_moment(people: People, how: str) -> None:
    id = await shared(people)
    mine = str((await people.ben.made("Squid"))["context"]["id"])
    body = {"visibility": "group", "names": ["na61"]}
    assert (await people.ben.call("PUT", f"/{mine}/sharing", body))[0] == 200
    token = {"context_id": id, "uses": 2}
    status, made = await people.ben.call("POST", "/api/v1/enrolments", token)
    assert status == 201, made
    status, joined = await people.house.enrol(made["token"], "node")
    assert status == 201
    asks = ("GET", "/api/v1/machines/self/context", None, joined["token"])
    assert "$6$" in (await people.house.call(*asks))[1]["user_data"]
    who, path = {
        "dropped": (people.anna, "/members/ben"),
        "left": (people.ben, "/members/ben"),
        "removed": (people.anna, ""),
    }[how]
    assert (await group(who, "DELETE", path))[0] == 204
    for path in (f"/{id}", f"/{id}/history", f"/{id}?secrets=1"):
        assert (await people.ben.call("GET", path))[0] == 404, path
    assert (await people.ben.call("GET", "?scope=shared"))[1] == {"contexts": []}
    assert (await people.ben.call("POST", "/api/v1/enrolments", token))[0] == 404
    # Neither a machine of his that has it, nor one that joins with the token he has still.
    assert (await people.house.call(*asks))[0] == 404
    _, late = await people.house.enrol(made["token"], "late")
    assert (await people.house.call(*asks[:3], late["token"]))[0] == 404
    # What he shared is his alone again: nobody takes orders of somebody who is out.
    assert (await people.anna.call("GET", f"/{mine}"))[0] == 404
    found = await people.ben.call("GET", f"/{mine}")
    assert found[1]["context"]["visibility"] == "private"


async def test_whoever_takes_the_name_of_a_removed_group_gets_nothing_of_it(
    people: People,
) -> None:
    id = await shared(people)
    assert (await people.eve.call("POST", BASE, {"name": "NA61"}))[1]["code"] == "exists"
    assert (await group(people.anna, "DELETE"))[0] == 204
    assert (await people.eve.call("POST", BASE, {"name": "na61"}))[0] == 201
    assert (await people.eve.call("GET", f"/{id}"))[0] == 404
    assert (await people.cleo.call("POST", f"{GROUP}/join"))[0] == 404, "asked by the old one"


async def test_a_renamed_group_keeps_what_is_shared_with_it(people: People) -> None:
    id = await shared(people)
    body = {"name": "shine", "title": "SHINE"}
    status, said = await group(people.anna, "PUT", "", body)
    assert (status, said["group"]["name"]) == (200, "shine")
    assert (await people.ben.call("GET", f"/{id}"))[0] == 200
    assert (await people.eve.call("POST", BASE, {"name": "na61"}))[0] == 201
    assert (await people.eve.call("GET", f"/{id}"))[0] == 404


async def test_administrators_put_people_in_and_each_change_is_in_the_audit_log(
    people: People,
) -> None:
    assert (await group(people.root, "PUT", "/members/eve"))[0] == 204
    assert (await group(people.eve, "GET"))[1]["group"]["standing"] == "member"
    assert (await group(people.root, "POST", "/join"))[0] == 404, "he sees it, and is not asked"
    assert (await group(people.root, "POST", "/owner", {"account": "eve"}))[0] == 200
    _, log = await people.root.call("GET", "/api/v1/audit?what=group.")
    told = [(each["who"], each["what"], each["subject"]) for each in log["entries"]]
    assert told[:2] == [("admin", "group.hand-over", "na61"), ("admin", "group.add", "na61")]
    assert ("ben", "group.join", "na61") in told
    assert {name for _, _, name in told} == {"na61"}


async def test_names_of_accounts_are_not_guessed_by_asking_them(people: People) -> None:
    for number in range(30):
        body = {"account": f"nobody-{number}"}
        assert (await group(people.anna, "POST", "/invitations", body))[0] == 404
    for name in ("nobody-31", "eve"):
        status, said = await group(people.anna, "POST", "/invitations", {"account": name})
        assert (status, said["code"]) == (429, "too-many")


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "a b"}, {"name": "-x"}, {"name": "x", "title": "a\nb"}]
)
async def test_what_cannot_be_a_group_is_told(people: People, body: dict[str, str]) -> None:
    assert (await people.eve.call("POST", BASE, body))[0] == 400


async def test_groups_are_managed_from_the_command_line(people: People, tmp_path: Path) -> None:
    terminal = Terminal(people.house, tmp_path)
    await terminal.run("group", "create", "alice", "--title", "A Large Ion Collider")
    await terminal.run("group", "invite", "alice", "eve")
    assert (await people.eve.call("POST", f"{BASE}/alice/join"))[0] == 200
    await terminal.run("group", "add", "alice", "ben")
    await terminal.run("group", "drop", "alice", "ben")
    assert (await terminal.run("group", "rename", "alice", "its"))["group"]["name"] == "its"
    _, err, code = await terminal.said("group", "leave", "its")
    assert (code != 0, "hand it over first" in err) == (True, True)
    await terminal.run("group", "hand-over", "its", "eve", "--yes")
    await terminal.run("group", "leave", "its")
    rows = await terminal.run("group", "list", "--all")
    assert [(row["name"], row["standing"]) for row in rows] == [("its", ""), ("na61", "")]
