"""A table with millions of ready tasks, as a server leaves it that unrolled a whole production."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

UNITS = """
WITH RECURSIVE more (number) AS (
    SELECT :low UNION ALL SELECT number + 1 FROM more WHERE number + 1 < :high)
INSERT INTO units (production, number, state) SELECT :production, number, 'open' FROM more
"""
TASKS = """
WITH RECURSIVE more (number) AS (
    SELECT 0 UNION ALL SELECT number + 1 FROM more
    WHERE number + 1 < (:high - :low) * :quorum)
INSERT INTO tasks (id, production, unit, first, last, state)
SELECT :after + number + 1, :production, :low + number / :quorum,
    (:low + number / :quorum) * :unit, (:low + number / :quorum + 1) * :unit, 'ready' FROM more
"""


def unroll(database: Path, production: int, units: int, quorum: int) -> int:
    """Put units of a stopped server's production into its table, with their tasks; how many tasks.

    What the server would do by itself, 500 units at a time, when they are needed.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = -262144")
        low, unit = connection.execute(
            "SELECT next_unit, unit FROM productions WHERE id = ?", (production,)
        ).fetchone()
        after = connection.execute("SELECT coalesce(max(id), 0) FROM tasks").fetchone()[0]
        values = {
            "production": production, "low": low, "high": low + units, "after": after,
            "quorum": quorum, "unit": unit,
        }  # fmt: skip
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(UNITS, values)
        connection.execute(TASKS, values)
        connection.execute(
            "UPDATE productions SET next_unit = ? WHERE id = ?", (low + units, production)
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return units * quorum
