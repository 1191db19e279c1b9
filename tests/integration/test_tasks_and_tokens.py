"""Reports, tokens and roles: who may say what, said twice, too early, or by the wrong one."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import app as application
from server.domain.roles import ROLES
from server.handlers.access import Host, Role
from server.handlers.routes import Route
from tests.architecture.test_routes import FACTS, NOBODY
from tests.kit.house import Hand, House, house
from vmagent.wire import codec
from vmagent.wire import messages as m

ROUTES = application.routes_of(NOBODY, FACTS, NOBODY)


@pytest.fixture
async def found(tmp_path: Path) -> AsyncIterator[House]:
    """A server with a production."""
    async with house(tmp_path) as server:
        await server.produce(server.definition(events=200, reference=0))
        yield server


async def lease_of(hand: Hand) -> m.Lease:
    """A lease of a host."""
    [lease] = await hand.leases()
    return lease


async def test_a_report_said_twice_is_answered_alike(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.first + 10)
    first = await ada.report(lease, "returned", reason="leaving")
    again = await ada.report(lease, "failed", reason="something else")
    assert first[1]["task"]["state"] == again[1]["task"]["state"] == "returned"
    assert first[1]["task"]["held"] == again[1]["task"]["held"]
    [row] = await found.rows("SELECT state, cause FROM tasks WHERE id = $1", lease.task)
    assert tuple(row) == ("returned", "give-back: leaving")


async def test_a_report_said_many_times_at_once_ends_the_task_once(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    answers = await asyncio.gather(*(ada.report(lease, "returned") for _ in range(8)))
    assert {status for status, _ in answers} == {200}
    assert {said["task"]["state"] for _, said in answers} == {"returned"}
    moves = await found.rows(
        "SELECT target FROM moves WHERE machine = 'task' AND subject = $1", lease.task
    )
    assert [row[0] for row in moves] == ["leased", "returned"]


async def test_delivered_with_events_missing_is_refused_and_changes_nothing(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.first + 10)
    status, said = await ada.report(lease, "delivered")
    assert (status, said["code"]) == (409, "undelivered")
    assert str(lease.first + 10) in said["detail"]
    status, state = await ada.call("GET", f"/api/v1/tasks/{lease.task}")
    assert (status, state["state"]) == (200, "leased")


async def test_what_fails_after_its_last_frame_is_delivered_all_the_same(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.last)
    status, said = await ada.report(lease, "failed", reason="killed")
    assert (status, said["task"]["state"]) == (200, "delivered")


async def test_the_task_of_another_host_is_neither_shown_nor_ended(found: House) -> None:
    ada, eve = await found.join("ada"), await found.join("eve")
    lease = await lease_of(ada)
    for method, path, body in (
        ("GET", f"/api/v1/tasks/{lease.task}", None),
        ("POST", f"/api/v1/tasks/{lease.task}/report", m.ReportRequest("returned")),
    ):
        status, said = await eve.call(method, path, body)
        assert (status, said["code"]) == (403, "not-yours")
    await ada.report(lease, "returned")
    status, said = await eve.report(lease, "returned")
    assert (status, said["code"]) == (403, "not-yours")


async def test_a_task_that_never_was_is_not_found(found: House) -> None:
    ada = await found.join("ada")
    for task in (0, 999, 10**17):
        status, said = await ada.call("GET", f"/api/v1/tasks/{task}")
        assert (status, said["code"]) == (404, "task-unknown")


async def test_a_sign_of_life_for_a_task_of_another_renews_nothing(found: House) -> None:
    ada, eve = await found.join("ada"), await found.join("eve")
    lease = await lease_of(ada)
    card = found.deps.registry.tasks[lease.task]
    card.until -= 30
    before = card.until
    message = m.HeartbeatRequest([m.Progress(lease.task, 7)])
    status, said = await eve.call("POST", "/api/v1/heartbeat", message)
    assert (status, [t["state"] for t in said["tasks"]]) == (200, ["gone"])
    assert card.until == before
    await ada.call("POST", "/api/v1/heartbeat", message)
    assert card.until > before


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"outcome": "finished"},
        {"outcome": "failed", "failures": [{"first": -1, "last": 2, "word": "x"}]},
        {"outcome": "failed", "failures": [{"first": 1, "last": 2, "word": "Not A Word"}]},
        {"outcome": "failed", "failures": [{"first": 1, "last": 2**63, "word": "x"}]},
        {"outcome": "failed", "log": "x" * (m.LOG_MOST + 1)},
        {"outcome": "returned", "cpu_s": "NaN"},
        [],
        "delivered",
    ],
)
async def test_a_report_that_is_none_is_refused(found: House, message: Any) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    status, said = await ada.call("POST", f"/api/v1/tasks/{lease.task}/report", message)
    assert (status, said["code"]) == (400, "bad-message")
    assert found.deps.registry.tasks[lease.task]


async def test_failures_of_events_of_others_are_not_kept(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    failures = [
        m.EventFailure(lease.last + 5, lease.last + 6, "elsewhere"),
        m.EventFailure(lease.first, lease.last + 50, "mine"),
        m.EventFailure(9, 3, "backwards"),
    ]
    await ada.report(lease, "failed", failures=failures)
    rows = await found.rows("SELECT first, last, word FROM event_failures")
    assert [tuple(row) for row in rows] == [(lease.first, lease.last, "mine")]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token-missing"),
        ("Basic YTpi", "token-missing"),
        ("Bearer ", "token-unknown"),
        ("Bearer wfh_" + "A" * 43, "token-unknown"),
        ("bearer wfa_" + "A" * 43, "token-unknown"),
        ("Bearer " + "x" * 4000, "token-unknown"),
    ],
)
async def test_a_host_without_a_good_token_is_refused(
    found: House, header: str | None, code: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await found.answer("GET", "/api/v1/commands", headers=headers)
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_tokens_do_not_open_the_doors_of_others(found: House) -> None:
    ada = await found.join("ada")
    enrolment = (await found.token("bob"))["token"]
    for token, path in (
        (ada.token, "/api/v1/status"),
        (enrolment, "/api/v1/status"),
        (enrolment, "/api/v1/commands"),
        (found.admin, "/api/v1/commands"),
    ):
        answer = await found.answer("GET", path, token=token)
        assert (answer.status, answer.code) == (401, "token-unknown")
    for token in (found.admin, ada.token):
        status, said = await found.enrol(token, "x")
        assert (status, said["code"]) == (401, "token-unknown")


async def test_an_api_token_that_is_over_opens_nothing(found: House) -> None:
    revoked = await found.token("carla", role="manager", kind="api")
    await found.manage("POST", f"/tokens/{revoked['id']}/revoke")
    expired = await found.token("dora", role="manager", kind="api", expires_s=50)
    now = found.deps.clock()
    found.deps.clock = lambda: now + 51
    for made, code in ((revoked, "token-revoked"), (expired, "token-expired")):
        answer = await found.answer("GET", "/api/v1/status", token=made["token"])
        assert (answer.status, answer.code) == (401, code)


async def test_an_enrolment_token_pairs_as_many_hosts_as_it_says(found: House) -> None:
    made = await found.token("ada", uses=2)
    told = [await found.enrol(made["token"], f"pc-{n}") for n in range(3)]
    assert [status for status, _ in told] == [201, 201, 401]
    assert told[2][1]["code"] == "token-used"


async def test_an_enrolment_token_used_by_many_at_once_is_not_overdrawn(found: House) -> None:
    made = await found.token("ada", uses=3)
    told = await asyncio.gather(*(found.enrol(made["token"], f"pc-{n}") for n in range(9)))
    assert sorted(status for status, _ in told) == [201] * 3 + [401] * 6
    assert len(await found.rows("SELECT id FROM hosts")) == 3


async def test_an_enrolment_token_that_is_over_pairs_nobody(found: House) -> None:
    revoked, expired = await found.token("ada"), await found.token("bob", expires_s=50)
    await found.manage("POST", f"/tokens/{revoked['id']}/revoke")
    now = found.deps.clock()
    found.deps.clock = lambda: now + 51
    for made, code in ((revoked, "token-revoked"), (expired, "token-expired")):
        status, said = await found.enrol(made["token"], "pc")
        assert (status, said["code"]) == (401, code)
    assert await found.rows("SELECT id FROM hosts") == []


async def test_the_same_request_to_join_twice_is_one_host_with_what_it_had(found: House) -> None:
    made, request = await found.token("ada"), uuid.uuid4().hex
    _, one = await found.enrol(made["token"], "pc", request)
    ada = Hand(found, "pc", one["host"], one["token"])
    lease = await lease_of(ada)
    status, two = await found.enrol(made["token"], "pc", request)
    assert (status, two["host"]) == (201, one["host"])
    assert two["token"] != one["token"]
    old = await found.answer("GET", "/api/v1/commands?wait=0", token=one["token"])
    assert old.status == 401
    ada.token = two["token"]
    status, said = await ada.call(
        "POST", "/api/v1/heartbeat", m.HeartbeatRequest([m.Progress(lease.task)])
    )
    assert [task["state"] for task in said["tasks"]] == ["leased"]
    status, said = await ada.send(lease, lease.first, lease.first + 10)
    assert (status, said["task"]["state"]) == (200, "leased")


async def test_a_revoked_host_does_not_come_back_by_joining_again(found: House) -> None:
    made, request = await found.token("ada"), uuid.uuid4().hex
    _, one = await found.enrol(made["token"], "pc", request)
    await found.manage("POST", f"/hosts/{one['host']}/revoke")
    status, said = await found.enrol(made["token"], "pc", request)
    assert (status, said["code"]) == (401, "token-revoked")


async def test_a_revoked_host_is_refused_everywhere_and_still_listed(found: House) -> None:
    ada = await found.join("ada")
    lease = await lease_of(ada)
    status, _ = await found.manage("POST", f"/hosts/{ada.id}/revoke")
    assert status == 204
    said = await ada.send(lease, lease.first, lease.first + 10)
    assert (said[0], said[1]["code"]) == (401, "token-revoked")
    status, said = await ada.call("POST", "/api/v1/heartbeat", m.HeartbeatRequest())
    assert (status, said["code"]) == (401, "token-revoked")
    _, listed = await found.manage("GET", "/hosts")
    assert [(host["name"], host["state"]) for host in listed["hosts"]] == [("ada", "revoked")]
    status, said = await found.manage("POST", f"/hosts/{ada.id}/revoke")
    assert (status, said["code"]) == (409, "host-revoked")
    command = await found.manage("POST", f"/hosts/{ada.id}/commands", {"name": "drain"})
    assert (command[0], command[1]["code"]) == (409, "host-revoked")
    status, said = await found.manage("POST", "/hosts/99/revoke")
    assert (status, said["code"]) == (404, "host-unknown")
    assert (await found.manage("GET", "/stats/now"))[1]["hosts"] == 0, "it is paired no longer"


async def test_the_work_of_a_revoked_host_is_given_to_others_at_once(found: House) -> None:
    ada, bob = await found.join("ada"), await found.join("bob")
    lease = await lease_of(ada)
    await ada.send(lease, lease.first, lease.first + 10)
    await found.manage("POST", f"/hosts/{ada.id}/revoke")
    assert lease.task not in found.deps.registry.tasks
    [row] = await found.rows("SELECT state FROM tasks WHERE id = $1", lease.task)
    assert row[0] == "aborted"

    async def again() -> Any:
        ready = await found.rows("SELECT first, last FROM tasks WHERE state = 'ready'")
        return any(first <= lease.first + 10 < last for first, last in ready)

    await found.until(again)
    assert await bob.leases()


def path_of(route: Route) -> str:
    """An address of a route."""
    named = re.sub(r"\{(\w+):((?:[^{}]|\{[^}]*\})*)\}", lambda hit: _value(hit[1]), route.path)
    return re.sub(r"\{(\w+)\}", lambda hit: _value(hit[1]), named)


def _value(name: str) -> str:
    known = {"digest": "0" * 64, "name": "toy-run", "cause": "pause", "file": "style.css"}
    known |= {"pairing": "p" * 22, "id": "0" * 32, "layer": "site", "pin": "a" * 12}
    known |= {"code": "2" * 16}
    return known.get(name, "1")


def guarded() -> list[Route]:
    """Every route that a token opens."""
    return [route for route in ROUTES if isinstance(route.access, (Host, Role))]


async def image(found: House) -> list[Any]:
    """Everything that a request could change, but what a sign of life touches."""
    tables = ("accounts", "tokens", "hosts", "payloads", "productions", "units", "tasks",
              "frames", "commands", "moves", "classes")  # fmt: skip
    names = await found.rows("SELECT name FROM pragma_table_info('hosts')")
    columns = {"hosts": ", ".join(name for (name,) in names if name != "seen_at")}
    return [
        await found.rows(f"SELECT {columns.get(table, '*')} FROM {table} ORDER BY 1, 2")
        for table in tables
    ]


async def test_every_guarded_route_refuses_who_has_no_token(found: House) -> None:
    before = await image(found)
    for route in guarded():
        answer = await found.answer(route.method, path_of(route), b"{}" if route.request else None)
        assert (answer.status, answer.code) == (401, "token-missing"), route
    assert await image(found) == before


async def test_no_route_of_a_manager_is_open_to_lesser_roles_or_to_hosts(found: House) -> None:
    ada = await found.join("ada")
    made = {role: (await found.token(f"a-{role}", role=role, kind="api"))["token"]
            for role in ROLES}  # fmt: skip
    before = await image(found)
    for route in guarded():
        body = b"{}" if route.request else None
        least = route.access.least if isinstance(route.access, Role) else None
        for role, token in made.items():
            answer = await found.answer(route.method, path_of(route), body, token)
            if least is None:
                assert (answer.status, answer.code) == (401, "token-unknown"), route
            elif ROLES.index(role) < ROLES.index(least):
                assert (answer.status, answer.code) == (403, "forbidden"), route
                assert least in answer.body["detail"]
            else:
                break
        if not isinstance(route.access, Host):
            answer = await found.answer(route.method, path_of(route), body, ada.token)
            assert answer.status == 401, route
        if least is not None and route.method == "POST":
            before = await image(found)
            continue
        assert await image(found) == before, route


async def test_nothing_that_is_read_changes_anything(found: House) -> None:
    ada = await found.join("ada")
    before = await image(found)
    for route in ROUTES:
        path = path_of(route)
        if route.method != "GET" or path.endswith(("/events", "/live")):
            continue
        token = ada.token if isinstance(route.access, Host) else found.admin
        for method in ("GET", *(("HEAD",) if route.head else ())):
            query = "?wait=0" if path.endswith("/commands") else ""
            if "measure" in (asked.name for asked in route.query):
                query = "?measure=frames&kind=country"
            answer = await found.answer(method, path + query, token=token)
            refused = (401,) if path.endswith("/pair/status") else ()  # a poll token is none
            assert answer.status in (200, 404, 409, 410, *refused), (route, answer)
    assert await image(found) == before


async def test_an_account_gets_one_of_the_roles(found: House) -> None:
    status, said = await found.manage("POST", "/accounts", {"name": "x", "role": "emperor"})
    assert (status, said["code"]) == (400, "bad-input")
    for role in ROLES:
        assert role in said["detail"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "../etc", "\u0000"])
async def test_an_account_has_a_plain_name(found: House, name: str) -> None:
    status, said = await found.manage("POST", "/accounts", {"name": name})
    assert status == 400, said


async def test_a_host_asks_no_more_often_than_it_may(tmp_path: Path) -> None:
    async with house(tmp_path, **{"limits.work_per_minute": "3"}) as found:
        ada = await found.join("ada")
        for _ in range(3):
            await ada.ask()
        raw = codec.encode(m.AskRequest(uuid.uuid4().hex, 1, 1, 1))
        answer = await found.answer("POST", "/api/v1/work", raw, ada.token)
        assert (answer.status, answer.code) == (429, "too-many")
        assert 0 < int(answer.headers["Retry-After"]) <= 60
