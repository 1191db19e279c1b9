"""What owners allow their machines, the contexts given to them, and who is no longer managed."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx


@dataclass(frozen=True)
class Machine:
    """What is kept of a host for its owner; 0 and "" are no limit."""

    host: int
    uuid: str = ""
    cores: int = 0
    memory_mb: int = 0
    hours: str = ""
    network: bool = True
    unmanaged_at: float | None = None


@dataclass(frozen=True)
class Given:
    """The context that a host shall have, and what it said became of which revision."""

    host: int
    context: str
    revision: int
    reported: int = 0
    outcome: str = ""
    how: str = ""
    detail: str = ""


_MACHINE = "host, uuid, cores, memory_mb, hours, network, unmanaged_at"
_GIVEN = "host, context, revision, reported, outcome, how, detail"


def _machine(row: Row) -> Machine:
    host, uuid, cores, memory_mb, hours, network, at = row
    return Machine(host, uuid, cores, memory_mb, hours, bool(network), at)


async def one(tx: Tx, host: int) -> Machine:
    """What is kept of a host."""
    row = await tx.one(f"SELECT {_MACHINE} FROM machines WHERE host = $1", host)  # noqa: S608
    return Machine(host) if row is None else _machine(row)


async def everything(tx: Tx, account: int) -> dict[int, Machine]:
    """What is kept of the hosts of an account; 0: of all."""
    rows = await tx.all(
        f"SELECT {_MACHINE} FROM machines WHERE $1 = 0 OR host IN"  # noqa: S608
        " (SELECT id FROM hosts WHERE account = $1)",
        account,
    )
    return {row[0]: _machine(row) for row in rows}


async def save(tx: Tx, kept: Machine) -> None:
    """Keep this of a host."""
    await tx.run(
        f"INSERT INTO machines ({_MACHINE}) VALUES ($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608
        " ON CONFLICT (host) DO UPDATE SET uuid = $2, cores = $3, memory_mb = $4, hours = $5,"
        " network = $6, unmanaged_at = $7",
        kept.host, kept.uuid, kept.cores, kept.memory_mb, kept.hours, int(kept.network),
        kept.unmanaged_at,
    )  # fmt: skip


async def unmanage(tx: Tx, host: int, by: str, at: float) -> None:
    """A host is its owner's no more."""
    await tx.run(
        "INSERT INTO machines (host, unmanaged_at, unmanaged_by) VALUES ($1, $2, $3)"
        " ON CONFLICT (host) DO UPDATE SET unmanaged_at = $2, unmanaged_by = $3",
        host,
        at,
        by,
    )


async def unmanaged(tx: Tx) -> list[bytes]:
    """The digests of the tokens of hosts that are managed no more, oldest first."""
    rows = await tx.all(
        "SELECT hosts.hash FROM machines JOIN hosts ON hosts.id = machines.host"
        " WHERE machines.unmanaged_at IS NOT NULL ORDER BY machines.unmanaged_at"
    )
    return [row[0] for row in rows]


async def twins(tx: Tx) -> dict[str, list[int]]:
    """The believed hosts that claim one UUID while they belong to several accounts."""
    rows = await tx.all(
        "SELECT m.uuid, h.id, h.account FROM machines m JOIN hosts h ON h.id = m.host"
        " WHERE m.uuid <> '' AND h.state = 'active' AND m.uuid IN (SELECT m2.uuid FROM machines m2"
        " JOIN hosts h2 ON h2.id = m2.host WHERE m2.uuid <> '' AND h2.state = 'active'"
        " GROUP BY m2.uuid HAVING count(DISTINCT h2.account) > 1) ORDER BY h.id"
    )
    found: dict[str, list[int]] = {}
    for uuid, host, _ in rows:
        found.setdefault(uuid, []).append(host)
    return found


async def rename(tx: Tx, host: int, name: str) -> None:
    """A host is called this from now on."""
    await tx.run("UPDATE hosts SET name = $1 WHERE id = $2", name, host)


async def give(tx: Tx, host: int, context: str, revision: int, at: float) -> None:
    """A host shall have this revision of this context."""
    await tx.run(
        "INSERT INTO host_contexts (host, context, revision, given_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (host) DO UPDATE SET context = $2, revision = $3, given_at = $4",
        host,
        context,
        revision,
        at,
    )


async def given(tx: Tx, host: int) -> Given | None:
    """The context that a host shall have."""
    row = await tx.one(f"SELECT {_GIVEN} FROM host_contexts WHERE host = $1", host)  # noqa: S608
    return None if row is None else Given(*row)


async def all_given(tx: Tx, account: int) -> dict[int, Given]:
    """The contexts of the hosts of an account that shall have one; 0: of all."""
    rows = await tx.all(
        f"SELECT {_GIVEN} FROM host_contexts WHERE $1 = 0 OR host IN"  # noqa: S608
        " (SELECT id FROM hosts WHERE account = $1)",
        account,
    )
    return {row[0]: Given(*row) for row in rows}


async def report(
    tx: Tx, host: int, context: str, revision: int, outcome: str, how: str, detail: str, at: float
) -> bool:
    """Keep what became of a revision on a host; False if it was given another context."""
    changed = await tx.run(
        "UPDATE host_contexts SET reported = $1, outcome = $2, how = $3, detail = $4,"
        " reported_at = $5 WHERE host = $6 AND context = $7",
        revision,
        outcome,
        how,
        detail,
        at,
        host,
        context,
    )
    return changed == 1


async def timeline(tx: Tx, host: int, most: int) -> list[tuple[float, str, str]]:
    """What happened to a host, newest first: when, a word for what, and the words of it.

    Of leases the latest are looked through, as many as lines are wanted.
    """
    rows = await tx.all(
        "SELECT at, what, said FROM ("
        " SELECT enrolled_at AS at, 'joined' AS what, name AS said FROM hosts WHERE id = $1"
        " UNION ALL SELECT issued_at, 'command', name || ' by ' || issued_by FROM commands"
        " WHERE host = $1 AND scope = 'host'"
        " UNION ALL SELECT at, 'host', source || ' to ' || target || ': ' || cause FROM moves"
        " WHERE machine IN ('host', 'trust') AND subject = $1"
        " UNION ALL SELECT at, 'credit',"
        " CASE WHEN micros < 0 THEN 'taken back' ELSE 'given back' END"
        " || ' for ' || events || ' events: ' || cause FROM corrections WHERE host = $1"
        " UNION ALL SELECT leased_at, 'lease', 'events ' || first || ' to ' || last FROM"
        " (SELECT leased_at, first, last FROM tasks WHERE host = $1 ORDER BY id DESC LIMIT $2)"
        " AS leased"
        " UNION ALL SELECT ended_at, 'end', state || coalesce(' (' || cause || ')', '') FROM"
        " (SELECT ended_at, state, cause FROM tasks WHERE host = $1 ORDER BY id DESC LIMIT $2)"
        " AS ended WHERE ended_at IS NOT NULL"
        " UNION ALL SELECT reported_at, 'context', outcome || ' ' || detail FROM host_contexts"
        " WHERE host = $1 AND reported_at IS NOT NULL"
        ") happened ORDER BY at DESC LIMIT $2",
        host,
        most,
    )
    return [(row[0], row[1], row[2]) for row in rows]
