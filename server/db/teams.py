"""Teams of people who compare what they give; an account is in one at most."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx
from server.domain.people import looks_like

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


@dataclass(frozen=True)
class Member:
    """Somebody in a team, and the events and credit that his machines gave in all."""

    account: int
    name: str
    joined_at: float
    events: int
    micros: int


async def one(tx: Tx, team: int) -> Team | None:
    """One team."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM teams t WHERE t.id = $1", team)  # noqa: S608
    return None if row is None else _team(row)


async def of_account(tx: Tx, account: int) -> int:
    """The team that an account is in; 0 if in none."""
    row = await tx.one("SELECT team FROM team_members WHERE account = $1", account)
    return 0 if row is None else int(row[0])


async def members(tx: Tx, team: int, limit: int) -> list[Member]:
    """The people of a team, who gave most first."""
    rows = await tx.all(
        "SELECT a.id, CASE WHEN a.full_name <> '' THEN a.full_name ELSE a.name END, m.joined_at,"
        " coalesce(f.events_validated, 0), coalesce(f.credit_micros, 0)"
        " FROM team_members m JOIN accounts a ON a.id = m.account"
        " LEFT JOIN figures f ON f.kind = 'account' AND f.step = 0 AND f.at = 0"
        " AND f.key = CAST(a.id AS TEXT)"
        " WHERE m.team = $1 ORDER BY coalesce(f.credit_micros, 0) DESC, m.joined_at, a.id LIMIT $2",
        team,
        limit,
    )
    return [Member(*row) for row in rows]


async def make(
    tx: Tx, name: str, words: str, url: str, country: str, founder: int, at: float
) -> int | None:
    """A new team's id; None if the name is taken, or one that looks like it."""
    known = await tx.all("SELECT name FROM teams")
    if looks_like(name) in {looks_like(row[0]) for row in known}:
        return None
    row = await tx.one(
        "INSERT INTO teams (name, words, url, country, founder, made_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        words,
        url,
        country,
        founder,
        at,
    )
    return None if row is None else int(row[0])


async def join(tx: Tx, account: int, team: int, at: float) -> bool:
    """An account is in a team from now on; False if it is in one already."""
    changed = await tx.run(
        "INSERT INTO team_members (account, team, joined_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (account) DO NOTHING",
        account,
        team,
        at,
    )
    return changed == 1


async def leave(tx: Tx, account: int, team: int) -> None:
    """An account is in no team; who was there longest follows a founder, and the last shuts it."""
    await tx.run("DELETE FROM team_members WHERE account = $1", account)
    row = await tx.one(
        "SELECT account FROM team_members WHERE team = $1 ORDER BY joined_at, account LIMIT 1", team
    )
    if row is None:
        await tx.run("DELETE FROM teams WHERE id = $1", team)
    else:
        await tx.run(
            "UPDATE teams SET founder = $1 WHERE id = $2 AND founder = $3", row[0], team, account
        )


async def change(tx: Tx, team: int, words: str, url: str, country: str) -> None:
    """What a team says of itself."""
    await tx.run(
        "UPDATE teams SET words = $1, url = $2, country = $3 WHERE id = $4",
        words,
        url,
        country,
        team,
    )
