"""Contexts over the API: made, changed, compared, restored, removed; secrets stay hidden."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from contexts.render.targets import render
from server.db.base import Tx
from server.domain.throttle import Rate
from server.services.desk import RENDERINGS
from server.services.shelf import keep, rendering, tidy
from tests.kit.house import House
from tests.kit.shelves import HASH, WORKER, Somebody, somebody

OTHER_HASH = HASH.replace("a" * 10, "b" * 10)


async def test_a_context_is_made_found_and_shown_as_it_was_said(anna: Somebody) -> None:
    made = await anna.made("Batch worker", description="For the spring.", tags=["batch", "spring"])
    id = made["context"]["id"]
    assert len(id) == 32
    status, shown = await anna.call("GET", f"/{id}")
    assert status == 200
    assert shown == made
    assert (shown["revision"], shown["by"], shown["context"]["visibility"]) == (
        1,
        "anna",
        "private",
    )
    status, listed = await anna.call("GET", "?words=spring+%2Bbatch+-old")
    assert [each["id"] for each in listed["contexts"]] == [id]
    for words in ("autumn", "%2Bold", "-batch"):
        assert (await anna.call("GET", f"?words={words}"))[1] == {"contexts": []}


async def test_a_document_with_faults_is_refused_with_all_of_their_places(anna: Somebody) -> None:
    bad = {"users": {"users": [{"name": "Ünlucky"}]}, "cernvm": {"version": "7"}, "nothing": {}}
    status, said = await anna.call("POST", "", {"name": "Bad", "document": bad})
    assert (status, said["code"]) == (400, "bad-context")
    places = [fault.partition(": ")[0] for fault in said["faults"]]
    assert {"users.users[0].name", "cernvm.version", "nothing"} <= set(places)
    assert (await anna.call("GET", ""))[1] == {"contexts": []}


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "document": {}},
        {"name": "x" * 101, "document": {}},
        {"name": "two\nlines", "document": {}},
        {"name": "x", "document": {}, "tags": ["UPPER"]},
        {"name": "x", "document": {}, "site": "not-mine"},
        {"name": "x", "document": {}, "role": "no-such-role"},
        {"name": "x", "document": {"users": []}},
        {"name": "x", "document": {"users": {"users": "x"}}},
        {"name": "x", "document": [1]},
        {"name": "x", "envelope": {"user_data": {}, "source": {}}},
        {"name": "x", "document": {}, "envelope": {}},
        {"name": "x", "document": {}, "id": "../../etc/passwd"},
    ],
)
async def test_what_is_no_context_is_refused_at_the_door(anna: Somebody, body: Any) -> None:
    status, said = await anna.call("POST", "", body)
    assert (status, bool(said["faults"] or said["detail"])) == (400, True)
    assert (await anna.call("GET", ""))[1] == {"contexts": []}


async def test_an_edit_is_another_revision_and_the_old_one_never_changes(anna: Somebody) -> None:
    first = await anna.made()
    id = first["context"]["id"]
    document = {**first["document"], "cernvm": {"version": "5"}}
    second = await anna.edited(first, document=document, name="Worker 5", note="version 5")
    assert (second["revision"], second["name"], second["note"]) == (2, "Worker 5", "version 5")
    status, old = await anna.call("GET", f"/{id}?revision=1")
    assert (status, old["name"], old["document"]) == (200, "Worker", first["document"])
    status, history = await anna.call("GET", f"/{id}/revisions")
    assert [(one["number"], one["note"]) for one in history["revisions"]] == [
        (2, "version 5"),
        (1, ""),
    ]


async def test_of_two_edits_of_one_revision_the_second_is_told_and_changes_nothing(
    anna: Somebody,
) -> None:
    first = await anna.made()
    await anna.edited(first, name="Mine")
    body = {"started_from": 1, "name": "Also mine", "document": {}}
    status, said = await anna.call("PUT", f"/{first['context']['id']}", body)
    assert (status, said["code"]) == (409, "overtaken")
    assert (await anna.call("GET", f"/{first['context']['id']}"))[1]["name"] == "Mine"


async def test_a_secret_is_masked_kept_by_its_mask_and_shown_to_its_owner_who_asks(
    found: House, anna: Somebody
) -> None:
    made = await anna.made()
    id = made["context"]["id"]
    assert made["document"]["users"]["users"][0]["password"] == "(secret)"
    assert made["secrets"] == ["users.users[worker].password"]
    document = json.loads(json.dumps(made["document"]))
    document["users"]["users"].insert(0, {"name": "first", "group": "users"})
    await anna.edited(made, document=document)
    status, clear = await anna.call("GET", f"/{id}?secrets=1")
    users = clear["document"]["users"]["users"]
    assert [(each["name"], each.get("password")) for each in users] == [
        ("first", None),
        ("worker", HASH),
    ]
    status, entries = await found.manage("GET", "/audit")
    if status == 200:
        assert "context.read-secrets" in json.dumps(entries)


async def test_secrets_stand_in_clear_nowhere_in_the_database(found: House, anna: Somebody) -> None:
    made = await anna.made("Unmistakable name")
    await anna.edited(made, document=made["document"])
    await anna.call("PUT", "/api/v1/context-defaults/user/me",
                    {"started_from": 0, "document": WORKER})  # fmt: skip
    data = found.settings.data
    raw = b"".join(path.read_bytes() for path in data.glob("windfall.db*"))
    assert b"Unmistakable name" in raw
    assert b"saltsalt" not in raw


async def test_differences_are_told_by_path_and_never_show_a_secret(anna: Somebody) -> None:
    made = await anna.made()
    id = made["context"]["id"]
    document = json.loads(json.dumps(WORKER))
    document["cernvm"]["version"] = "3"
    document["users"]["users"][0]["password"] = OTHER_HASH
    await anna.edited(made, document=document, name="Old worker")
    said = (await anna.call("GET", f"/{id}/diff"))[1]
    changes = {each["path"]: (each["before"], each["after"]) for each in said["changes"]}
    assert changes["name"] == ("Worker", "Old worker")
    assert changes["cernvm.version"] == ("4", "3")
    assert changes["users.users[worker].password"] == ("(secret)", "(another secret)")
    assert (await anna.call("GET", f"/{id}/diff?from=2&to=2"))[1] == {"changes": []}
    for wrong in ("from=1&to=9", "from=0&to=1", "from=-1"):
        assert (await anna.call("GET", f"/{id}/diff?{wrong}"))[0] in (400, 404)


async def test_a_restored_revision_is_a_new_one_with_its_secrets(anna: Somebody) -> None:
    made = await anna.made()
    id = made["context"]["id"]
    await anna.edited(made, document={}, name="Empty")
    body = {"revision": 1, "started_from": 2}
    status, again = await anna.call("POST", f"/{id}/restore", body)
    assert (status, again["revision"], again["name"]) == (200, 3, "Worker")
    clear = (await anna.call("GET", f"/{id}?secrets=1"))[1]
    assert clear["document"] == WORKER
    assert (await anna.call("POST", f"/{id}/restore", body))[0] == 409
    body = {"revision": 9, "started_from": 3}
    assert (await anna.call("POST", f"/{id}/restore", body))[0] == 404


async def test_a_copy_has_a_name_of_its_own_and_no_secrets(anna: Somebody) -> None:
    made = await anna.made("Worker 7")
    id = made["context"]["id"]
    status, copy = await anna.call("POST", "", {"from_context": id})
    assert (status, copy["name"], copy["secrets"]) == (201, "Worker 8", [])
    status, third = await anna.call("POST", "", {"from_context": id})
    assert third["name"] == "Worker 9"
    assert third["document"]["cernvm"] == WORKER["cernvm"]


@pytest.mark.parametrize(
    ("name", "taken", "wanted"),
    [
        ("Worker 7", set(), "Worker 8"),
        ("Worker 9", {"Worker 10"}, "Worker 11"),
        ("Worker", set(), "Worker (copy)"),
        ("Worker", {"Worker (copy)"}, "Worker (copy) 2"),
        ("node-099", set(), "node-100"),
        ("x" * 100, set(), "x" * 93 + " (copy)"),
    ],
)
def test_the_name_of_a_copy_counts_on(name: str, taken: set[str], wanted: str) -> None:
    assert keep.copied(name, taken) == wanted
    assert len(keep.copied(name, taken)) <= 100


async def test_what_was_removed_is_gone_for_all_and_comes_back_whole(anna: Somebody) -> None:
    made = await anna.made()
    id = made["context"]["id"]
    status, gone = await anna.call("DELETE", f"/{id}")
    assert (status, gone["id"]) == (200, id)
    assert (await anna.call("GET", ""))[1] == {"contexts": []}
    assert (await anna.call("DELETE", f"/{id}"))[0] == 404
    body = {"started_from": 1, "name": "x", "document": {}}
    assert (await anna.call("PUT", f"/{id}", body))[0] == 404
    assert [each["id"] for each in (await anna.call("GET", "?scope=removed"))[1]["contexts"]] == [
        id
    ]
    assert (await anna.call("POST", f"/{id}/bring-back"))[0] == 200
    assert (await anna.call("POST", f"/{id}/bring-back"))[0] == 404
    assert (await anna.call("GET", f"/{id}?secrets=1"))[1]["document"] == WORKER


async def test_a_context_that_machines_have_is_removed_only_on_purpose(
    found: House, anna: Somebody
) -> None:
    id = (await anna.made())["context"]["id"]
    token = await found.token("anna")
    _, joined = await found.enrol(token["token"], "node-1")

    async def give(tx: Tx) -> None:
        sql = "INSERT INTO host_contexts (host, context, revision, given_at) VALUES ($1, $2, 1, 1)"
        await tx.run(sql, joined["host"], id)

    await found.deps.store.write(give)
    assert (await anna.call("GET", f"/{id}"))[1]["context"]["machines"] == 1
    status, said = await anna.call("DELETE", f"/{id}")
    assert (status, said["code"]) == (409, "in-use")
    assert (await anna.call("DELETE", f"/{id}?anyway=1"))[0] == 200


async def test_what_was_removed_is_forgotten_after_its_time(
    found: House, anna: Somebody, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = (await anna.made())["context"]["id"]
    await anna.call("DELETE", f"/{id}")
    await tidy.tidy(found.deps)
    assert len((await anna.call("GET", "?scope=removed"))[1]["contexts"]) == 1
    monkeypatch.setattr(keep, "GRACE_S", -1.0)
    await tidy.tidy(found.deps)
    assert (await anna.call("GET", "?scope=removed"))[1] == {"contexts": []}
    assert (await anna.call("POST", f"/{id}/bring-back"))[0] == 404


async def test_a_role_template_alone_makes_a_context_and_says_what_it_asks_for(
    anna: Somebody,
) -> None:
    status, found = await anna.call("GET", "/api/v1/context-templates")
    names = [each["name"] for each in found["templates"]]
    assert {"worker", "head", "squid", "pool"} <= set(names)
    status, made = await anna.call("POST", "", {"role": "squid"})
    assert (status, made["role"], made["document"]) == (201, "squid", {})
    status, files = await anna.call("POST", f"/{made['context']['id']}/render", {})
    assert status == 200
    assert files["origins"]["squid"] == ["role squid"]
    assert "[squid]" in files["files"][0]["text"] or "plugins" in files["files"][0]["text"]


async def test_previews_of_an_account_are_bounded_and_rendered_beside_the_loop(
    found: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, bob = await somebody(found, "anna"), await somebody(found, "bob")
    busy, most, loop = 0, 0, threading.get_ident()
    lock, pair, real = threading.Lock(), threading.Barrier(RENDERINGS), render

    def slow(*args: Any) -> Any:
        nonlocal busy, most
        assert threading.get_ident() != loop
        with lock:
            busy, most = busy + 1, max(most, busy + 1)
        pair.wait(60)  # so many come at once
        with lock:
            busy -= 1
        return real(*args)

    monkeypatch.setattr("server.services.shelf.rendering.render", slow)
    monkeypatch.setattr(rendering, "PREVIEWS", Rate(8, 3600.0))
    asked: dict[str, Any] = {"document": {"general": {}}}
    answers = await asyncio.gather(*(anna.call("POST", "/preview", asked) for _ in range(10)))
    assert sorted(status for status, _ in answers) == [200] * 8 + [429] * 2
    assert most == RENDERINGS
    monkeypatch.setattr("server.services.shelf.rendering.render", real)
    assert (await bob.call("POST", "/preview", asked))[0] == 200
