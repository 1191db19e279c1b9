"""Who did what, in the order in which it was done; rows are added and never changed."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Tx

_ADD = (
    "INSERT INTO audit (at, who, what, subject, details, address) VALUES ($1, $2, $3, $4, $5, $6)"
)


@dataclass(frozen=True)
class Entry:
    """One deed: ``at`` in s since 1970, ``who`` by name, what, to whom or what."""

    id: int
    at: float
    who: str
    what: str
    subject: str
    details: str
    address: str


@dataclass(frozen=True)
class Wanted:
    """Which entries are looked for; what is empty or 0 limits nothing. ``before`` is an id."""

    who: str = ""
    what: str = ""
    subject: str = ""
    before: int = 0
    most: int = 50


def add(
    tx: Tx, at: float, who: str, what: str, subject: str, details: str, address: str = ""
) -> None:
    """Keep a deed together with what it changed."""
    tx.later(_ADD, (at, who, what, subject, details, address))


async def entries(tx: Tx, wanted: Wanted) -> list[Entry]:
    """The entries looked for, newest first; ``what`` is a word or, ending in a dot, its family."""
    where, args = ["1 = 1"], list[object]()
    for column, value in (("who", wanted.who), ("subject", wanted.subject)):
        if value:
            args.append(value)
            where.append(f"{column} = ${len(args)}")
    if wanted.what.endswith("."):
        args.append(wanted.what)
        where.append(f"substr(what, 1, {len(wanted.what)}) = ${len(args)}")
    elif wanted.what:
        args.append(wanted.what)
        where.append(f"what = ${len(args)}")
    if wanted.before:
        args.append(wanted.before)
        where.append(f"id < ${len(args)}")
    args.append(wanted.most)
    rows = await tx.all(
        "SELECT id, at, who, what, subject, details, address FROM audit"  # noqa: S608
        f" WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ${len(args)}",
        *args,
    )
    return [Entry(*row) for row in rows]


async def forget_addresses(tx: Tx, before: float) -> int:
    """Take the network addresses out of what is older."""
    return await tx.run("UPDATE audit SET address = '' WHERE at < $1 AND address <> ''", before)
