"""Every route of contexts, by API and by browser."""

from __future__ import annotations

from server.handlers.cluster_api import ClusterApi
from server.handlers.context_api import ContextApi
from server.handlers.context_editor import ContextEditor
from server.handlers.context_files_api import ContextFilesApi
from server.handlers.context_files_pages import ContextFilesPages
from server.handlers.context_pages import ContextPages
from server.handlers.routes import Route
from server.services.clusters import Boards
from server.services.deps import Deps
from server.services.look import Look


def routes(deps: Deps, look: Look, json_most: int) -> list[Route]:
    """All of them; fixed words of paths stand before those with parameters."""
    boards, editor = Boards(deps), ContextEditor(deps)
    return [
        *ContextApi(deps, json_most).routes(),
        *ContextFilesApi(deps, json_most).routes(),
        *ClusterApi(deps, boards).routes(),
        *editor.routes(),
        *ContextPages(deps, look).routes(),
        *ContextFilesPages(deps, boards, editor).routes(),
    ]
