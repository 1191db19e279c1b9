"""Groups and who is in them: the same in both databases."""

from __future__ import annotations

import pytest

from server.db import accounts, circles, groups, migrate
from tests.conformance.db.conftest import CountingStore


@pytest.fixture
async def people(store: CountingStore) -> CountingStore:
    """A store with every table, and the accounts anna (1), ben (2) and cleo (3)."""
    await store.write(lambda tx: tx.run("DROP TABLE notes"))
    await migrate.upgrade(store, migrate.packaged())
    for name in ("anna", "ben", "cleo"):
        await store.write(lambda tx, name=name: accounts.create(tx, name, "volunteer", 1.0))  # type: ignore[misc]
    return store


async def test_a_group_has_one_owner_and_whom_it_asked_is_in_no_circle_of_it(
    people: CountingStore,
) -> None:
    number = await people.write(lambda tx: groups.create(tx, "na61", "SHINE", 1, 2.0))
    assert number is not None
    assert await people.write(lambda tx: groups.create(tx, "NA61", "", 2, 2.0)) is None
    assert await people.write(lambda tx: groups.ask(tx, number, 2, "anna", 3.0))
    assert not await people.write(lambda tx: groups.ask(tx, number, 2, "anna", 4.0))
    assert (await people.read(lambda tx: circles.of(tx, 2)))[0] == frozenset()
    assert [g.name for g in await people.read(lambda tx: groups.asking(tx, 2))] == ["na61"]
    assert await people.write(lambda tx: groups.add(tx, number, 2, 5.0))
    assert not await people.write(lambda tx: groups.add(tx, number, 2, 6.0))
    assert await people.read(lambda tx: groups.asked(tx, number)) == []
    assert (await people.read(lambda tx: circles.of(tx, 2)))[0] == frozenset({"na61"})
    await people.write(lambda tx: groups.hand_over(tx, number, 2))
    found = await people.read(lambda tx: groups.named(tx, "na61"))
    assert found is not None
    assert (found.owner, found.owner_id, found.members) == ("ben", 2, 2)
    said = [(m.name, m.owns) for m in await people.read(lambda tx: groups.members(tx, number))]
    assert said == [("anna", False), ("ben", True)]
    assert not await people.write(lambda tx: groups.drop(tx, found, 2)), "its owner stays"
    assert await people.write(lambda tx: groups.drop(tx, found, 1))


async def test_names_of_groups_are_given_once_and_again_when_they_are_free(
    people: CountingStore,
) -> None:
    await people.write(lambda tx: groups.create(tx, "na61", "", 1, 2.0))
    await people.write(lambda tx: groups.create(tx, "alice", "", 2, 2.0))
    found = await people.read(lambda tx: groups.named(tx, "na61"))
    assert found is not None
    assert not await people.write(lambda tx: groups.change(tx, found, "Alice", ""))
    assert await people.write(lambda tx: groups.change(tx, found, "NA61", "SHINE"))
    assert [g.name for g in await people.read(lambda tx: groups.of_account(tx, 1))] == ["NA61"]
    await people.write(lambda tx: groups.remove(tx, found))
    assert [g.name for g in await people.read(groups.everyone)] == ["alice"]
    assert await people.write(lambda tx: groups.create(tx, "na61", "", 3, 3.0)) is not None
