"""What people gave, teams, certificates, consents and orders to many: the same on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from server.db import (
    bulk,
    certificates,
    consents,
    contributions,
    figures,
    machines,
    powers,
    teams,
    views,
)
from server.db.base import Tx
from server.db.choose import connect
from server.db.consents import Consent
from server.db.errors import RowRefused
from server.db.migrate import OpenStore, packaged, upgrade
from server.db.powers import Said, Told
from server.domain.giving import Power
from server.domain.rollup import DAY, EVER, Kind, Measure

ADA, BOB = 1, 2


async def fill(tx: Tx) -> None:
    """Two accounts with a host each at a site, a production, and figures of both."""
    for number, name in ((ADA, "ada"), (BOB, "bob")):
        await tx.run(
            "INSERT INTO accounts (id, name, role, created_at) VALUES ($1, $2, 'volunteer', 5)",
            number,
            name,
        )
        await tx.run(
            "INSERT INTO hosts (id, account, request, enrol_token, name, hash, state, facts,"
            " enrolled_at, seen_at, site) VALUES ($1, $2, $3, 1, $3, $4, 'active', '{}', 0, 0, 7)",
            number + 10,
            number,
            name,
            name.encode(),
        )
        facts = {Measure.EVENTS_VALIDATED: 10 * number, Measure.CREDIT_MICROS: 100 * number}
        await figures.add(
            tx,
            {
                (Kind.ACCOUNT, str(number), EVER, 0): facts,
                (Kind.ACCOUNT, str(number), DAY, DAY): facts,
                (Kind.HOST, str(number + 10), EVER, 0): facts,
                (Kind.HOST, str(number + 10), DAY, DAY): facts,
                (Kind.CONTRIBUTION, f"{number}/3", EVER, 0): facts,
                (Kind.CONTRIBUTION, f"{number}0/3", EVER, 0): facts,
            },
        )
    await tx.run(
        "INSERT INTO productions (id, name, state, definition, manifest, digest, payload, events,"
        " unit, priority, created_at) VALUES (3, 'toy', 'done', '', '', '', '', 1, 1, 0, 0)"
    )
    await tx.run(
        "INSERT INTO tasks (id, production, unit, first, last, state, host, account, leased_at,"
        " ended_at, cause) VALUES (1, 3, 0, 0, 9, 'failed', 11, 1, 100, 200, 'crashed')"
    )
    await tx.run(
        "INSERT INTO commands (seq, host, name, args, issued_by, issued_at, expires_at)"
        " VALUES (1, 11, 'drain', '{}', 'admin', 150, 900), (2, 11, 'work', '{}', 'server', 1, 2)"
    )


@pytest.fixture
async def found(url: str) -> AsyncIterator[OpenStore]:
    """A database with all of it."""
    store = await connect(url)
    await upgrade(store, packaged())
    await store.write(fill)
    yield store
    await store.close()


async def test_gifts_are_summed_by_site_machine_and_production(found: OpenStore) -> None:
    async def read(tx: Tx) -> None:
        both = await contributions.of_site(tx, 7, DAY, 2 * DAY)
        assert [(one.account, one.values[Measure.EVENTS_VALIDATED]) for one in both] == [
            ("ada", 10), ("bob", 20),
        ]  # fmt: skip
        assert await contributions.of_site(tx, 7, 2 * DAY, 3 * DAY) == []
        [own] = await contributions.of_machines(tx, BOB)
        assert (own.host, own.values[Measure.CREDIT_MICROS]) == (12, 200)
        [study] = await contributions.of_productions(tx, ADA)
        assert (study.name, study.values[Measure.EVENTS_VALIDATED]) == ("toy", 10)
        assert await contributions.rank(tx, ADA) == (2, 2)
        assert await contributions.rank(tx, 99) == (0, 2)
        assert await contributions.since(tx, ADA) is None

    await found.read(read)


async def test_what_operators_say_and_what_a_machine_tells_are_kept_apart(found: OpenStore) -> None:
    async def write(tx: Tx) -> None:
        for value in (10.0, 12.5):
            await powers.say(tx, 11, Said("hs06", value, "admin", 1.0))
        powers.tell(tx, 11, Power(11.5, 0.0), 2.0)

    async def read(tx: Tx) -> None:
        assert await powers.of_site(tx, 7) == {11: {"hs06": 12.5}}
        assert await powers.of_site(tx, 8) == {}
        assert await powers.of_host(tx, 11) == [Said("hs06", 12.5, "admin", 1.0)]
        assert await powers.told_by(tx, 11) == Told(Power(11.5, 0.0), 2.0)
        assert await powers.told_by(tx, 12) == Told(Power(), None)
        assert await powers.told_at(tx, 7) == await powers.told(tx) == {11: Power(11.5, 0.0)}
        assert await powers.told_at(tx, 8) == {}

    await found.write(write)
    await found.read(read)


async def test_no_absurd_power_gets_into_the_table(found: OpenStore) -> None:
    for power in (Power(100.5, 0.0), Power(0.0, -1.0)):

        async def write(tx: Tx, power: Power = power) -> None:
            powers.tell(tx, 11, power, 2.0)

        with pytest.raises(RowRefused):
            await found.write(write)


async def test_teams_hold_an_account_once_and_follow_their_founder(found: OpenStore) -> None:
    async def write(tx: Tx) -> int:
        team = await teams.make(tx, "Owls", "", "", "", ADA, 1.0)
        assert team is not None
        assert await teams.make(tx, "OWLS", "", "", "", BOB, 1.0) is None
        assert await teams.join(tx, ADA, team, 1.0)
        assert not await teams.join(tx, ADA, team, 2.0)
        assert await teams.join(tx, BOB, team, 2.0)
        return team

    team = await found.write(write)
    [whole] = await found.read(teams.everyone)
    assert (whole.members, whole.micros) == (2, 300)
    people = await found.read(lambda tx: teams.members(tx, team, 10))
    assert [(one.name, one.events) for one in people] == [("bob", 20), ("ada", 10)]
    assert await found.read(lambda tx: consents.team_days(tx, 0)) == [], "nobody agreed"
    for account, days in ((ADA, [(team, DAY, 100)]), (BOB, [(team, DAY, 300)])):
        agreed = Consent(account, "ab" * 16, 1.0, None)
        await found.write(partial(consents.save, word=agreed))
        assert await found.read(lambda tx: consents.team_days(tx, 0)) == days
    await found.write(lambda tx: teams.leave(tx, ADA, team))
    left = await found.read(lambda tx: teams.one(tx, team))
    assert left is not None
    assert left.founder == BOB
    await found.write(lambda tx: teams.leave(tx, BOB, team))
    assert await found.read(teams.everyone) == []


async def test_who_agreed_is_read_with_his_hosts_and_days(found: OpenStore) -> None:
    await found.write(lambda tx: consents.save(tx, Consent(ADA, "ab" * 16, 1.0, None)))
    [seen] = await found.read(consents.everyone)
    assert (seen.name, seen.stands, seen.team, seen.email) == ("ada", True, 0, "")
    assert [host.id for host in await found.read(consents.hosts)] == [11]
    assert await found.read(lambda tx: consents.days(tx, 0)) == [(11, DAY, 100)]
    assert await found.read(consents.by_account) == {}
    assert await found.read(consents.payloads) == []
    await found.write(lambda tx: consents.save(tx, Consent(ADA, "ab" * 16, 1.0, 2.0)))
    assert await found.read(lambda tx: consents.days(tx, 0)) == []
    [seen] = await found.read(consents.everyone)
    assert not seen.stands


async def test_certificates_and_orders_are_kept_once_taken_back_once(found: OpenStore) -> None:
    await found.write(lambda tx: certificates.add(tx, "CODE", ADA, "{}", 1.0))
    assert not await found.write(lambda tx: certificates.withdraw(tx, BOB, "CODE", 2.0))
    assert await found.write(lambda tx: certificates.withdraw(tx, ADA, "CODE", 2.0))
    assert not await found.write(lambda tx: certificates.withdraw(tx, ADA, "CODE", 3.0))
    [kept] = await found.read(lambda tx: certificates.of_account(tx, ADA, 5))
    assert kept.withdrawn_at == 2.0

    made = await found.write(
        lambda tx: bulk.add(tx, "drain", {"reason": ""}, [11, 12], "admin", 1.0, 60.0)
    )
    assert await found.read(lambda tx: bulk.due(tx, 59.0)) == []
    [due] = await found.read(lambda tx: bulk.due(tx, 60.0))
    assert due == made
    assert not await found.write(lambda tx: bulk.undo(tx, made.id, "admin", 60.0))
    assert await found.write(lambda tx: bulk.undo(tx, made.id, "admin", 59.0))
    assert await found.read(lambda tx: bulk.due(tx, 60.0)) == []
    await found.write(lambda tx: bulk.done(tx, made.id, "2 of 2", 61.0))
    [listed] = await found.read(lambda tx: bulk.latest(tx, 5))
    assert (listed.outcome, listed.subjects) == ("2 of 2", 2)
    assert await found.read(lambda tx: bulk.subjects(tx, made.id)) == [11, 12]


async def test_the_life_of_a_host_is_read_by_its_own_rows(found: OpenStore) -> None:
    [lease] = await found.read(lambda tx: views.lease_times(tx, 11, 150.0, 5))
    assert (lease.task, lease.start, lease.end, lease.state) == (1, 100.0, 200.0, "failed")
    assert await found.read(lambda tx: views.lease_times(tx, 11, 201.0, 5)) == []
    [told] = await found.read(lambda tx: views.told(tx, 11, 0.0, 5))
    assert (told.name, told.by) == ("drain", "admin")
    [task] = await found.read(lambda tx: views.tasks_of_host(tx, 11, 5))
    assert (task.id, task.production, task.cause) == (1, "toy", "crashed")
    said = [what for _, what, _ in await found.read(lambda tx: machines.timeline(tx, 11, 9))]
    assert said == ["end", "command", "lease", "command", "joined"]
