"""Bans of hosts, and of versions of the agent: why, by whom, and until when."""

from __future__ import annotations

from typing import NamedTuple

from server.db import moves
from server.db.base import Tx


class Ban(NamedTuple):
    """A ban that stands; ``until`` is None if only a person ends it."""

    host: int
    reason: str
    until: float | None


class AgentBan(NamedTuple):
    """A ban of versions of the agent that stands; ``span`` as `server.domain.versions` writes it.

    ``until`` is None if only a person ends it.
    """

    span: str
    reason: str
    until: float | None
    by: str
    at: float


class Past(NamedTuple):
    """A ban that stands or stood; ``lifted_by`` is empty unless a person ended it."""

    id: int
    kind: str
    subject: str
    reason: str
    by: str
    at: float
    until: float | None
    lifted_at: float | None
    lifted_by: str


_PAST = (
    "SELECT id, kind, subject, reason, issued_by, issued_at, until, lifted_at,"
    " coalesce(lifted_by, '') FROM bans"
)


async def lay(tx: Tx, ban: Ban, by: str, at: float) -> None:
    """Ban a host; what stood before stands no more."""
    await _end(tx, ban.host, by, at)
    await tx.run(
        "INSERT INTO bans (kind, subject, reason, until, issued_by, issued_at)"
        " VALUES ('host', $1, $2, $3, $4, $5)",
        str(ban.host),
        ban.reason,
        ban.until,
        by,
        at,
    )
    cause = f"banned by {by}: {ban.reason}"
    moves.log(tx, None, "host", ban.host, "active", "banned", cause, at)


async def lift(tx: Tx, host: int, by: str, at: float) -> bool:
    """End the ban of a host; False if there is none."""
    if not await _end(tx, host, by, at):
        return False
    moves.log(tx, None, "host", host, "banned", "active", f"lifted by {by}", at)
    return True


async def lay_agent(tx: Tx, ban: AgentBan) -> None:
    """Ban versions of the agent; what stood of the same before stands no more."""
    await _end(tx, ban.span, ban.by, ban.at, "agent")
    await tx.run(
        "INSERT INTO bans (kind, subject, reason, until, issued_by, issued_at)"
        " VALUES ('agent', $1, $2, $3, $4, $5)",
        *ban,
    )


async def lift_agent(tx: Tx, span: str, by: str, at: float) -> bool:
    """End the ban of these versions; False if there is none."""
    return bool(await _end(tx, span, by, at, "agent"))


async def _end(tx: Tx, subject: int | str, by: str, at: float, kind: str = "host") -> int:
    return await tx.run(
        "UPDATE bans SET lifted_by = $1, lifted_at = $2"
        " WHERE kind = $3 AND subject = $4 AND lifted_at IS NULL",
        by,
        at,
        kind,
        str(subject),
    )


async def standing(tx: Tx, at: float) -> list[Ban]:
    """The bans of hosts that stand."""
    rows = await tx.all(
        "SELECT subject, reason, until FROM bans WHERE kind = 'host' AND lifted_at IS NULL"
        " AND (until IS NULL OR until > $1) ORDER BY id",
        at,
    )
    return [Ban(int(row[0]), row[1], row[2]) for row in rows]


async def agents_standing(tx: Tx, at: float) -> list[AgentBan]:
    """The bans of versions that stand, oldest first."""
    rows = await tx.all(
        "SELECT subject, reason, until, issued_by, issued_at FROM bans"
        " WHERE kind = 'agent' AND lifted_at IS NULL AND (until IS NULL OR until > $1) ORDER BY id",
        at,
    )
    return [AgentBan(*row) for row in rows]


async def latest(tx: Tx, most: int) -> list[Past]:
    """The latest bans, newest first."""
    rows = await tx.all(f"{_PAST} ORDER BY id DESC LIMIT $1", most)
    return [Past(*row) for row in rows]


async def of_host(tx: Tx, host: int, most: int) -> list[Past]:
    """The latest bans of a host, newest first."""
    rows = await tx.all(
        f"{_PAST} WHERE kind = 'host' AND subject = $1 ORDER BY id DESC LIMIT $2", str(host), most
    )
    return [Past(*row) for row in rows]
