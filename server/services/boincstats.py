"""The export for BOINC's statistics sites: who agrees to be seen there, and the daily files."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from server.db import accounts as account_rows
from server.db import consents as rows
from server.db import credit as books
from server.db import teams as team_rows
from server.db.base import Tx
from server.db.consents import Consent, Seen, SeenHost
from server.db.teams import Team as TeamRow
from server.domain import boinc_stats as text
from server.domain.credit import MICROS
from server.domain.errors import BadInput, NotFound
from server.domain.giving import average_credit
from server.domain.rollup import DAY, floor
from server.services import audit
from server.services.deps import Deps
from server.services.factsheet import from_text

EVERY_S = 60.0  # it is looked whether it is time
BACK_S = 70 * 86_400.0  # a credit older than ten half-lives counts for a thousandth of itself
FILES = ("tables.xml", "user.gz", "host.gz", "team.gz", "user_deleted.gz", "host_deleted.gz")
Stones = Callable[[float], float]
"""Millionths of credit as BOINC counts it."""
_CROSS_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ExportWord:
    """Whether one is seen by statistics sites, and under which published cross-project id.

    ``published_id`` is empty until one has agreed. ``on``: this server writes the files at all.
    """

    agreed: bool
    published_id: str
    on: bool


@dataclass(frozen=True)
class _Read:
    seen: list[Seen]
    hosts: list[SeenHost]
    teams: list[TeamRow]
    host_credit: dict[int, int]
    account_credit: dict[int, int]
    days: list[tuple[int, int, int]]
    team_days: list[tuple[int, int, int]]
    payloads: list[str]


@dataclass(frozen=True)
class _Averages:
    hosts: dict[int, float] = field(default_factory=dict)
    teams: dict[int, float] = field(default_factory=dict)


async def word(deps: Deps, account: int) -> ExportWord:
    """Whether an account is seen."""

    async def read(tx: Tx) -> tuple[Consent | None, str]:
        person = await account_rows.of_id(tx, account)
        if person is None:
            raise NotFound("account", account)
        checked = person.email_checked_at is not None
        return await rows.of(tx, account), person.email.strip().lower() if checked else ""

    found, email = await deps.store.read(read)
    agreed = found is not None and found.stands
    shown = text.public_id(found.cross_id, email) if found is not None and agreed else ""
    return ExportWord(agreed, shown, deps.exports.every_s > 0)


async def say(
    deps: Deps, account: int, name: str, *, agreed: bool, cross_id: str = ""
) -> ExportWord:
    """Agree to be seen, or not any more; ``cross_id`` is the one of another project, if given.

    Raises BadInput.
    """
    if cross_id and not _CROSS_ID.fullmatch(cross_id):
        raise BadInput(["cross_id: 32 digits and letters a to f, as the client's files have it"])
    now = deps.clock()

    async def write(tx: Tx) -> None:
        old = await rows.of(tx, account)
        if old is None and not agreed:
            return
        kept = cross_id or (old.cross_id if old is not None else secrets.token_hex(16))
        since = old.agreed_at if old is not None and old.stands and agreed else now
        before = old.agreed_at if old is not None else None
        if not agreed and old is not None and not old.stands:
            return
        await rows.save(tx, Consent(account, kept, since if agreed else before,
                                    None if agreed else now))  # fmt: skip
        audit.note(tx, name, f"export.{'agree' if agreed else 'withdraw'}", name, at=now)

    await deps.store.write(write)
    return await word(deps, account)


async def once(deps: Deps) -> bool:
    """Write the files if it is time; whether it did."""
    rules, now = deps.exports, deps.clock()
    if rules.folder is None or rules.every_s <= 0:
        return False
    last = await asyncio.to_thread(_written_at, rules.folder / FILES[0])
    if 0 <= now - last < rules.every_s:
        return False
    await write(deps)
    return True


async def write(deps: Deps) -> None:
    """Write the files anew, each whole or not at all; tables.xml, which tells when, at last."""
    folder, now = deps.exports.folder, deps.clock()
    if folder is None:
        return
    found = await deps.store.read(lambda tx: _read(tx, floor(now - BACK_S, DAY)))
    gflops = deps.exports.gflops
    await asyncio.to_thread(lambda: _keep(folder, _files(found, now, gflops), now))


async def _read(tx: Tx, since: int) -> _Read:
    return _Read(
        await rows.everyone(tx), await rows.hosts(tx), await team_rows.everyone(tx),
        await books.balances(tx, "host"), await rows.by_account(tx), await rows.days(tx, since),
        await rows.team_days(tx, since), await rows.payloads(tx),
    )  # fmt: skip


def _files(found: _Read, now: float, gflops: float) -> dict[str, str]:
    """The files by name."""

    def stones(micros: float) -> float:
        return text.cobblestones(micros / MICROS, gflops)

    seen = {one.account: one for one in found.seen}
    names = {one.account: one.name for one in found.seen if one.stands}
    averages = _Averages(_averages(found.days, now), _averages(found.team_days, now))
    machines = [
        _machine(host, seen[host.account], stones(found.host_credit.get(host.id, 0)),
                 stones(averages.hosts.get(host.id, 0.0)))
        for host in found.hosts
        if seen[host.account].stands and found.host_credit.get(host.id, 0) > 0
    ]  # fmt: skip
    recent: dict[int, float] = defaultdict(float)
    for machine in machines:
        recent[machine.user] += machine.average
    people = [
        text.User(
            one.account, one.name, one.created_at,
            stones(found.account_credit.get(one.account, 0)), recent[one.account],
            text.public_id(one.cross_id, one.email), one.team,
        )
        for one in found.seen
        if one.stands and found.account_credit.get(one.account, 0) > 0
    ]  # fmt: skip
    groups = _teams(found, names, averages.teams, stones)
    gone = [one for one in found.seen if not one.stands]
    credit = sum(micros for micros in found.account_credit.values() if micros > 0)
    totals = text.Totals(
        now, sum(micros > 0 for micros in found.account_credit.values()), len(groups),
        sum(micros > 0 for micros in found.host_credit.values()), stones(credit), found.payloads,
    )  # fmt: skip
    return {
        "user.gz": text.users(people, now),
        "host.gz": text.hosts(machines, now),
        "team.gz": text.teams(groups, now),
        "user_deleted.gz": text.gone_users(
            (one.account, text.public_id(one.cross_id, one.email)) for one in gone
        ),
        "host_deleted.gz": text.gone_hosts(
            (host.id, text.host_id(seen[host.account].cross_id, host.id, seen[host.account].email))
            for host in found.hosts
            if not seen[host.account].stands
        ),
        "tables.xml": text.tables(totals),
    }


def _teams(
    found: _Read, names: dict[int, str], averages: dict[int, float], stones: Stones
) -> list[text.Team]:
    """The teams, with what those gave who agreed: alone in one, its credit is his own."""
    together: dict[int, int] = defaultdict(int)
    for one in found.seen:
        if one.stands and one.team:
            together[one.team] += max(0, found.account_credit.get(one.account, 0))
    return [
        text.Team(
            team.id, team.name, team.founder if team.founder in names else 0,
            names.get(team.founder, ""), stones(together[team.id]),
            stones(averages.get(team.id, 0.0)), team.made_at, team.url, team.words, team.country,
        )
        for team in found.teams
        if together[team.id] > 0
    ]  # fmt: skip


def _averages(days: list[tuple[int, int, int]], now: float) -> dict[int, float]:
    """The recent average of each, in millionths a day; a day's credit counts from its noon."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for number, at, micros in days:
        found[number].append((min(now, at + DAY / 2), float(micros)))
    return {number: average_credit(credits, now) for number, credits in found.items()}


def _machine(host: SeenHost, owner: Seen, total: float, average: float) -> text.Machine:
    sheet = from_text(host.facts)
    facts = sheet.facts
    return text.Machine(
        host.id, host.account, total, average, facts.arch, sheet.system, host.enrolled_at,
        host.seen_at, facts.cores, facts.memory_mb * 1e6, facts.disk_mb * 1e6,
        text.host_id(owner.cross_id, host.id, owner.email),
    )  # fmt: skip


def _keep(folder: Path, files: dict[str, str], now: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        raw = body.encode()
        new = folder / f"{name}.new"
        new.write_bytes(gzip.compress(raw, mtime=int(now)) if name.endswith(".gz") else raw)
        os.replace(new, folder / name)
    os.utime(folder / FILES[0], (now, now))


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
