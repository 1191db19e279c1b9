"""Contexts, their revisions that never change, with whom they are shared, and how often used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "contexts.id, contexts.owner, accounts.name, contexts.name, contexts.description,"
    " contexts.visibility, contexts.review, contexts.proposed, contexts.listed,"
    " contexts.review_note, contexts.tags, contexts.site, contexts.role, contexts.template,"
    " contexts.sealed, contexts.revision, contexts.created_at, contexts.changed_at,"
    " contexts.removed_at"
)
_FROM = "FROM contexts JOIN accounts ON accounts.id = contexts.owner"
_REVISION = (
    "context_revisions.context, context_revisions.number, context_revisions.document,"
    " context_revisions.secrets, context_revisions.sealed, context_revisions.name,"
    " context_revisions.description, context_revisions.note, accounts.name, context_revisions.at"
)
_REVISIONS = "FROM context_revisions JOIN accounts ON accounts.id = context_revisions.by_account"


@dataclass(frozen=True)
class Context:
    """A context without what stands in it; ``revision`` is the number of the latest.

    ``listed`` is the revision that everybody may use, ``proposed`` the one that waits to be read; 0
    if there is none. ``site`` and ``role`` say whose defaults lie below it.
    """

    id: str
    owner: int
    owner_name: str
    name: str
    description: str
    visibility: str
    review: str
    proposed: int
    listed: int
    review_note: str
    tags: tuple[str, ...]
    site: str
    role: str
    template: bool
    sealed: bool
    revision: int
    created_at: float
    changed_at: float
    removed_at: float | None = None


@dataclass(frozen=True)
class Revision:
    """What stood in a context; ``secrets`` is encrypted, and None if there are none.

    ``document`` is JSON: the document without its secret values, or (``sealed``) an envelope.
    """

    context: str
    number: int
    document: str
    secrets: bytes | None
    sealed: bool
    name: str
    description: str
    note: str
    by: str
    at: float


def _context(row: Row) -> Context:
    values = list(row)
    values[10] = tuple(values[10].split())
    values[13], values[14] = bool(values[13]), bool(values[14])
    return Context(*values)


def _revision(row: Row) -> Revision:
    context, number, document, secrets, sealed, *rest = row
    kept = None if secrets is None else bytes(secrets)
    return Revision(context, number, document, kept, bool(sealed), *rest)


async def named(tx: Tx, context: str) -> Context | None:
    """The context of this id, removed ones too."""
    row = await tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE contexts.id = $1", context)
    return None if row is None else _context(row)


async def add(tx: Tx, made: Context) -> None:
    """A new context; its first revision is added apart."""
    await tx.run(
        "INSERT INTO contexts (id, owner, name, description, visibility, review, tags, site, role,"
        " template, sealed, revision, created_at, changed_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
        made.id,
        made.owner,
        made.name,
        made.description,
        made.visibility,
        made.review,
        " ".join(made.tags),
        made.site,
        made.role,
        int(made.template),
        int(made.sealed),
        made.revision,
        made.created_at,
    )


async def add_revision(tx: Tx, made: Revision, by: int) -> None:
    """Keep a revision for ever."""
    await tx.run(
        "INSERT INTO context_revisions (context, number, document, secrets, sealed, name,"
        " description, note, by_account, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        made.context,
        made.number,
        made.document,
        made.secrets,
        int(made.sealed),
        made.name,
        made.description,
        made.note,
        by,
        made.at,
    )


async def step(tx: Tx, new: Context, started_from: int) -> bool:
    """Let a context have its next revision; False if it has moved on since ``started_from``."""
    changed = await tx.run(
        "UPDATE contexts SET name = $1, description = $2, tags = $3, site = $4, role = $5,"
        " template = $6, sealed = $7, revision = $8, changed_at = $9"
        " WHERE id = $10 AND revision = $11 AND removed_at IS NULL",
        new.name,
        new.description,
        " ".join(new.tags),
        new.site,
        new.role,
        int(new.template),
        int(new.sealed),
        new.revision,
        new.changed_at,
        new.id,
        started_from,
    )
    return changed == 1


async def revision(tx: Tx, context: str, number: int) -> Revision | None:
    """One revision."""
    row = await tx.one(
        f"SELECT {_REVISION} {_REVISIONS} WHERE context = $1 AND number = $2", context, number
    )
    return None if row is None else _revision(row)


async def revisions(tx: Tx, context: str, most: int) -> list[Revision]:
    """The latest revisions, newest first."""
    rows = await tx.all(
        f"SELECT {_REVISION} {_REVISIONS} WHERE context = $1 ORDER BY number DESC LIMIT $2",
        context,
        most,
    )
    return [_revision(row) for row in rows]


async def _those(tx: Tx, which: str, *args: object) -> list[Context]:
    """Contexts by a condition, and their order."""
    rows = await tx.all(f"SELECT {_COLUMNS} {_FROM} WHERE {which}", *args)
    return [_context(row) for row in rows]


async def of_owner(tx: Tx, account: int) -> list[Context]:
    """The contexts of an account, the last changed first."""
    which = "owner = $1 AND removed_at IS NULL ORDER BY changed_at DESC, contexts.id"
    return await _those(tx, which, account)


async def removed_of(tx: Tx, account: int) -> list[Context]:
    """What an account has removed and can still bring back, the last one first."""
    which = "owner = $1 AND removed_at IS NOT NULL ORDER BY removed_at DESC, contexts.id"
    return await _those(tx, which, account)


async def shared_with(
    tx: Tx, groups: Iterable[str], sites: Iterable[str], most: int
) -> list[Context]:
    """What is shared with any of these groups and sites, the last changed first."""
    found: dict[str, Context] = {}
    for kind, names in (("group", groups), ("site", sites)):
        for name in names:
            rows = await tx.all(
                f"SELECT {_COLUMNS} {_FROM} JOIN context_shares ON context_shares.context ="
                " contexts.id WHERE context_shares.kind = $1 AND context_shares.name = $2"
                " AND contexts.visibility = $1 AND removed_at IS NULL LIMIT $3",
                kind,
                name,
                most,
            )
            found.update((row[0], _context(row)) for row in rows)
    return sorted(found.values(), key=lambda one: (-one.changed_at, one.id))[:most]


async def public(tx: Tx, most: int) -> list[Context]:
    """What everybody may use, by name."""
    return await _those(
        tx,
        "visibility = 'public' AND listed > 0 AND removed_at IS NULL"
        " ORDER BY contexts.name, contexts.id LIMIT $1",
        most,
    )


async def waiting(tx: Tx, most: int) -> list[Context]:
    """What waits to be read, the oldest first."""
    return await _those(
        tx,
        "review = 'waiting' AND removed_at IS NULL ORDER BY changed_at, contexts.id LIMIT $1",
        most,
    )


async def count_of(tx: Tx, account: int) -> int:
    """How many contexts an account has, those included that it can still bring back."""
    row = await tx.one("SELECT count(*) FROM contexts WHERE owner = $1", account)
    return 0 if row is None else int(row[0])


async def share(tx: Tx, context: str, visibility: str, names: Iterable[str]) -> None:
    """Who may see a context: with group and site, those of these names; none of before."""
    await tx.run("UPDATE contexts SET visibility = $1 WHERE id = $2", visibility, context)
    await tx.run("DELETE FROM context_shares WHERE context = $1", context)
    if visibility in ("group", "site"):
        await tx.many(
            "INSERT INTO context_shares (context, kind, name) VALUES ($1, $2, $3)",
            [(context, visibility, name) for name in sorted(set(names))],
        )


async def unshare(tx: Tx, kind: str, name: str, owner: int | None = None) -> None:
    """Share nothing with a group or site any more, or nothing of this owner.

    What is shared with none then is private again.
    """
    whose = "" if owner is None else " AND context IN (SELECT id FROM contexts WHERE owner = $3)"
    args = (kind, name) if owner is None else (kind, name, owner)
    await tx.run(f"DELETE FROM context_shares WHERE kind = $1 AND name = $2{whose}", *args)  # noqa: S608
    await tx.run(
        "UPDATE contexts SET visibility = 'private' WHERE visibility = $1"
        " AND NOT EXISTS (SELECT 1 FROM context_shares WHERE context_shares.context = contexts.id)",
        kind,
    )


async def shares(tx: Tx, context: str) -> tuple[str, ...]:
    """The groups or sites that a context is shared with."""
    rows = await tx.all("SELECT name FROM context_shares WHERE context = $1 ORDER BY name", context)
    return tuple(row[0] for row in rows)


async def review(tx: Tx, context: str, state: str, proposed: int, listed: int, note: str) -> None:
    """How far a context is on its way to be listed."""
    await tx.run(
        "UPDATE contexts SET review = $1, proposed = $2, listed = $3, review_note = $4"
        " WHERE id = $5",
        state,
        proposed,
        listed,
        note,
        context,
    )


async def remove(tx: Tx, context: str, at: float | None) -> bool:
    """Take a context away, or (None) bring it back; False if it was so already."""
    was = "IS NOT NULL" if at is None else "IS NULL"
    sql = f"UPDATE contexts SET removed_at = $1 WHERE id = $2 AND removed_at {was}"  # noqa: S608
    return await tx.run(sql, at, context) == 1


async def purge(tx: Tx, before: float) -> list[str]:
    """Forget what was removed before this time, revisions and all; the ids."""
    rows = await tx.all("SELECT id FROM contexts WHERE removed_at < $1", before)
    for (context,) in rows:
        for table, column in (
            ("context_revisions", "context"),
            ("context_shares", "context"),
            ("context_uses", "context"),
            ("contexts", "id"),
        ):
            await tx.run(f"DELETE FROM {table} WHERE {column} = $1", context)  # noqa: S608
    return [row[0] for row in rows]


async def used(tx: Tx, context: str, account: int, at: float) -> None:
    """An account has taken a context for a machine, or looked at it to work with it."""
    await tx.run(
        "INSERT INTO context_uses (context, account, times, used_at) VALUES ($1, $2, 1, $3)"
        " ON CONFLICT (context, account) DO UPDATE SET times = context_uses.times + 1,"
        " used_at = excluded.used_at",
        context,
        account,
        at,
    )


async def machines(tx: Tx, context: str) -> int:
    """How many believed hosts shall have a context."""
    row = await tx.one(
        "SELECT count(*) FROM host_contexts JOIN hosts ON hosts.id = host_contexts.host"
        " WHERE host_contexts.context = $1 AND hosts.state = 'active'",
        context,
    )
    return 0 if row is None else int(row[0])


async def machines_of_all(tx: Tx) -> dict[str, int]:
    """How many believed hosts shall have each context."""
    rows = await tx.all(
        "SELECT host_contexts.context, count(*) FROM host_contexts JOIN hosts"
        " ON hosts.id = host_contexts.host WHERE hosts.state = 'active'"
        " GROUP BY host_contexts.context"
    )
    return {context: int(count) for context, count in rows}


async def last_used(tx: Tx, account: int) -> dict[str, float]:
    """When an account took each context last."""
    rows = await tx.all("SELECT context, used_at FROM context_uses WHERE account = $1", account)
    return {context: at for context, at in rows}


async def times_used(tx: Tx, context: str = "") -> dict[str, int]:
    """How often each context was taken, or this one, by anybody."""
    which, args = ("WHERE context = $1", [context]) if context else ("", [])
    sql = f"SELECT context, sum(times) FROM context_uses {which} GROUP BY context"  # noqa: S608
    rows = await tx.all(sql, *args)
    return {context: int(times) for context, times in rows}
