"""Teams of people who compare what they give; an account is in one at most."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "t.id, t.name, t.words, t.url, t.country, t.founder, t.made_at,"
    " (SELECT count(*) FROM team_members m WHERE m.team = t.id),"
    " (SELECT coalesce(sum(f.credit_micros), 0) FROM team_members m"
    " JOIN figures f ON f.kind = 'account' AND f.step = 0 AND f.at = 0"
    " AND f.key = CAST(m.account AS TEXT) WHERE m.team = t.id)"
)


@dataclass(frozen=True)
class Team:
    """A team; ``micros`` is the credit of its members."""

    id: int
    name: str
    words: str
    url: str
    country: str
    founder: int
    made_at: float
    members: int
    micros: int


def _team(row: Row) -> Team:
    return Team(*(*row[:8], int(row[8])))


async def everyone(tx: Tx) -> list[Team]:
    """Every team, by id."""
    rows = await tx.all(f"SELECT {_COLUMNS} FROM teams t ORDER BY t.id")  # noqa: S608
    return [_team(row) for row in rows]
