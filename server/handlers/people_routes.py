"""Every route of people: how they get in, their accounts, and who looks after those."""

from __future__ import annotations

from server.handlers.accounts_api import AccountsApi
from server.handlers.admin_pages import AdminPages
from server.handlers.door_pages import DoorPages
from server.handlers.group_api import GroupApi
from server.handlers.group_pages import GroupPages
from server.handlers.join_pages import JoinPages
from server.handlers.me_api import MeApi
from server.handlers.profile_pages import ProfilePages
from server.handlers.routes import Route
from server.handlers.tokens_api import TokensApi
from server.services.deps import Deps


def routes(deps: Deps) -> list[Route]:
    """All of them."""
    return [
        *DoorPages(deps).routes(),
        *JoinPages(deps).routes(),
        *ProfilePages(deps).routes(),
        *AdminPages(deps).routes(),
        *AccountsApi(deps).routes(),
        *MeApi(deps).routes(),
        *TokensApi(deps).routes(),
        *GroupApi(deps).routes(),
        *GroupPages(deps).routes(),
    ]
