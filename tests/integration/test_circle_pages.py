"""Groups and sites on their pages, by the forms that people see there, and by some they do not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.house import House
from tests.kit.surfer import Surfer, surfer


@dataclass(frozen=True)
class Crowd:
    """A server, and browsers of people by their names."""

    house: House
    of: dict[str, Surfer]


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Crowd]:
    """Anna and ben are volunteers, olga is an operator, and there are two sites."""
    async with AsyncExitStack() as stack:
        found, _ = await stack.enter_async_context(doors(tmp_path))
        of = {}
        for name, role in (("anna", "volunteer"), ("ben", "volunteer"), ("olga", "operator")):
            await found.token(name, role=role, kind="api")
            await give_password(found, name)
            of[name] = await stack.enter_async_context(surfer(found.url))
            assert (await of[name].log_in(name, WORD)).status == 303
        for site in ("cern", "desy"):
            made = await found.token("farmer", site=site, uses=5)
            await found.enrol(made["token"], f"node-{site}")
        yield Crowd(found, of)


async def test_a_group_is_made_joined_and_handed_over_on_its_pages(crowd: Crowd) -> None:
    anna, ben = crowd.of["anna"], crowd.of["ben"]
    answer = await anna.send("/groups", "/groups", {"create": "na61", "title": "NA61/SHINE"})
    assert (answer.status, answer.onto) == (303, "/groups/na61")
    assert (await ben.get("/groups/na61")).status == 404
    await anna.send("/groups/na61", "/groups/na61", {"ask": "ben"})
    assert "You are asked to join" in (await ben.get("/groups")).text
    assert "anna asks you to join" in (await ben.get("/groups/na61")).text
    answer = await ben.post("/groups", {"join": "na61"})
    assert (answer.status, answer.onto) == (303, "/groups/na61")
    shown = (await ben.get("/groups/na61")).text
    assert ("Put out" in shown, "Leave the group" in shown, "Remove the group" in shown) == (
        *(False, True, False),
    )
    for path, fields in (
        ("", {"owner": "ben"}), ("", {"drop": "anna"}), ("", {"ask": "olga"}), ("/remove", {}),
        ("", {"add": "olga"}), ("/name", {"name": "mine", "title": ""}),
    ):  # fmt: skip
        assert (await ben.post(f"/groups/na61{path}", fields)).status == 403, fields
    answer = await anna.send("/groups/na61", "/groups/na61", {"drop": "anna"})
    assert (answer.status, "hand it over first" in answer.text) == (400, True)
    assert (await anna.post("/groups/na61", {})).status == 400
    await anna.send("/groups/na61", "/groups/na61", {"owner": "ben"})
    answer = await anna.send("/groups/na61", "/groups/na61", {"drop": "anna"})
    assert answer.onto == "/groups"
    assert (await anna.get("/groups/na61")).status == 404
    answer = await ben.send("/groups/na61/remove", "/groups/na61", {})
    assert answer.onto == "/groups"
    assert "You are in no group" in (await ben.get("/groups")).text


async def test_a_site_is_switched_on_its_page_by_who_runs_it_and_no_other(crowd: Crowd) -> None:
    anna, olga = crowd.of["anna"], crowd.of["olga"]
    answer = await olga.send("/sites/cern/admins", "/sites/cern", {"add": "anna"})
    assert (answer.status, answer.onto) == (303, "/sites/cern")
    shown = (await anna.get("/sites")).text
    assert ("cern" in shown, "desy" in shown) == (True, False)
    page = await anna.get("/sites/cern")
    assert "Tell them to leave" in page.text
    assert "Tell them to leave" not in (await anna.get("/sites/desy")).text
    leave = {"how": "stop", "grace_s": "2", "reason": "beam"}
    for path, fields in (
        ("desy/switch", leave), ("desy/switch", {"how": "online"}), ("desy/tokens", {"token": "1"}),
        ("desy/admins", {"add": "anna"}), ("cern/admins", {"add": "ben"}),
    ):  # fmt: skip
        assert (await anna.post(f"/sites/{path}", fields)).status == 403, path
    for path in ("/machines?site=desy", "/machines/events?site=desy"):
        assert (await anna.get(path)).status == 403
    assert (await anna.post("/sites/cern/switch", {"how": "x", "grace_s": "2"})).status == 400
    assert (await anna.post("/sites/cern/switch", {**leave, "grace_s": "soon"})).status == 400
    assert (await anna.post("/sites/cern/switch", leave)).onto == "/sites/cern"
    shown = (await anna.get("/sites/cern")).text
    assert "1 machine is told to leave" in shown
    told = {name: (await crowd.of[name].get("/sites/cern")).text for name in ("anna", "ben")}
    named = {name: ("node-cern" in text, "by anna" in text) for name, text in told.items()}
    assert named == {"anna": (True, True), "ben": (False, False)}, "others are told no names"
    await anna.post("/sites/cern/switch", {"how": "online"})
    modes = {
        view["name"]: view["mode"]
        for view in (await crowd.house.manage("GET", "/sites"))[1]["sites"]
    }
    assert modes == {"cern": "online", "desy": "online"}
    assert "node-cern" in (await anna.get("/machines?site=cern")).text
    [[token]] = await crowd.house.rows(
        "SELECT t.id FROM tokens t JOIN sites s ON s.id = t.site WHERE s.name = 'cern'"
    )
    assert (await anna.post("/sites/cern/tokens", {"token": str(token)})).onto == "/sites/cern"
    await olga.send("/sites/cern/admins", "/sites/cern", {"drop": "anna"})
    assert (await anna.post("/sites/cern/switch", leave)).status == 403
