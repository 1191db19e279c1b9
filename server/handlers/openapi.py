"""The OpenAPI 3.1 document, made from the same declarations that serve the routes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from aiohttp import web

from server.domain import scopes
from server.handlers.access import Host, Person, Public, Role, Visitor
from server.handlers.door import FIELD, Door
from server.handlers.routes import BYTES, FORM, HTML, JSON, Body, Route
from server.handlers.schema import components, encode
from server.handlers.shape import RETRY_S, status_of
from vmagent.wire.messages import PROTOCOL, Problem

PATH = "/openapi.json"

COOKIE = Door().name("session")

_PARAMETER = re.compile(r"\{([a-z_]+)(?::((?:[^{}]|\{[^{}]*\})*))?\}")
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_HOST_CODES = (
    "token-missing",
    "token-unknown",
    "token-revoked",
    "host-unmanaged",
    "too-many",
)
_ROLE_CODES = (
    "too-many",
    "token-missing",
    "token-unknown",
    "token-revoked",
    "token-expired",
    "forbidden",
    "scope-missing",
    "account-disabled",
)
_BODY_CODES = {
    Body.NONE: (),
    Body.JSON: ("bad-message", "body-broken", "too-large", "too-slow"),
    Body.FORM: ("bad-form", "body-broken", "form-forged", "too-large", "too-slow"),
    Body.WHOLE: ("body-broken", "too-large", "too-slow", "length-missing", "coding-refused"),
    Body.STREAM: ("body-broken", "too-large", "too-slow", "length-missing", "coding-refused"),
}


def documented(routes: Sequence[Route], version: str) -> list[Route]:
    """These routes and the one that serves their document, itself included.

    The document is made when it is first asked for: servers start often, and few read it.
    """
    made: list[bytes] = []

    async def serve_document(request: web.Request) -> web.Response:
        if not made:
            made.append(await asyncio.to_thread(lambda: encode(build(whole, version))))
        headers = {"Cache-Control": "max-age=300"}
        return web.Response(body=made[0], content_type=JSON, headers=headers)

    own = Route(
        "GET", PATH, serve_document, Public(), "This document (OpenAPI 3.1)", reply=dict, head=True
    )
    whole = [*routes, own]
    return whole


def build(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The document of these routes; ``version`` is that of the server."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(template(route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Windfall",
            "version": version,
            "description": f"Protocol version {PROTOCOL}. Every error is problem details "
            "(RFC 9457) whose code is for programs. A write may be sent again as it was.",
        },
        "paths": paths,
        "components": {
            "schemas": components(_kinds(routes)),
            "securitySchemes": {
                "host": _bearer("The token that a host was given when it was paired."),
                "account": _bearer("An API token of an account."),
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": COOKIE,
                    "description": "The session of a browser, of pages alone; over HTTPS the name "
                    "begins with __Host-. Forms carry the value that their page holds in `csrf`.",
                },
            },
        },
    }


def template(path: str) -> str:
    """A path as OpenAPI writes it: its parameters without their patterns."""
    return _PARAMETER.sub(r"{\1}", path)


def _bearer(description: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "description": description}


def _kinds(routes: Sequence[Route]) -> list[type[Any]]:
    found: dict[type[Any], None] = {Problem: None}
    for route in routes:
        for kind in (route.request, route.reply, *route.also.values()):
            if kind not in (None, dict):
                found[next(iter(get_args(kind)), kind)] = None
    return list(found)


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.method.lower()}_{_slug(route.path)}",
        "security": _security(route),
        "parameters": _parameters(route),
        "responses": _responses(route),
    }
    if isinstance(route.access, (Role, Person)):
        found["description"] = f"Needs the role {route.access.least}."
    if isinstance(route.access, Role):
        scope = scopes.needed(route.method, template(route.path))
        found["description"] += f" A token needs the scope {scope}."
    if route.body is Body.FORM:
        found["requestBody"] = {"required": True, "content": {FORM: {"schema": _form(route)}}}
    elif route.request is not None:
        content = {JSON: {"schema": _ref(route.request)}}
        found["requestBody"] = {"required": True, "content": content}
    elif route.body is not Body.NONE:
        content = {BYTES: {"schema": {"type": "string", "maxLength": route.most}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _slug(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _PARAMETER.sub(r"\1", path)).strip("_") or "root"


def _security(route: Route) -> list[dict[str, list[str]]]:
    if isinstance(route.access, Public):
        return []
    if isinstance(route.access, Visitor):
        return [{}, {"session": []}]
    if isinstance(route.access, Person):
        return [{"session": []}]
    return [{"host" if isinstance(route.access, Host) else "account": []}]


def _form(route: Route) -> dict[str, Any]:
    fields = {name: {"type": "string"} for name in (FIELD, *route.fields)}
    return {"type": "object", "properties": fields, "required": [FIELD]}


def _ref(kind: type[Any]) -> dict[str, Any]:
    if kind is dict:
        return {"type": "object"}
    if get_origin(kind) is list:
        return {"type": "array", "items": _ref(get_args(kind)[0])}
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, pattern in _PARAMETER.findall(route.path):
        schema = {"type": "integer", "minimum": 0} if pattern.startswith(r"\d") else _text(pattern)
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    for query in route.query:
        shape: dict[str, Any] = {"type": query.kind}
        if query.default is not None:
            shape["default"] = query.default
        found.append(
            {"name": query.name, "in": "query", "description": query.summary, "schema": shape}
        )
    for header in route.headers:
        found.append(
            {"name": header, "in": "header", "required": True, "schema": {"type": "string"}}
        )
    return found


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$"} if pattern else {"type": "string"}


def problem_codes(route: Route) -> list[str]:
    """Every problem code that a route may answer with."""
    access: tuple[str, ...] = ()
    if isinstance(route.access, Host):
        access = _HOST_CODES
    elif isinstance(route.access, Role):
        access = _ROLE_CODES
    elif isinstance(route.access, Person):
        access = ("forbidden", "too-many") if route.body is Body.FORM else ("forbidden",)
    address = ("not-found",) if "{" in route.path else ()  # parameters that fit no pattern
    return sorted({*route.codes, *access, *address, *_BODY_CODES[route.body], "internal"})


def _responses(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    success = {route.status: route.reply, **route.also}
    if route.status == 200 and route.reply is None and route.media == JSON:
        success = {204: None, **route.also}
    for status, kind in success.items():
        found[str(status)] = _success(route, kind)
    by_status: dict[int, list[str]] = {}
    for code in problem_codes(route):
        by_status.setdefault(status_of(code), []).append(code)
    for status, codes in sorted(by_status.items()):
        found[str(status)] = _problem(status, codes)
    if isinstance(route.access, (Person, Visitor)):
        _as_pages(route, found)
    return found


def _as_pages(route: Route, found: dict[str, Any]) -> None:
    """People are told on a page what is wrong, and after a form are sent to one."""
    for status, answer in found.items():
        if int(status) >= 400:
            answer["content"][HTML] = {"schema": {"type": "string"}}
    if route.body is Body.FORM or isinstance(route.access, Person):
        found["303"] = {"description": "Onward, or to sign in.", "headers": _headers()}


def _success(route: Route, kind: type[Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": "Done.", "headers": _headers()}
    if kind is not None:
        found["content"] = {route.media: {"schema": _ref(kind)}}
    elif route.media != JSON:
        found["content"] = {route.media: {"schema": {"type": "string"}}}
    return found


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    words = {"type": "object", "properties": {"code": {"enum": codes}}}
    headers = _headers()
    if status in RETRY_S:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "In seconds."}
    return {
        "description": ", ".join(codes),
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"allOf": [_PROBLEM, words]}}},
    }


def _headers() -> dict[str, Any]:
    return {"Windfall-Protocol": {"schema": {"type": "integer"}, "description": "The version."}}
