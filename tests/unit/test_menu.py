"""The navigation: its ranks are the roles, its addresses exist, and nobody is shown too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from server import app as application
from server.domain.roles import ROLES
from tests.kit.served import SomeCaller
from web.menu import ENTRIES, RANKS, menu

FACTS = application.Facts("1.2.3", "kid", tuple, dict, Path(), 65_536, 2**20, 2**20, 9)
NOBODY = cast(Any, None)  # no handler runs here, so none needs its parts


def test_the_ranks_of_the_menu_are_the_roles_of_the_house() -> None:
    assert ("", *ROLES) == RANKS


def test_every_entry_leads_to_a_page_that_is_served() -> None:
    pages = {
        route.path
        for route in application.routes_of(NOBODY, FACTS, NOBODY)
        if route.method == "GET" and route.media == "text/html"
    }
    assert {entry.href for entry in ENTRIES} <= pages


def test_nobody_is_shown_an_entry_above_their_rank() -> None:
    for number, role in enumerate(RANKS):
        shown = menu(SomeCaller(1, "anna", role))
        assert [RANKS.index(entry.least) <= number for entry in shown] == [True] * len(shown)
    assert menu(None) == [entry for entry in ENTRIES if not entry.least]
    assert menu(SomeCaller(1, "anna", "admin")) == list(ENTRIES)
