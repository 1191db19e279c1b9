"""Machines that are paired with real contexts, which a person has made on the server."""

from __future__ import annotations

from tests.kit.house import House
from tests.kit.vm import Owner, Vm, owner


async def shelve(person: Owner, name: str, host: str) -> str:
    """A context of somebody's; its id."""
    document = {"hostname": {"hostname": host}}
    answer = await person.ask("POST", "/contexts", {"name": name, "document": document})
    assert answer.status == 201, answer
    return str(answer.body["context"]["id"])


async def test_a_machine_gets_the_context_that_was_chosen_and_then_a_newer_one(
    found: House, ada: Owner
) -> None:
    context = await shelve(ada, "Batch worker", "first-host")
    hand = await ada.pair(Vm(found), context_id=context)
    _, said = await hand.call("GET", "/api/v1/machines/self/context")
    assert (said["id"], said["revision"], said["name"]) == (context, 1, "Batch worker")
    assert "first-host" in said["user_data"]
    body = {"name": "Batch worker", "document": {"hostname": {"hostname": "second-host"}}}
    answer = await ada.ask("PUT", f"/contexts/{context}", body | {"started_from": 1})
    assert answer.status == 200, answer
    _, said = await hand.call("GET", "/api/v1/machines/self/context")
    assert "first-host" in said["user_data"]  # machines keep theirs
    await ada.ask("POST", f"/machines/{hand.id}/recontextualize", {})
    _, said = await hand.call("GET", "/api/v1/machines/self/context")
    assert said["revision"] == 2
    assert "second-host" in said["user_data"]


async def test_a_private_context_of_another_is_not_there_to_be_given(
    found: House, ada: Owner
) -> None:
    context = await shelve(ada, "Mine", "mine")
    eve = await owner(found, "eve")
    for path in ("/pairings", "/enrolments"):
        answer = await eve.ask("POST", path, {"context_id": context})
        assert (answer.status, answer.code) == (404, "context-unknown")
    hand = await eve.pair(Vm(found))
    answer = await eve.ask("POST", f"/machines/{hand.id}/recontextualize", {"context_id": context})
    assert (answer.status, answer.code) == (404, "context-unknown")


async def test_a_context_that_is_gone_costs_a_machine_nothing_but_the_context(
    found: House, ada: Owner
) -> None:
    context = await shelve(ada, "Batch worker", "node")
    vm = Vm(found)
    await ada.agree(vm, context_id=context)
    await found.deps.store.write(lambda tx: tx.run("DELETE FROM context_revisions"))
    answer = await vm.collect()
    assert (answer.status, answer.body["context"]) == (200, None)
    token = answer.body["token"]
    said = await found.answer("GET", "/api/v1/commands?wait=0", token=token)
    assert [one["name"] for one in said.body["commands"]] == ["recontextualize"]
    said = await found.answer("GET", "/api/v1/machines/self/context", token=token)
    assert said.status == 404


async def test_who_paired_and_let_go_is_in_the_audit_log(found: House, ada: Owner) -> None:
    hand = await ada.pair(Vm(found))
    await ada.ask("PUT", f"/machines/{hand.id}/name", {"name": "attic"})
    await ada.ask("POST", f"/machines/{hand.id}/unmanage")
    rows = await found.rows("SELECT who, what FROM audit ORDER BY id")
    mine = [what for who, what in rows if who == "ada"]
    assert mine == ["pairing.begin", "pairing.confirm", "machine.rename", "machine.unmanage"]
