"""Groups of people: their members, the one who owns each, and who is asked to join."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.db import contexts
from server.db.base import Row, Tx

_GROUP = (
    "SELECT g.id, g.name, g.title, g.created_at, coalesce(a.name, ''), coalesce(a.id, 0),"
    " (SELECT count(*) FROM group_members m WHERE m.group_id = g.id)"
    " FROM account_groups g"
    " LEFT JOIN group_members o ON o.group_id = g.id AND o.is_admin = 1"
    " LEFT JOIN accounts a ON a.id = o.account"
)


@dataclass(frozen=True)
class Group:
    """A group; ``owner`` is the name of the one member who looks after it, ``owner_id`` his id."""

    id: int
    name: str
    title: str
    created_at: float
    owner: str
    owner_id: int
    members: int


@dataclass(frozen=True)
class Member:
    """Somebody in a group."""

    account: int
    name: str
    full_name: str
    owns: bool
    added_at: float


@dataclass(frozen=True)
class Asked:
    """Somebody who is asked to join, and by whom."""

    account: int
    name: str
    made_by: str
    made_at: float


def _group(row: Row) -> Group:
    return Group(*row)


async def create(tx: Tx, name: str, title: str, owner: int, at: float) -> int | None:
    """A new group with its owner; None if the name is taken, be it in other letters (NA61, na61)"""
    row = await tx.one(
        "INSERT INTO account_groups (name, title, created_at) SELECT $1, $2, $3"
        " WHERE NOT EXISTS (SELECT 1 FROM account_groups WHERE lower(name) = lower($1))"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name,
        title,
        at,
    )
    if row is None:
        return None
    await tx.run(
        "INSERT INTO group_members (group_id, account, is_admin, added_at) VALUES ($1, $2, 1, $3)",
        row[0],
        owner,
        at,
    )
    return int(row[0])


async def named(tx: Tx, name: str) -> Group | None:
    """The group of this name."""
    row = await tx.one(f"{_GROUP} WHERE g.name = $1", name)
    return None if row is None else _group(row)


async def numbered(tx: Tx, numbers: Sequence[int]) -> list[Group]:
    """The groups with these ids, by name."""
    wanted = set(numbers)
    return [each for each in await everyone(tx) if each.id in wanted] if wanted else []


async def everyone(tx: Tx) -> list[Group]:
    """Every group, by name."""
    return [_group(row) for row in await tx.all(f"{_GROUP} ORDER BY g.name")]


async def of_account(tx: Tx, account: int) -> list[Group]:
    """The groups that an account is in, by name."""
    rows = await tx.all(
        f"{_GROUP} JOIN group_members mine ON mine.group_id = g.id AND mine.account = $1"
        " ORDER BY g.name",
        account,
    )
    return [_group(row) for row in rows]


async def asking(tx: Tx, account: int) -> list[Group]:
    """The groups that an account is asked to join, by name."""
    rows = await tx.all(
        f"{_GROUP} JOIN group_invitations i ON i.group_id = g.id AND i.account = $1"
        " ORDER BY g.name",
        account,
    )
    return [_group(row) for row in rows]


async def is_member(tx: Tx, group: int, account: int) -> bool:
    """Whether an account is in a group."""
    row = await tx.one(
        "SELECT 1 FROM group_members WHERE group_id = $1 AND account = $2", group, account
    )
    return row is not None


async def is_asked(tx: Tx, group: int, account: int) -> bool:
    """Whether an account is asked to join a group."""
    row = await tx.one(
        "SELECT 1 FROM group_invitations WHERE group_id = $1 AND account = $2", group, account
    )
    return row is not None


async def members(tx: Tx, group: int) -> list[Member]:
    """Who is in a group, by name."""
    rows = await tx.all(
        "SELECT a.id, a.name, a.full_name, m.is_admin, m.added_at FROM group_members m"
        " JOIN accounts a ON a.id = m.account WHERE m.group_id = $1 ORDER BY a.name",
        group,
    )
    return [Member(id, name, full, bool(owns), at) for id, name, full, owns, at in rows]


async def asked(tx: Tx, group: int) -> list[Asked]:
    """Who is asked to join a group, by name."""
    rows = await tx.all(
        "SELECT a.id, a.name, i.made_by, i.made_at FROM group_invitations i"
        " JOIN accounts a ON a.id = i.account WHERE i.group_id = $1 ORDER BY a.name",
        group,
    )
    return [Asked(*row) for row in rows]


async def add(tx: Tx, group: int, account: int, at: float) -> bool:
    """A new member, who is asked no longer; False if he was one."""
    await unask(tx, group, account)
    changed = await tx.run(
        "INSERT INTO group_members (group_id, account, added_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (group_id, account) DO NOTHING",
        group,
        account,
        at,
    )
    return changed == 1


async def drop(tx: Tx, group: Group, account: int) -> bool:
    """A member no longer, with what he shared with it; False if he was none. Its owner stays."""
    changed = await tx.run(
        "DELETE FROM group_members WHERE group_id = $1 AND account = $2 AND is_admin = 0",
        group.id,
        account,
    )
    if changed:
        await contexts.unshare(tx, "group", group.name, account)
    return changed == 1


async def hand_over(tx: Tx, group: int, account: int) -> None:
    """Make a member the owner, alone."""
    await tx.run(
        "UPDATE group_members SET is_admin = CASE WHEN account = $2 THEN 1 ELSE 0 END"
        " WHERE group_id = $1",
        group,
        account,
    )


async def ask(tx: Tx, group: int, account: int, by: str, at: float) -> bool:
    """Ask somebody to join; False if he was asked before."""
    changed = await tx.run(
        "INSERT INTO group_invitations (group_id, account, made_by, made_at)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (group_id, account) DO NOTHING",
        group,
        account,
        by,
        at,
    )
    return changed == 1


async def unask(tx: Tx, group: int, account: int) -> bool:
    """Ask somebody no longer; False if he was not asked."""
    changed = await tx.run(
        "DELETE FROM group_invitations WHERE group_id = $1 AND account = $2", group, account
    )
    return changed == 1


async def change(tx: Tx, group: Group, name: str, title: str) -> bool:
    """Another name and title; contexts stay shared with it. False if another has the name."""
    other = await tx.one(
        "SELECT 1 FROM account_groups WHERE lower(name) = lower($1) AND id <> $2", name, group.id
    )
    if other is not None:
        return False
    await tx.run(
        "UPDATE account_groups SET name = $1, title = $2 WHERE id = $3", name, title, group.id
    )
    await tx.run(
        "UPDATE context_shares SET name = $1 WHERE kind = 'group' AND name = $2", name, group.name
    )
    return True


async def remove(tx: Tx, group: Group) -> None:
    """Forget a group: nothing is shared with its name any more, whoever takes that name next."""
    for table in ("group_members", "group_invitations", "link_groups"):
        await tx.run(f"DELETE FROM {table} WHERE group_id = $1", group.id)  # noqa: S608
    await contexts.unshare(tx, "group", group.name)
    await tx.run("DELETE FROM account_groups WHERE id = $1", group.id)
