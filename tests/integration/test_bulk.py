"""Orders to many machines: shown before they are given, undone until they begin, or carried out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.services import bulk, enrol
from tests.integration.test_doors import WORD, doors, give_password
from tests.integration.test_host_pages import Desk
from tests.kit.command_line import run
from tests.kit.house import Hand


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Desk, list[Hand]]]:
    """Three machines of two accounts with a lease each, and the administrator's browser."""
    async with doors(tmp_path) as (found, browser):
        await found.produce(found.definition(events=10_000, unit=1_000, reference=0))
        hands = [await found.join(name, account) for name, account in
                 (("n1", "ada"), ("n2", "ada"), ("n3", "bob"))]  # fmt: skip
        for hand in hands:
            assert await hand.leases()
        await give_password(found, "admin")
        await browser.log_in("admin", WORD)
        yield Desk(found, {hand.name: str(hand.id) for hand in hands}, browser), hands


async def ask(desk: Desk, path: str, **body: Any) -> Any:
    """What the administrator is answered."""
    status, said = await desk.found.manage("POST", f"/bulk{path}", body)
    assert status in (200, 201), said
    return said


async def begin(desk: Desk) -> int:
    """The grace of all orders is over; how many were carried out."""
    await desk.found.deps.store.write(
        lambda tx: tx.run("UPDATE bulk_orders SET begins_at = 1 WHERE done_at IS NULL")
    )
    return await bulk.once(desk.found.deps)


async def orders_of(hand: Hand) -> list[str]:
    """The commands of people that wait for a machine; the server may call it to work meanwhile."""
    waiting = hand.house.deps.registry.hosts[hand.id].orders
    return [order.name for order in waiting if order.name in bulk.COMMANDS]


async def test_a_preview_tells_what_would_be_affected_and_does_nothing(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    said = await ask(found, "/preview", action="stop", account="ada")
    assert (said["subjects"], said["leases"], said["names"]) == (2, 2, ["n1", "n2"])
    assert said["events"] == sum(
        card.row.last - card.row.first
        for hand in hands[:2]
        for card in found.found.deps.registry.hosts[hand.id].tasks.values()
    )
    assert (await ask(found, "/preview", action="stop"))["subjects"] == 3
    assert (await ask(found, "/preview", action="stop", q="N3"))["names"] == ["n3"]
    assert (await ask(found, "/preview", action="drain", hosts=[hands[2].id]))["names"] == ["n3"]
    assert [await orders_of(hand) for hand in hands] == [[], [], []]


async def test_an_order_begins_after_its_grace_and_reaches_those_it_named(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    made = await ask(found, "", action="drain", account="ada", grace_s=600)
    assert (made["state"], made["subjects"]) == ("waiting", 2)
    assert await bulk.once(found.found.deps) == 0
    assert [await orders_of(hand) for hand in hands] == [[], [], []]
    late = await found.found.join("n4", "ada")
    assert await begin(found) == 1
    assert [await orders_of(hand) for hand in hands] == [["drain"], ["drain"], []]
    assert await orders_of(late) == [], "who joined later was not in the preview"
    listed = (await found.found.manage("GET", "/bulk"))[1]
    assert (listed["orders"][0]["state"], listed["orders"][0]["outcome"]) == ("done", "2 of 2")
    assert await begin(found) == 0


async def test_an_order_is_undone_until_it_begins_and_not_after(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    first = await ask(found, "", action="stop", grace_s=600)
    undone = await ask(found, f"/{first['id']}/undo")
    assert (undone["state"], undone["undone_by"]) == ("undone", "admin")
    assert await begin(found) == 0
    assert [await orders_of(hand) for hand in hands] == [[], [], []]
    second = await ask(found, "", action="suspend", grace_s=600)
    assert await begin(found) == 1
    for number, code in ((second["id"], "bulk-begun"), (first["id"], "bulk-begun"),
                         (999, "bulk-unknown")):  # fmt: skip
        status, said = await found.found.manage("POST", f"/bulk/{number}/undo")
        assert (status >= 400, said["code"]) == (True, code)


async def test_an_order_of_one_who_may_not_any_more_is_not_carried_out(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    made = await ask(found, "", action="drain", account="ada")
    await found.found.deps.store.write(
        lambda tx: tx.run("UPDATE accounts SET role = 'operator' WHERE name = 'admin'")
    )
    assert await begin(found) == 1
    assert [await orders_of(hand) for hand in hands] == [[], [], []]
    [said] = await bulk.listed(found.found.deps)
    assert (said.id, said.outcome) == (made["id"], bulk.LAPSED)


async def test_many_are_banned_and_taken_again_and_who_is_gone_is_counted(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    await ask(found, "", action="ban", reason="bad memory", seconds=3600, grace_s=600)
    status, _ = await found.found.manage("POST", f"/hosts/{hands[2].id}/revoke")
    assert status < 300
    assert await begin(found) == 1
    cards = found.found.deps.registry.hosts
    assert [cards[hand.id].ban is not None for hand in hands[:2]] == [True, True]
    listed = (await found.found.manage("GET", "/bulk"))[1]
    assert listed["orders"][0]["outcome"] == "2 of 3, 1 host-unknown"
    await ask(found, "", action="unban", account="ada", grace_s=600)
    await begin(found)
    assert [cards[hand.id].ban for hand in hands[:2]] == [None, None]
    what = await found.found.rows("SELECT what FROM audit WHERE what LIKE 'bulk.%' ORDER BY id")
    assert [row[0] for row in what] == ["bulk.ban", "bulk.unban"]


async def test_an_order_reaches_what_was_shown_or_nobody(desk: tuple[Desk, list[Hand]]) -> None:
    """Machines choose their names, and states change, between a look and a press."""
    found, hands = desk
    page = "/hosts/bulk?action=stop&account=ada"
    shown = (await found.browser.get(page)).text
    [seen] = re.findall(r'name="seen" value="(\w+)"', shown)
    preview = await ask(found, "/preview", action="stop", account="ada")
    assert preview["seen"] == seen
    await found.found.join("n4", "ada")
    fields = {"action": "stop", "account": "ada", "grace_s": "600", "seen": seen}
    refused = await found.browser.send("/hosts/bulk", page, fields)
    assert (refused.status, "look at it again" in refused.text) == (409, True)
    [again] = re.findall(r'name="seen" value="(\w+)"', refused.text)
    assert again != seen, "the page of the refusal shows what it would reach now"
    body = {"action": "stop", "hosts": [hands[1].id, hands[0].id], "seen": again}
    status, said = await found.found.manage("POST", "/bulk", body)
    assert (status, said["code"]) == (409, "bulk-changed")
    assert await found.found.rows("SELECT 1 FROM bulk_orders") == []
    status, made = await found.found.manage("POST", "/bulk", {**body, "seen": seen})
    assert (status, made["subjects"]) == (201, 2), "the same machines, however they are named"
    answer = await found.browser.send("/hosts/bulk", page, {**fields, "seen": again})
    assert answer.status == 303
    assert [one.subjects for one in await bulk.listed(found.found.deps)] == [3, 2]


async def test_a_subject_that_fails_holds_up_neither_others_nor_the_order(
    desk: tuple[Desk, list[Hand]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, hands = desk
    plain = enrol.order

    async def fail(deps: Any, host: int, *more: Any) -> Any:
        if host == hands[0].id:
            raise RuntimeError("of this one alone")
        return await plain(deps, host, *more)

    monkeypatch.setattr(enrol, "order", fail)
    await ask(found, "", action="drain", grace_s=600)
    assert await begin(found) == 1
    assert [await orders_of(hand) for hand in hands] == [[], ["drain"], ["drain"]]
    [said] = await bulk.listed(found.found.deps)
    assert (said.state, said.outcome) == ("done", "2 of 3, 1 failed")
    assert await begin(found) == 0, "nobody is told once more"


async def test_held_units_of_productions_are_let_go_on_together(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, _ = desk
    await found.found.deps.store.write(
        lambda tx: tx.run("UPDATE units SET state = 'held', reason = 'x' WHERE number < 2")
    )
    said = await ask(found, "/preview", action="release", productions=["toy-run"])
    assert (said["subjects"], said["names"]) == (1, ["toy-run"])
    assert said["units"] > 0
    await ask(found, "", action="release", productions=["toy-run"], grace_s=600)
    await begin(found)
    assert await found.found.rows("SELECT 1 FROM units WHERE state = 'held'") == []


async def test_what_cannot_be_meant_is_refused(desk: tuple[Desk, list[Hand]]) -> None:
    found, _ = desk
    for body, words in (
        ({"action": "dance"}, "'dance' is none"),
        ({"action": "ban"}, "reason"),
        ({"action": "stop", "grace_s": 1}, "grace_s"),
        ({"action": "stop", "account": "nobody"}, "nothing is like that"),
        ({"action": "stop", "hosts": [999]}, "999"),
        ({"action": "release"}, "productions"),
        ({"action": "stop", "productions": ["toy-run"]}, "productions"),
    ):
        status, said = await found.found.manage("POST", "/bulk", body)
        assert (status in (400, 404), words in said["detail"]) == (True, True), (body, said)
    await found.found.manage("POST", "/accounts", {"name": "olga", "role": "operator"})
    token = await found.found.token("olga", kind="api")
    answer = await found.found.answer("POST", "/api/v1/bulk", b'{"action":"stop"}', token["token"])
    assert answer.status == 403
    assert (await found.found.manage("GET", "/bulk"))[1]["orders"] == []


async def test_a_choice_of_nobody_is_told_on_the_page_and_offers_no_order(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, _ = desk
    shown = (await found.browser.get("/hosts/bulk?action=ban&site=nowhere")).text
    assert "Nothing is like that: nobody would be told anything" in shown
    assert 'name="grace_s"' not in shown


async def test_machines_are_chosen_on_the_page_looked_at_ordered_and_undone(
    desk: tuple[Desk, list[Hand]],
) -> None:
    found, hands = desk
    shown = (await found.browser.get("/hosts?sort=name")).text
    assert shown.index(">n1</a>") < shown.index(">n2</a>") < shown.index(">n3</a>")
    assert f'name="host" value="{hands[0].id}"' in shown
    page = f"/hosts/bulk?action=stop&host={hands[0].id}"
    shown = (await found.browser.get(page)).text
    assert "give their work back now: n1." in shown
    fields = {"action": "stop", "host": str(hands[0].id), "grace_s": "600"}
    answer = await found.browser.send("/hosts/bulk", page, fields)
    assert (answer.status, answer.onto) == (303, "/hosts/bulk")
    shown = (await found.browser.get("/hosts/bulk")).text
    assert "It begins in 600 s" in shown
    [[number]] = await found.found.rows("SELECT id FROM bulk_orders")
    await found.browser.send(f"/hosts/bulk/{number}/undo", "/hosts/bulk", {})
    assert await begin(found) == 0
    assert (await found.browser.send("/hosts/bulk", page, {**fields, "grace_s": "x"})).status == 400


async def test_orders_are_given_listed_and_undone_on_the_command_line(
    desk: tuple[Desk, list[Hand]], tmp_path: Path
) -> None:
    found, _ = desk
    (tmp_path / "token").write_text(found.found.admin)
    door = ("--server", found.found.url, "--token-file", tmp_path / "token")

    async def say(*args: str) -> Any:
        return await asyncio.to_thread(run, "bulk", *args, *door)

    assert (await say("order", "stop")).code != 0, "nobody is meant by saying nothing"
    said = (await say("order", "stop", "--account", "ada", "--dry-run", "--json")).json()
    assert said["subjects"] == 2
    nobody = await say("order", "stop", "--site", "nowhere")
    assert (nobody.code, "nothing is like that" in nobody.err) == (6, True)
    assert (await say("list")).out == "No orders yet.\n"
    made = (await say("order", "stop", "--all", "--grace", "600", "--yes", "--json")).json()
    assert made["subjects"] == 3
    assert "is undone" in (await say("undo", str(made["id"]))).out
    assert (await say("list", "--json")).json()[0]["state"] == "undone"
