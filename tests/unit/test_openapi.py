"""The OpenAPI document: valid, complete, and about what is really served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.handlers import openapi, pages, params
from server.handlers.access import Host, Public, Role
from server.handlers.routes import BYTES, Body, Query, Route
from server.handlers.schema import encode
from vmagent.wire.messages import AskReply, AskRequest, CommandsReply, FrameReply


async def nothing(*_: object) -> None:
    """A handler that does nothing."""


FRAME = f"/p/{{production:{params.ID}}}/frames/{{first:{params.ID}}}-{{last:{params.ID}}}"
ROUTES = [
    Route("POST", "/work", nothing, Host(), "Ask for work", Body.JSON, AskRequest, AskReply),
    Route("PUT", FRAME, nothing, Host(), "A frame", Body.WHOLE, reply=FrameReply,
          headers=("Content-Digest",), codes=("disk-full", "production-over"), most=99),
    Route("GET", "/commands", nothing, Host(), "Long poll", reply=CommandsReply,
          query=(Query("since", "integer", "The last one seen", 0),)),
    Route("POST", "/stop", nothing, Role("admin"), "Stop"),
    Route("GET", "/file/{name}", nothing, Public(), "Bytes", media=BYTES),
]  # fmt: skip


def document() -> Any:
    """The document of these routes and of the pages, as JSON has it."""
    routes = openapi.documented([*ROUTES, *pages.routes()], "1.2.3")
    return json.loads(encode(openapi.build(routes, "1.2.3")))


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it_with_its_words_and_access() -> None:
    paths = document()["paths"]
    for route in [*ROUTES, *pages.routes()]:
        found = paths[openapi.template(route.path)][route.method.lower()]
        assert found["summary"] == route.summary
        assert bool(found["security"]) == (not isinstance(route.access, Public))
    assert paths["/work"]["post"]["security"] == [{"host": []}]
    assert paths["/stop"]["post"]["security"] == [{"account": []}]
    assert "admin" in paths["/stop"]["post"]["description"]
    assert "/openapi.json" in paths


def test_limits_of_fields_are_said() -> None:
    slots = document()["components"]["schemas"]["AskRequest"]["properties"]["slots"]
    assert slots == {"type": "integer", "minimum": 1, "maximum": 4096}


def test_numbers_of_the_path_and_of_the_query_are_described() -> None:
    paths = document()["paths"]
    frame = paths["/p/{production}/frames/{first}-{last}"]["put"]
    assert [(p["name"], p["in"], p["schema"]["type"]) for p in frame["parameters"]] == [
        ("production", "path", "integer"),
        ("first", "path", "integer"),
        ("last", "path", "integer"),
        ("Content-Digest", "header", "string"),
    ]
    assert frame["requestBody"]["content"][BYTES]["schema"]["maxLength"] == 99
    (since,) = paths["/commands"]["get"]["parameters"]
    assert (since["name"], since["schema"]) == ("since", {"type": "integer", "default": 0})


def test_each_problem_stands_under_its_status() -> None:
    responses = document()["paths"]["/p/{production}/frames/{first}-{last}"]["put"]["responses"]
    found = {"200", "400", "401", "404", "408", "410", "411", "413", "415", "429", "500", "507"}
    assert set(responses) == found
    problem = responses["507"]["content"]["application/problem+json"]["schema"]["allOf"]
    assert problem[0] == {"$ref": "#/components/schemas/Problem"}
    assert problem[1]["properties"]["code"]["enum"] == ["disk-full"]
    assert "Retry-After" in responses["507"]["headers"]
    assert "Retry-After" not in responses["410"]["headers"]


def test_a_json_body_without_a_type_is_a_mistake_found_at_once() -> None:
    with pytest.raises(ValueError, match="go together"):
        Route("POST", "/x", nothing, Public(), "x", Body.JSON)


def test_a_role_that_nobody_can_have_is_a_mistake_found_at_once() -> None:
    with pytest.raises(ValueError, match="is no role"):
        Role("emperor")


async def test_the_document_is_served() -> None:
    route = openapi.documented(ROUTES, "1.2.3")[-1]
    response = await route.handler(None)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["info"]["version"] == "1.2.3"
