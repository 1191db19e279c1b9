"""Alerts and backups in the tables of each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import pytest

from server.db import alerts, backups
from server.db.backups import Backup
from server.db.base import Store
from server.db.choose import open_store
from server.domain.alert import Level, Sign, raised
from server.domain.telling import Said, Word

DISK = Sign("space", "/data", Level.WARN, "12 % left", "make room", "/operations")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A database with all its tables."""
    opened = await open_store(url)
    yield opened
    await opened.close()


async def test_an_alert_is_read_as_it_was_written_and_saved(store: Store) -> None:
    number = await store.write(partial(alerts.add, alert=raised(DISK, 100.0)))
    alert = replace(raised(DISK, 100.0), id=number)
    assert await store.read(partial(alerts.one, number=number)) == alert
    worse = replace(DISK, level=Level.BAD, cause="2 % left")
    later = alert.acknowledged("ada", 110.0).seen(worse, 120.0).muted(60.0, "bob", 120.0)
    await store.write(partial(alerts.save, alert=later))
    assert await store.read(partial(alerts.recent, after=1e9)) == [later]
    assert await store.read(partial(alerts.past, before=2**62, most=9)) == []
    over = later.ended(200.0)
    await store.write(partial(alerts.save, alert=over))
    assert await store.read(partial(alerts.recent, after=119.0)) == [over]
    assert await store.read(partial(alerts.recent, after=120.0)) == []
    assert await store.read(partial(alerts.past, before=2**62, most=9)) == [over]
    assert await store.read(partial(alerts.past, before=number, most=9)) == []


async def test_what_was_said_goes_with_its_alert(store: Store) -> None:
    over = raised(DISK, 100.0).ended(200.0)
    gone = await store.write(partial(alerts.add, alert=over))
    stays = await store.write(partial(alerts.add, alert=replace(over, last_at=900.0)))
    said = Said(Word.OVER, Level.WARN, 200.0)
    for word in (Word.RAISED, Word.OVER):
        told = [(number, replace(said, word=word)) for number in (gone, stays)]
        await store.write(partial(alerts.say, channel="mail", told=told))
    read = partial(alerts.said, channel="mail", alerts=[gone, stays])
    assert await store.read(read) == {gone: said, stays: said}
    assert await store.read(partial(alerts.said, channel="webhook", alerts=[gone])) == {}
    assert await store.write(partial(alerts.forget, before=500.0)) == 1
    assert await store.read(read) == {stays: said}


async def test_the_newest_backups_of_a_place_are_kept(store: Store) -> None:
    made = Backup(0, "a", "file:///b", "whole", 5, "0" * 64, 1.0, 2.0, "schedule", "")
    numbers = [await store.write(partial(backups.add, made=replace(made, name=n))) for n in "abc"]
    await store.write(partial(backups.add, made=replace(made, place="elsewhere")))
    await store.write(partial(backups.add, made=replace(made, state="failed", why="no room")))
    old = await store.read(partial(backups.too_many, place="file:///b", keep=2))
    assert [one.id for one in old] == numbers[:1]
    await store.write(partial(backups.deleted, number=numbers[0]))
    assert await store.read(partial(backups.too_many, place="file:///b", keep=2)) == []
    last = await store.read(backups.last_whole)
    assert last is not None
    assert last.place == "elsewhere"
    latest = await store.read(partial(backups.latest, most=2))
    assert [one.state for one in latest] == ["failed", "whole"]
