"""Who agreed to be seen by BOINC's statistics sites, and what these are then told."""

from __future__ import annotations

from typing import NamedTuple

from server.db.base import Row, Tx
from server.domain.rollup import DAY, Kind

_SEEN = "c.agreed_at IS NOT NULL AND c.withdrawn_at IS NULL"


class Consent(NamedTuple):
    """Whether an account agreed; ``cross_id`` is the private half of its cross-project id."""

    account: int
    cross_id: str
    agreed_at: float | None
    withdrawn_at: float | None

    @property
    def stands(self) -> bool:
        """Whether it is seen."""
        return self.agreed_at is not None and self.withdrawn_at is None


class Seen(NamedTuple):
    """An account that agreed, or agreed once; ``email`` is empty unless it was checked."""

    account: int
    name: str
    created_at: float
    email: str
    cross_id: str
    stands: bool
    team: int


class SeenHost(NamedTuple):
    """A host of such an account."""

    id: int
    account: int
    facts: str
    enrolled_at: float
    seen_at: float


async def of(tx: Tx, account: int) -> Consent | None:
    """The word of an account; None if it never said anything."""
    row = await tx.one(
        "SELECT account, cross_id, agreed_at, withdrawn_at FROM stats_consents WHERE account = $1",
        account,
    )
    return None if row is None else Consent(*row)


async def save(tx: Tx, word: Consent) -> None:
    """Keep the word of an account."""
    await tx.run(
        "INSERT INTO stats_consents (account, cross_id, agreed_at, withdrawn_at)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (account) DO UPDATE"
        " SET cross_id = $2, agreed_at = $3, withdrawn_at = $4",
        *word,
    )


def _seen(row: Row) -> Seen:
    account, name, created_at, email, checked_at, cross_id, withdrawn_at, team = row
    known = email.strip().lower() if checked_at is not None else ""
    return Seen(account, name, created_at, known, cross_id, withdrawn_at is None, team or 0)


async def everyone(tx: Tx) -> list[Seen]:
    """All who ever agreed, by id."""
    rows = await tx.all(
        "SELECT a.id, CASE WHEN a.full_name <> '' THEN a.full_name ELSE a.name END, a.created_at,"
        " a.email, a.email_checked_at, c.cross_id, c.withdrawn_at, m.team"
        " FROM stats_consents c JOIN accounts a ON a.id = c.account"
        " LEFT JOIN team_members m ON m.account = a.id"
        " WHERE c.agreed_at IS NOT NULL ORDER BY a.id"
    )
    return [_seen(row) for row in rows]


async def hosts(tx: Tx) -> list[SeenHost]:
    """The hosts of all who ever agreed, by id."""
    rows = await tx.all(
        "SELECT h.id, h.account, h.facts, h.enrolled_at, h.seen_at FROM hosts h"
        " JOIN stats_consents c ON c.account = h.account WHERE c.agreed_at IS NOT NULL"
        " ORDER BY h.id"
    )
    return [SeenHost(*row) for row in rows]


async def days(tx: Tx, since: int) -> list[tuple[int, int, int]]:
    """The credit of each day of hosts of those who are seen: host, time, millionths."""
    rows = await tx.all(
        "SELECT h.id, f.at, f.credit_micros FROM hosts h"  # noqa: S608
        " JOIN stats_consents c ON c.account = h.account"
        " JOIN figures f ON f.kind = $1 AND f.step = $2 AND f.key = CAST(h.id AS TEXT)"
        f" AND f.at >= $3 WHERE {_SEEN}",
        str(Kind.HOST),
        DAY,
        since,
    )
    return [(row[0], row[1], int(row[2])) for row in rows]


async def team_days(tx: Tx, since: int) -> list[tuple[int, int, int]]:
    """The credit of each day of those of a team who are seen: team, time, millionths."""
    rows = await tx.all(
        "SELECT m.team, f.at, sum(f.credit_micros) FROM team_members m"  # noqa: S608
        " JOIN stats_consents c ON c.account = m.account"
        " JOIN figures f ON f.kind = $1 AND f.step = $2 AND f.key = CAST(m.account AS TEXT)"
        f" AND f.at >= $3 WHERE {_SEEN} GROUP BY m.team, f.at",
        str(Kind.ACCOUNT),
        DAY,
        since,
    )
    return [(row[0], row[1], int(row[2])) for row in rows]


async def by_account(tx: Tx) -> dict[int, int]:
    """The millionths of credit of each account that has any."""
    rows = await tx.all(
        "SELECT account, sum(micros) FROM books WHERE side = 'host' GROUP BY account"
    )
    return {row[0]: int(row[1]) for row in rows if row[1]}


async def payloads(tx: Tx) -> list[str]:
    """What is computed here: the names of all payloads."""
    rows = await tx.all("SELECT DISTINCT name FROM payloads ORDER BY name")
    return [str(row[0]) for row in rows]
