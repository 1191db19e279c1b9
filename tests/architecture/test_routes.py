"""Every route of the server: who may call it, what it may answer, and its place in the document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server import app as application
from server.domain import scopes
from server.domain.errors import Refusal
from server.handlers import openapi
from server.handlers.access import Host, Person, Public, Role, Visitor
from server.handlers.mount import undeclared
from server.handlers.routes import Body, Route
from server.handlers.schema import encode
from server.handlers.shape import STATUSES

FACTS = application.Facts("1.2.3", "kid", tuple, dict, Path(), 65_536, 2**20, 2**20, 9)
NOBODY = cast(Any, None)  # no handler runs here, so none needs its parts
ROUTES = application.routes_of(NOBODY, FACTS, NOBODY)
BASE = "/api/v1"

PUBLIC = {
    "GET /events",
    "GET /productions/{name}/events",
    "GET /productions/{name}/plots/{plot}.{form}",
    f"GET {BASE}/productions/{{name}}/plots",
    *(f"GET {BASE}/stats/{word}" for word in ("now", "series", "split", "totals", "months")),
    "GET /static/{file}",
    "GET /openapi.json",
    "GET /healthz",
    "GET /livez",
    "GET /readyz",
    "GET /metrics",  # it looks itself who asks, as metrics.access says
    f"GET {BASE}/keys",
    f"GET {BASE}/certificates/{{code}}",
    "GET /stats/{file}",
    f"GET {BASE}/certificates/{{code}}/print",
    "GET /agent/windfall-agent.pyz",
    "GET /agent/statement",
    f"POST {BASE}/hosts",
    *(f"{method} {BASE}/clusters/{{pin}}" for method in ("GET", "DELETE")),
    f"GET {BASE}/clusters/{{pin}}/keys",
    *(f"POST {base}/clusters/{{pin}}/keys" for base in (BASE, "/api")),
    *(
        f"{method} {base}/clusters/{{pin}}/keys/{{key}}"
        for method in ("GET", "PUT", "PATCH", "DELETE")
        for base in (BASE, "/api")
    ),
    f"POST {BASE}/pair",
    f"POST {BASE}/pair/device",
    f"GET {BASE}/pair/status",
    f"POST {BASE}/pair/collect",
}
"""What anybody may call. A new route comes here only on purpose."""
VISITORS = {
    "GET /",
    # Unless the pool keeps its statistics to those who are signed in.
    "GET /statistics",
    "GET /statistics/live",
    "GET /statistics/machines",
    "GET /statistics/countries",
    "GET /statistics/events",
    "GET /statistics/tasks",
    "GET /statistics/queue",
    "GET /statistics/trouble",
    "GET /statistics/{plot}.csv",
    "GET /statistics/{plot}.svg",
    "GET /productions/{name}",
    "GET /sites/{name}",
    "GET /sites/{name}/events",
    "GET /patterns",
    "GET /certificates/{code}",
    "GET /certificates/{code}/print",
    "GET /login",
    "POST /login",
    "POST /logout",
    "GET /login/with/{provider}",
    "GET /login/with/{provider}/back",
    "GET /login/code",
    "POST /login/code",
    "GET /signup",
    "POST /signup",
    "GET /forgot",
    "POST /forgot",
    "GET /link/{link}",
    "GET /link",
    "POST /link",
    "GET /appearance",
    "POST /appearance",
}
"""The pages that anybody may see, signed in or not, and the forms that anybody may send."""


def name(route: Route) -> str:
    """A route in the words of the document."""
    return f"{route.method} {openapi.template(route.path)}"


def document() -> Any:
    """The document, as JSON has it."""
    return json.loads(encode(openapi.build(ROUTES, "1.2.3")))


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Every refusal of the server."""
    if kind.__module__.startswith("server."):
        yield kind
    for each in kind.__subclasses__():
        yield from refusals(each)


@pytest.mark.parametrize("kind", sorted(set(refusals()), key=str))
def test_every_refusal_of_the_server_has_a_status_that_was_chosen(kind: type[Refusal]) -> None:
    assert kind.code in STATUSES


def test_nothing_is_served_beside_the_table() -> None:
    assert undeclared(application.build(NOBODY, FACTS)) == []


def test_what_anybody_may_call_was_decided_one_by_one() -> None:
    assert {name(route) for route in ROUTES if isinstance(route.access, Public)} == PUBLIC


def test_what_visitors_may_do_was_decided_one_by_one() -> None:
    assert {name(route) for route in ROUTES if isinstance(route.access, Visitor)} == VISITORS


def test_cookies_open_pages_alone_and_tokens_the_api_alone() -> None:
    by_cookie = {r.path for r in ROUTES if isinstance(r.access, (Person, Visitor))}
    by_token = {r.path for r in ROUTES if isinstance(r.access, (Role, Host))}
    assert [path for path in by_cookie if path.startswith(BASE)] == []
    assert [path for path in by_token if not path.startswith(BASE)] == []


def test_every_route_of_an_account_needs_a_scope_that_was_decided() -> None:
    tokens = [(r.method, openapi.template(r.path)) for r in ROUTES if isinstance(r.access, Role)]
    assert [each for each in tokens if not scopes.decided(*each)] == []
    needed = {scopes.needed(*each) for each in tokens}
    assert needed == {scopes.WHOLE, *scopes.SCOPES}, "no word is for nothing"


def test_what_could_give_more_than_a_narrow_token_has_needs_a_whole_one() -> None:
    words = ("password", "reset", "totp", "role", "ssh-keys", "unlink", "accounts/{name}/tokens")
    found = {
        name(r): scopes.needed(r.method, openapi.template(r.path))
        for r in ROUTES
        if isinstance(r.access, Role) and r.method != "GET"
    }
    strong = {k: v for k, v in found.items() if any(f"/{word}" in k for word in words)}
    assert len(strong) >= len(words)
    assert set(strong.values()) == {scopes.WHOLE}
    assert {found[f"PUT {BASE}/me"], found[f"POST {BASE}/invitations"]} == {scopes.WHOLE}


def test_no_route_is_declared_twice() -> None:
    names = [name(route) for route in ROUTES]
    assert sorted(set(names)) == sorted(names)


def test_pages_change_nothing_but_by_forms_of_this_site() -> None:
    outside = [route for route in ROUTES if not route.path.startswith("/api/")]
    changing = [route for route in outside if route.method != "GET"]
    assert {route.method for route in changing} == {"POST"}
    assert [name(r) for r in changing if r.body is not Body.FORM] == []
    assert [name(r) for r in changing if not isinstance(r.access, (Person, Visitor))] == []


@pytest.mark.parametrize("access", [Person(), Visitor()])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed_by_a_cookie_without_a_form(method: str, access: Any) -> None:
    with pytest.raises(ValueError, match="forms alone"):
        Route(method, "/x", NOBODY, access, "It changes something.")


def test_a_form_is_of_nobody_but_people() -> None:
    with pytest.raises(ValueError, match="forms alone"):
        Route("POST", "/x", NOBODY, Public(), "It changes something.", Body.FORM)


def test_reading_takes_no_body() -> None:
    assert [name(r) for r in ROUTES if r.method == "GET" and r.body is not Body.NONE] == []


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_a_route_is_declared_whole(route: Route) -> None:
    assert isinstance(route.access, (Public, Host, Role, Person, Visitor))
    assert route.summary
    assert 0 < route.most <= 2**20
    unknown = [code for code in openapi.problem_codes(route) if code not in STATUSES]
    assert [code for code in unknown if not code.endswith("-unknown")] == []


def test_the_document_is_valid_and_names_every_route() -> None:
    found = document()
    OpenAPIV31SpecValidator(found).validate()
    named = {f"{m.upper()} {path}" for path, methods in found["paths"].items() for m in methods}
    assert named == {name(route) for route in ROUTES}


def test_each_operation_has_a_name_of_its_own() -> None:
    found = document()["paths"].values()
    names = [operation["operationId"] for methods in found for operation in methods.values()]
    assert len(set(names)) == len(names)
