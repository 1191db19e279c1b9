"""Links that are good once: invitations, new passwords, checks of an address; digests alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.db.base import Tx


@dataclass(frozen=True)
class Link:
    """A link; ``account`` is None of an invitation. Times in s since 1970."""

    id: int
    kind: str
    account: int | None
    email: str
    role: str
    note: str
    made_by: str
    made_at: float
    expires_at: float
    used_at: float | None
    revoked_at: float | None
    full_name: str = ""
    site: int | None = None


_SELECT = (
    "SELECT id, kind, account, email, role, note, made_by, made_at, expires_at, used_at,"
    " revoked_at, full_name, site FROM links"
)


async def add(
    tx: Tx,
    kind: str,
    digest: bytes,
    account: int | None,
    email: str,
    role: str,
    note: str,
    made_by: str,
    at: float,
    expires_at: float,
) -> int:
    """Store a link by its digest; its id."""
    row = await tx.one(
        "INSERT INTO links"
        " (kind, hash, account, email, role, note, made_by, made_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        kind,
        digest,
        account,
        email,
        role,
        note,
        made_by,
        at,
        expires_at,
    )
    assert row is not None  # noqa: S101  an insert that returns always returns
    return int(row[0])


async def bring(tx: Tx, link: int, full_name: str, groups: Sequence[int], site: int | None) -> None:
    """What becomes of who follows an invitation: how he is called, his groups, the site he runs."""
    await tx.run("UPDATE links SET full_name = $1, site = $2 WHERE id = $3", full_name, site, link)
    await tx.many(
        "INSERT INTO link_groups (link, group_id) VALUES ($1, $2)",
        [(link, group) for group in groups],
    )


async def groups_of(tx: Tx, link: int) -> list[int]:
    """The groups that an invitation brings, but those that are no more."""
    rows = await tx.all("SELECT group_id FROM link_groups WHERE link = $1", link)
    return [row[0] for row in rows]


async def of_digest(tx: Tx, digest: bytes) -> Link | None:
    """The link with this digest, whatever became of it."""
    row = await tx.one(f"{_SELECT} WHERE hash = $1", digest)
    return None if row is None else Link(*row)


async def use(tx: Tx, link: int, at: float) -> bool:
    """Use a link; False if it was used or revoked before."""
    changed = await tx.run(
        "UPDATE links SET used_at = $1 WHERE id = $2 AND used_at IS NULL AND revoked_at IS NULL",
        at,
        link,
    )
    return changed == 1


async def revoke(tx: Tx, link: int, at: float) -> bool:
    """Revoke a link; False if it opened nothing any more."""
    changed = await tx.run(
        "UPDATE links SET revoked_at = $1 WHERE id = $2 AND used_at IS NULL AND revoked_at IS NULL",
        at,
        link,
    )
    return changed == 1


async def revoke_of(tx: Tx, account: int, kind: str, at: float) -> int:
    """Revoke all links of this kind of an account; how many."""
    return await tx.run(
        "UPDATE links SET revoked_at = $1"
        " WHERE account = $2 AND kind = $3 AND used_at IS NULL AND revoked_at IS NULL",
        at,
        account,
        kind,
    )


async def invitations(tx: Tx, now: float) -> list[Link]:
    """The invitations that are still good, newest first."""
    rows = await tx.all(
        f"{_SELECT} WHERE kind = 'invitation' AND used_at IS NULL AND revoked_at IS NULL"
        " AND expires_at > $1 ORDER BY id DESC",
        now,
    )
    return [Link(*row) for row in rows]


async def sweep(tx: Tx, before: float) -> int:
    """Delete what ended long ago, with the addresses in it; how many."""
    await tx.run(
        "DELETE FROM link_groups WHERE link IN (SELECT id FROM links WHERE expires_at < $1)", before
    )
    return await tx.run("DELETE FROM links WHERE expires_at < $1", before)
