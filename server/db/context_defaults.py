"""What contexts start from: documents of the experiment, of sites, of roles and of people."""

from __future__ import annotations

from dataclasses import dataclass

from server.db.base import Row, Tx

_COLUMNS = (
    "layer, subject, number, document, secrets, accounts.name, context_defaults.at"
    " FROM context_defaults JOIN accounts ON accounts.id = context_defaults.by_account"
)


@dataclass(frozen=True)
class Defaults:
    """The defaults of a layer and its subject as they stood; ``document`` is JSON.

    ``subject`` is the name of a site, a role or an account, empty for the experiment. ``secrets``
    is encrypted, and None if there are none.
    """

    layer: str
    subject: str
    number: int
    document: str
    secrets: bytes | None
    by: str
    at: float


def _defaults(row: Row) -> Defaults:
    layer, subject, number, document, secrets, by, at = row
    return Defaults(
        layer, subject, number, document, None if secrets is None else bytes(secrets), by, at
    )


async def latest(tx: Tx, layer: str, subject: str) -> Defaults | None:
    """The defaults of today."""
    row = await tx.one(
        f"SELECT {_COLUMNS} WHERE layer = $1 AND subject = $2 ORDER BY number DESC LIMIT 1",
        layer,
        subject,
    )
    return None if row is None else _defaults(row)


async def everyone(tx: Tx) -> list[Defaults]:
    """The defaults of today, of every layer but those of people."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} WHERE layer <> 'user' AND number = (SELECT max(other.number)"  # noqa: S608
        " FROM context_defaults AS other WHERE other.layer = context_defaults.layer"
        " AND other.subject = context_defaults.subject) ORDER BY layer, subject"
    )
    return [_defaults(row) for row in rows]


async def save(tx: Tx, made: Defaults, by: int) -> bool:
    """Keep new defaults beside the older; False if another was quicker with this number."""
    known = await latest(tx, made.layer, made.subject)
    if (known.number if known else 0) != made.number - 1:
        return False
    await tx.run(
        "INSERT INTO context_defaults (layer, subject, number, document, secrets, by_account, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        made.layer,
        made.subject,
        made.number,
        made.document,
        made.secrets,
        by,
        made.at,
    )
    return True
