"""Sites, the switches that reach many hosts with one row, and when each host had obeyed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from server.db.base import Row, Tx
from server.domain.farm import Mode, Scope, Target

_SITE = "id, name, mode, since, reason, created_at, kind"
_SWITCH = "seq, scope, subject, members, name, args, issued_by, issued_at, reason"
_MODES = {"resume": Mode.ONLINE, "stop": Mode.STOP, "suspend": Mode.SUSPEND, "drain": Mode.DRAIN}


@dataclass(frozen=True)
class Site:
    """Where hosts stand together, what its last switch said, and what kind of machines they are."""

    id: int
    name: str
    mode: Mode
    since: float
    reason: str
    created_at: float
    kind: str = ""


@dataclass(frozen=True)
class Switch:
    """One order to all of a scope; ``args`` is what the wire says with it."""

    seq: int
    target: Target
    mode: Mode
    name: str
    args: dict[str, str]
    by: str
    at: float
    reason: str

    @property
    def grace_s(self) -> float:
        """How long the hosts were given."""
        return float(self.args.get("grace_s", "0"))


@dataclass(frozen=True)
class Release:
    """A host had obeyed: at ``released_at`` on its word, ``heard_at`` by the server's clock."""

    host: int
    released_at: float
    heard_at: float
    leases: int


@dataclass(frozen=True)
class Placed:
    """Where a host stands, and the last command that it has acknowledged."""

    host: int
    site: int
    acked: int


def _site(row: Row) -> Site:
    number, name, mode, *rest = row
    return Site(number, name, Mode(mode), *rest)


def _switch(row: Row) -> Switch:
    seq, scope, subject, members, name, args, by, at, reason = row
    target = Target(Scope(scope), subject or 0, frozenset(json.loads(members or "[]")))
    return Switch(seq, target, _MODES[name], name, json.loads(args), by, at, reason)


async def named(tx: Tx, name: str) -> Site | None:
    """The site of this name."""
    row = await tx.one(f"SELECT {_SITE} FROM sites WHERE name = $1", name)  # noqa: S608
    return None if row is None else _site(row)


async def everyone(tx: Tx) -> list[Site]:
    """Every site, by name."""
    rows = await tx.all(f"SELECT {_SITE} FROM sites ORDER BY name")  # noqa: S608
    return [_site(row) for row in rows]


async def ensure(tx: Tx, name: str, at: float) -> Site:
    """The site of this name, made if it is new."""
    await tx.run(
        "INSERT INTO sites (name, mode, since, created_at) VALUES ($1, 'online', $2, $2)"
        " ON CONFLICT (name) DO NOTHING",
        name,
        at,
    )
    found = await named(tx, name)
    assert found is not None  # noqa: S101  it was made above if it was not there
    return found


async def bind_token(tx: Tx, token: int, site: int) -> None:
    """Hosts that join with this token belong to a site."""
    await tx.run("UPDATE tokens SET site = $1 WHERE id = $2", site, token)


async def place(tx: Tx, host: int, token: int) -> int:
    """A host that joined with a token belongs to the token's site; its id, 0 if there is none."""
    row = await tx.one("SELECT coalesce(site, 0) FROM tokens WHERE id = $1", token)
    if row is None or not row[0]:
        return 0
    await tx.run("UPDATE hosts SET site = $1 WHERE id = $2", row[0], host)
    return int(row[0])


async def placed(tx: Tx) -> list[Placed]:
    """Where every believed host stands."""
    rows = await tx.all("SELECT id, coalesce(site, 0), acked FROM hosts WHERE state = 'active'")
    return [Placed(*row) for row in rows]


def acknowledged(tx: Tx, host: int, seq: int) -> None:
    """Note the last command that a host has acknowledged."""
    tx.later("UPDATE hosts SET acked = $1 WHERE id = $2", (seq, host))


async def highest(tx: Tx) -> int:
    """The highest number of a command so far."""
    row = await tx.one("SELECT coalesce(max(seq), 0) FROM commands")
    return 0 if row is None else int(row[0])


async def add(tx: Tx, switch: Switch, expires_at: float) -> None:
    """Keep a switch: one row, however many hosts it reaches."""
    target = switch.target
    members = json.dumps(sorted(target.members)) if target.members else ""
    await tx.run(
        f"INSERT INTO commands ({_SWITCH}, host, expires_at)"  # noqa: S608
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)",
        switch.seq,
        str(target.scope),
        target.subject,
        members,
        switch.name,
        json.dumps(switch.args),
        switch.by,
        switch.at,
        switch.reason,
        expires_at,
    )


async def set_mode(tx: Tx, site: int | None, mode: Mode, at: float, reason: str) -> None:
    """The mode of a site, or of every one."""
    await tx.run(
        "UPDATE sites SET mode = $1, since = $2, reason = $3 WHERE id = coalesce($4, id)",
        str(mode),
        at,
        reason,
        site,
    )


async def set_kind(tx: Tx, site: int, kind: str) -> None:
    """What kind of machines a site has."""
    await tx.run("UPDATE sites SET kind = $1 WHERE id = $2", kind, site)


async def switches(tx: Tx, most: int) -> list[Switch]:
    """The latest switches, oldest first."""
    rows = await tx.all(
        f"SELECT {_SWITCH} FROM commands WHERE scope <> 'host'"  # noqa: S608
        " ORDER BY seq DESC LIMIT $1",
        most,
    )
    return [_switch(row) for row in reversed(rows)]


async def last(tx: Tx, site: int) -> Switch | None:
    """The last switch that told hosts of a site to leave."""
    row = await tx.one(
        f"SELECT {_SWITCH} FROM commands WHERE scope <> 'host' AND name <> 'resume'"  # noqa: S608
        " AND (scope = 'all' OR (scope IN ('site', 'hosts') AND subject = $1))"
        " ORDER BY seq DESC LIMIT 1",
        site,
    )
    return None if row is None else _switch(row)


def released(tx: Tx, seq: int, release: Release) -> None:
    """A host had obeyed a switch; the first word of it counts."""
    tx.later(
        "INSERT INTO releases (seq, host, released_at, heard_at, leases)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (seq, host) DO NOTHING",
        (seq, release.host, release.released_at, release.heard_at, release.leases),
    )


async def releases(tx: Tx, seq: int) -> list[Release]:
    """Who had obeyed a switch, and when."""
    rows = await tx.all(
        "SELECT host, released_at, heard_at, leases FROM releases WHERE seq = $1", seq
    )
    return [Release(*row) for row in rows]
