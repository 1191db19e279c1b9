"""What accounts, machines and sites gave, summed up from the figures."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx
from server.domain.rollup import DAY, EVER, MONTH, Kind, Measure

_MEASURES = tuple(Measure)
_COLUMNS = ", ".join(f"figures.{each}" for each in _MEASURES)
_SUMS = ", ".join(f"sum(figures.{each})" for each in _MEASURES)
MACHINES_MOST = 1000  # of one account that are told one by one


@dataclass(frozen=True)
class HostSum:
    """What a host gave in a time; ``name`` and ``account`` are whose it is now."""

    host: int
    name: str
    account: str
    facts: str
    values: dict[Measure, int]


async def of_site(tx: Tx, site: int, start: int, end: int) -> list[HostSum]:
    """What each host of a site gave in [start, end), those that gave nothing left out."""
    rows = await tx.all(
        f"SELECT hosts.id, hosts.name, accounts.name, hosts.facts, {_SUMS} FROM hosts"  # noqa: S608
        " JOIN accounts ON accounts.id = hosts.account"
        " JOIN figures ON figures.kind = $1 AND figures.step IN ($2, $3)"
        " AND figures.key = CAST(hosts.id AS TEXT) AND figures.at >= $4 AND figures.at < $5"
        " WHERE hosts.site = $6 GROUP BY hosts.id, hosts.name, accounts.name, hosts.facts"
        " ORDER BY hosts.id",
        str(Kind.HOST),
        DAY,
        MONTH,
        start,
        end,
        site,
    )
    return [HostSum(*(*row[:4], _values(row[4:]))) for row in rows]


async def of_machines(tx: Tx, account: int) -> list[HostSum]:
    """What each of the hosts of an account gave in all time."""
    rows = await tx.all(
        f"SELECT hosts.id, hosts.name, '', hosts.facts, {_COLUMNS} FROM hosts"  # noqa: S608
        " JOIN figures ON figures.kind = $1 AND figures.step = $2"
        " AND figures.key = CAST(hosts.id AS TEXT) AND figures.at = 0"
        " WHERE hosts.account = $3 ORDER BY figures.credit_micros DESC, hosts.id LIMIT $4",
        str(Kind.HOST),
        EVER,
        account,
        MACHINES_MOST,
    )
    return [HostSum(*(*row[:4], _values(row[4:]))) for row in rows]


@dataclass(frozen=True)
class StudySum:
    """What an account gave to a production; ``definition`` tells what it is for."""

    name: str
    state: str
    definition: str
    finished_at: float | None
    values: dict[Measure, int]


async def of_productions(tx: Tx, account: int) -> list[StudySum]:
    """What an account gave to each production, the most events first."""
    rows = await tx.all(
        f"SELECT p.name, p.state, p.definition, p.finished_at, {_COLUMNS} FROM figures"  # noqa: S608
        " JOIN productions p ON figures.key = $1 || CAST(p.id AS TEXT)"
        " WHERE figures.kind = $2 AND figures.step = $3 AND figures.at = 0"
        " AND figures.key >= $1 AND figures.key < $4"
        " ORDER BY figures.events_validated DESC, p.id",
        f"{account}/",
        str(Kind.CONTRIBUTION),
        EVER,
        f"{account}0",  # the sign behind the slash
    )
    return [StudySum(*(*row[:4], _values(row[4:]))) for row in rows]


async def rank(tx: Tx, account: int) -> tuple[int, int]:
    """The place of an account by credit, and how many have any; (0, n) if it has none."""
    place = (str(Kind.ACCOUNT), EVER)
    row = await tx.one(
        "SELECT credit_micros FROM figures WHERE kind = $1 AND step = $2 AND key = $3 AND at = 0",
        *place,
        str(account),
    )
    own = 0 if row is None else int(row[0])
    counted = await tx.one(
        "SELECT count(*), coalesce(sum(CASE WHEN credit_micros > $3 THEN 1 ELSE 0 END), 0)"
        " FROM figures WHERE kind = $1 AND step = $2 AND at = 0 AND credit_micros > 0",
        *place,
        own,
    )
    many, above = (0, 0) if counted is None else (int(counted[0]), int(counted[1]))
    return (above + 1 if own > 0 else 0), many


async def since(tx: Tx, account: int) -> float | None:
    """When the first event of an account was agreed on."""
    row = await tx.one("SELECT at FROM credits WHERE account = $1 ORDER BY id LIMIT 1", account)
    return None if row is None else float(row[0])


def _values(row: tuple[int, ...]) -> dict[Measure, int]:
    return {measure: int(value) for measure, value in zip(_MEASURES, row, strict=True)}
