"""Every route of contexts."""

from __future__ import annotations

from server.handlers.cluster_api import ClusterApi
from server.handlers.context_api import ContextApi
from server.handlers.context_files_api import ContextFilesApi
from server.handlers.routes import Route
from server.services.clusters import Boards
from server.services.deps import Deps


def routes(deps: Deps, json_most: int) -> list[Route]:
    """All of them; fixed words of paths stand before those with parameters."""
    return [
        *ContextApi(deps, json_most).routes(),
        *ContextFilesApi(deps, json_most).routes(),
        *ClusterApi(deps, Boards(deps)).routes(),
    ]
