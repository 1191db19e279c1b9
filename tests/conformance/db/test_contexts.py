"""Contexts, defaults and boards of clusters: the same in both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.db import accounts, clusters, context_defaults, contexts, migrate
from server.db.clusters import Cluster, Entry
from server.db.context_defaults import Defaults
from server.db.contexts import Context, Revision
from tests.conformance.db.conftest import CountingStore

ID = "22b13425ef7244c4b7de60dbbca64728"
OTHER = "0" * 32


def context(owner: int, number: str = ID, **more: object) -> Context:
    """A private context at its first revision."""
    made = Context(
        number, owner, "anna", "Squid", "a proxy", "private", "none", 0, 0, "", ("squid", "cern"),
        "belgrade", "squid", False, False, 1, 100.0, 100.0,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def revision(number: int, **more: object) -> Revision:
    """A revision of it."""
    made = Revision(ID, number, '{"squid":{}}', b"\x00\xff", False, "Squid", "", "", "anna", 100.0)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
async def shelf(store: CountingStore) -> CountingStore:
    """A store with every table, the accounts anna (1) and ben (2), and a context of anna."""
    await store.write(lambda tx: tx.run("DROP TABLE notes"))
    await migrate.upgrade(store, migrate.packaged())
    for name in ("anna", "ben"):
        await store.write(lambda tx, name=name: accounts.create(tx, name, "volunteer", 1.0))  # type: ignore[misc]
    await store.write(lambda tx: contexts.add(tx, context(1)))
    await store.write(lambda tx: contexts.add_revision(tx, revision(1), 1))
    return store


async def test_a_context_is_read_as_it_was_written(shelf: CountingStore) -> None:
    assert await shelf.read(lambda tx: contexts.named(tx, ID)) == context(1)
    assert await shelf.read(lambda tx: contexts.revision(tx, ID, 1)) == revision(1)
    assert await shelf.read(lambda tx: contexts.named(tx, OTHER)) is None
    assert await shelf.read(lambda tx: contexts.revision(tx, ID, 2)) is None
    assert await shelf.read(lambda tx: contexts.of_owner(tx, 1)) == [context(1)]
    assert await shelf.read(lambda tx: contexts.of_owner(tx, 2)) == []


async def test_only_one_of_two_edits_of_the_same_revision_is_taken(shelf: CountingStore) -> None:
    new = replace(context(1), name="Squid 2", revision=2, changed_at=200.0, tags=())
    assert await shelf.write(lambda tx: contexts.step(tx, new, 1))
    await shelf.write(lambda tx: contexts.add_revision(tx, revision(2, at=200.0), 2))
    assert not await shelf.write(lambda tx: contexts.step(tx, replace(new, name="Mine"), 1))
    assert await shelf.read(lambda tx: contexts.named(tx, ID)) == new
    found = await shelf.read(lambda tx: contexts.revisions(tx, ID, 10))
    assert [(each.number, each.by) for each in found] == [(2, "ben"), (1, "anna")]


async def test_what_is_shared_is_seen_by_its_groups_alone_until_it_is_no_more(
    shelf: CountingStore,
) -> None:
    async def seen(groups: list[str], sites: list[str]) -> list[str]:
        found = await shelf.read(lambda tx: contexts.shared_with(tx, groups, sites, 10))
        return [each.id for each in found]

    await shelf.write(lambda tx: contexts.share(tx, ID, "group", ["na61", "alice"]))
    assert await shelf.read(lambda tx: contexts.shares(tx, ID)) == ("alice", "na61")
    assert await seen(["na61", "alice"], []) == [ID]
    assert await seen(["atlas"], ["na61"]) == []
    await shelf.write(lambda tx: contexts.share(tx, ID, "site", ["na61"]))
    assert await seen(["na61"], []) == []
    assert await seen([], ["na61"]) == [ID]
    await shelf.write(lambda tx: contexts.share(tx, ID, "private", ["na61"]))
    assert await seen(["na61"], ["na61"]) == []
    assert await shelf.read(lambda tx: contexts.shares(tx, ID)) == ()


async def test_a_context_is_public_once_a_revision_is_listed(shelf: CountingStore) -> None:
    await shelf.write(lambda tx: contexts.share(tx, ID, "public", []))
    await shelf.write(lambda tx: contexts.review(tx, ID, "waiting", 1, 0, ""))
    assert [each.id for each in await shelf.read(lambda tx: contexts.waiting(tx, 9))] == [ID]
    assert await shelf.read(lambda tx: contexts.public(tx, 9)) == []
    await shelf.write(lambda tx: contexts.review(tx, ID, "listed", 0, 1, "fine"))
    found = await shelf.read(lambda tx: contexts.public(tx, 9))
    assert [(each.id, each.listed, each.review_note) for each in found] == [(ID, 1, "fine")]
    assert await shelf.read(lambda tx: contexts.waiting(tx, 9)) == []


async def test_what_was_removed_comes_back_until_it_is_purged(shelf: CountingStore) -> None:
    assert await shelf.write(lambda tx: contexts.remove(tx, ID, 300.0))
    assert not await shelf.write(lambda tx: contexts.remove(tx, ID, 301.0))
    assert await shelf.read(lambda tx: contexts.of_owner(tx, 1)) == []
    assert [each.id for each in await shelf.read(lambda tx: contexts.removed_of(tx, 1))] == [ID]
    new = replace(context(1), revision=2)
    assert not await shelf.write(lambda tx: contexts.step(tx, new, 1))
    assert await shelf.write(lambda tx: contexts.remove(tx, ID, None))
    assert not await shelf.write(lambda tx: contexts.remove(tx, ID, None))
    assert await shelf.write(lambda tx: contexts.remove(tx, ID, 300.0))
    assert await shelf.write(lambda tx: contexts.purge(tx, 300.0)) == []
    assert await shelf.write(lambda tx: contexts.purge(tx, 300.1)) == [ID]
    assert await shelf.read(lambda tx: contexts.named(tx, ID)) is None
    assert await shelf.read(lambda tx: contexts.revisions(tx, ID, 9)) == []


async def test_uses_are_counted_for_each_account_and_together(shelf: CountingStore) -> None:
    for account, at in ((1, 5.0), (1, 6.0), (2, 7.0)):
        await shelf.write(lambda tx, a=account, t=at: contexts.used(tx, ID, a, t))  # type: ignore[misc]
    assert await shelf.read(lambda tx: contexts.last_used(tx, 1)) == {ID: 6.0}
    assert await shelf.read(contexts.times_used) == {ID: 3}


async def test_defaults_are_kept_by_number_and_the_last_is_in_force(shelf: CountingStore) -> None:
    first = Defaults("site", "belgrade", 1, '{"a":{}}', None, "anna", 5.0)
    second = replace(first, number=2, document="{}", secrets=b"\x01", by="ben")
    assert await shelf.write(lambda tx: context_defaults.save(tx, first, 1))
    assert not await shelf.write(lambda tx: context_defaults.save(tx, first, 1))
    assert await shelf.write(lambda tx: context_defaults.save(tx, second, 2))
    assert not await shelf.write(lambda tx: context_defaults.save(tx, replace(second, number=4), 2))
    mine = replace(first, layer="user", subject="anna")
    assert await shelf.write(lambda tx: context_defaults.save(tx, mine, 1))
    found = await shelf.read(lambda tx: context_defaults.latest(tx, "site", "belgrade"))
    assert found == second
    assert await shelf.read(lambda tx: context_defaults.latest(tx, "role", "squid")) is None
    assert await shelf.read(context_defaults.everyone) == [second]


async def test_a_board_is_found_by_its_pin_until_its_time_is_over(shelf: CountingStore) -> None:
    made = Cluster(b"digest", 1, b"\x00closed", "for the school", 10.0, 20.0)
    assert await shelf.write(lambda tx: clusters.add(tx, made))
    assert not await shelf.write(lambda tx: clusters.add(tx, replace(made, account=2)))
    assert await shelf.read(lambda tx: clusters.found(tx, b"digest", 19.9)) == made
    assert await shelf.read(lambda tx: clusters.found(tx, b"digest", 20.0)) is None
    assert await shelf.read(lambda tx: clusters.found(tx, b"other", 11.0)) is None
    assert await shelf.read(lambda tx: clusters.of_account(tx, 1, 11.0)) == [made]
    assert await shelf.read(lambda tx: clusters.of_account(tx, 2, 11.0)) == []
    await shelf.write(lambda tx: clusters.put(tx, b"digest", Entry("master_ip", "10.0.0.1"), 11.0))
    await shelf.write(lambda tx: clusters.purge(tx, 19.0))
    assert len(await shelf.read(lambda tx: clusters.entries(tx, b"digest"))) == 1
    await shelf.write(lambda tx: clusters.purge(tx, 20.0))
    assert await shelf.read(lambda tx: clusters.entries(tx, b"digest")) == []


async def test_values_of_a_board_are_written_over_and_taken_away(shelf: CountingStore) -> None:
    entry = Entry("master_ip", "10.0.0.2")
    for each in (Entry("master_ip", "10.0.0.1"), entry):
        await shelf.write(lambda tx, e=each: clusters.put(tx, b"x", e, 1.0))  # type: ignore[misc]
    assert await shelf.read(lambda tx: clusters.entry(tx, b"x", "master_ip")) == entry
    assert await shelf.read(lambda tx: clusters.entries(tx, b"x")) == [entry]
    assert await shelf.write(lambda tx: clusters.drop(tx, b"x", "master_ip"))
    assert not await shelf.write(lambda tx: clusters.drop(tx, b"x", "master_ip"))
    assert await shelf.read(lambda tx: clusters.entry(tx, b"x", "master_ip")) is None
