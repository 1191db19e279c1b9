"""The audit log: a note in the transaction of every change that a person makes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from server.db import audit
from server.db.audit import Entry, Wanted
from server.db.base import Tx
from server.services.deps import Deps

DETAILS_MOST = 1000  # characters
PAGE_MOST = 500


def note(
    tx: Tx,
    who: str,
    what: str,
    subject: str = "",
    details: str | Mapping[str, object] = "",
    *,
    at: float | None = None,
    address: str = "",
) -> None:
    """Note in this transaction that ``who`` (a name) did ``what`` to ``subject``.

    ``what`` is a word and a verb with a dot between: ``account.disable``, ``context.share``.
    ``details`` is a sentence or a few facts; never a secret. ``at`` is now if it is not given.
    """
    text = details if isinstance(details, str) else json.dumps(details, sort_keys=True)
    moment = time.time() if at is None else at
    audit.add(tx, moment, who[:64], what[:64], subject[:200], text[:DETAILS_MOST], address)


async def entries(
    deps: Deps, who: str = "", what: str = "", subject: str = "", before: int = 0, most: int = 50
) -> list[Entry]:
    """What was done, newest first: see `server.db.audit.Wanted`."""
    wanted = Wanted(who, what, subject, before, most)
    return await deps.store.read(lambda tx: audit.entries(tx, wanted))
