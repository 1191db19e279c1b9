"""What is over is forgotten: contexts removed long ago, and boards of clusters after their day."""

from __future__ import annotations

from server.db import clusters
from server.services.deps import Deps
from server.services.shelf import keep


async def tidy(deps: Deps) -> None:
    """One round."""
    await keep.purge(deps)
    now = deps.clock()
    await deps.store.write(lambda tx: clusters.purge(tx, now))
