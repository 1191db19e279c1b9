"""Every page that is served is looked at: it has an example in the walk of the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from server import app as application
from server.handlers import openapi
from server.handlers.routes import HTML
from tests.kit.example_pages import EXAMPLES

FACTS = application.Facts("1.2.3", "kid", tuple, dict, Path(), 65_536, 2**20, 2**20, 9)
NOBODY = cast(Any, None)  # no handler runs here, so none needs its parts


def test_every_page_has_an_example_in_tests_kit_example_pages() -> None:
    routes = application.routes_of(NOBODY, FACTS, NOBODY)
    pages = {openapi.template(r.path) for r in routes if r.method == "GET" and r.media == HTML}
    assert pages == set(EXAMPLES)
