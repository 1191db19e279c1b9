"""Routes put onto an application: access, limits and answers are held here, not in handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_exceptions import HTTPException

from server.domain.errors import Forbidden, Refusal, TooLarge
from server.domain.roles import Caller, reaches
from server.domain.scopes import needed
from server.handlers import ready, showing
from server.handlers.access import (
    Gate,
    Host,
    Person,
    Public,
    Role,
    Visitor,
    admitted,
    bearer,
)
from server.handlers.door import DOOR, Door, hold_origin, read_form
from server.handlers.errors import (
    BodyBroken,
    BodyTooSlow,
    CodingRefused,
    LengthMissing,
    MethodNotAllowed,
    NothingHere,
    SignedOut,
)
from server.handlers.metering import Handler, Tracer, metered
from server.handlers.openapi import template
from server.handlers.routes import EVENTS, Body, Route
from server.handlers.schema import decoder, encode
from server.handlers.shape import answer, foreign, noted, refused
from server.handlers.sse import FEED, Follower, Live
from server.handlers.strangers import Strangers
from server.services.upkeep.meter import Meter

RUNNER = {"keepalive_timeout": 75.0, "lingering_time": 5.0, "max_headers": 64}
"""For ``web.AppRunner(app, **RUNNER)``. A connection that has not said a whole request head after
``keepalive_timeout`` is closed, slow or idle; what is sent after a refusal is read for
``lingering_time`` at most."""

DECLARED: web.AppKey[dict[Handler, Route]] = web.AppKey("declared")
"""The declaration behind each handler that is served."""

NOWHERE: web.AppKey[Handler] = web.AppKey("nowhere")
"""What answers where there is no route."""

FORMS_ALONE = "Nothing is shown at this address: it only takes what a form sends."


def mount(
    app: web.Application,
    routes: Sequence[Route],
    gate: Gate,
    door: Door | None = None,
    strangers: Strangers | None = None,
    meter: Meter | None = None,
    tracer: Tracer | None = None,
) -> None:
    """Add every route, and one answer for all addresses and methods that are none of them."""
    meter = meter or Meter()
    app[DOOR] = door or Door()
    declared = app[DECLARED] = {}
    for route in routes:
        if route.media == EVENTS:
            run = serve_stream(route, gate)
        elif isinstance(route.access, (Person, Visitor)):
            run = serve_people(route, gate, strangers)
        else:
            run = serve(route, gate, strangers)
        run = metered(run, meter.of(route.method, template(route.path), route.is_held), tracer)
        declared[run] = route
        app.router.add_route(route.method, route.path, run)
        if route.head:
            app.router.add_route(hdrs.METH_HEAD, route.path, run)
    app[NOWHERE] = nowhere(gate)
    app.router.add_route(hdrs.METH_ANY, "/{_:.*}", app[NOWHERE])


def undeclared(app: web.Application) -> list[str]:
    """What an application serves without a declaration that says who may call it: to be empty."""
    known = {*app[DECLARED], app[NOWHERE]}
    return [
        f"{route.method} {route.resource.canonical if route.resource else ''}"
        for route in app.router.routes()
        if route.handler not in known
    ]


def serve(route: Route, gate: Gate, strangers: Strangers | None = None) -> Handler:
    """The handler of a route behind its access, its limits and its answers."""
    handler, status, access = route.handler, route.status, route.access
    for_hosts = isinstance(access, Host)
    least = access.least if isinstance(access, Role) else ""
    scope = needed(route.method, template(route.path))
    said_before, most, slowest = route.body is Body.WHOLE, route.most, route.slowest
    plain = status == 200 and not route.head
    take = _taker(route)

    async def respond(request: web.Request) -> web.StreamResponse:
        try:
            args: tuple[object, ...]
            if for_hosts:
                args = (request, gate.host(bearer(request)))
            elif least:
                args = (request, await admit(request, gate, least, scope, strangers))
            else:
                args = (request,)
            if take is not None:
                if said_before:
                    said_length(request, most)
                body = _at_hand(request, most)
                if body is None:
                    body = await _read(request, most, slowest)
                args = (*args, take(body))
            reply = await handler(*args)
            if plain and isinstance(reply, msgspec.Struct) and ready.suits(request):
                return ready.Ready(encode(reply))
            return answer(reply, status)
        except Refusal as refusal:
            response = refused(strangers.count(request, refusal) if strangers else refusal)
        except (ConnectionError, HttpProcessingError, web.RequestPayloadError):
            response = refused(BodyBroken())
        except HTTPException as error:
            response = foreign(error)
        except Exception as error:
            response = refused(noted(f"{request.method} {request.path}", error))
        return _instead(request, response)

    return respond


def serve_people(route: Route, gate: Gate, strangers: Strangers | None = None) -> Handler:
    """The handler of a route for people: known by a cookie, answered by pages, also if refused."""
    handler, most, slowest = route.handler, route.most, route.slowest
    takes_form = route.body is Body.FORM
    only = route.access.least if isinstance(route.access, Person) else ""

    async def respond(request: web.Request) -> web.StreamResponse:
        caller: Caller | None = None
        try:
            caller = await _person(gate, request)
            if only and caller is None:
                return showing.to_sign_in(request)
            _hold_rank(caller, only)
            if not takes_form:
                return answer(await handler(request, caller), route.status)
            hold_origin(request)
            body = _at_hand(request, most)
            if body is None:
                body = await _read(request, most, slowest)
            form = read_form(request, caller, body)
            if caller is not None and strangers is not None:
                strangers.hold(request, caller)
            return answer(await handler(request, caller, form), route.status)
        except Refusal as refusal:
            return showing.fault(request, caller, refusal)
        except (ConnectionError, HttpProcessingError, web.RequestPayloadError):
            return showing.fault(request, caller, BodyBroken())
        except HTTPException as error:
            return foreign(error)
        except Exception as error:
            failed = noted(f"{request.method} {request.path}", error)
            return showing.fault(request, caller, failed)

    return respond


def serve_stream(route: Route, gate: Gate) -> Handler:
    """The stream of a page: its handler says what is followed, now and again while it lasts."""
    handler, public = route.handler, isinstance(route.access, Public)
    only = route.access.least if isinstance(route.access, Person) else ""

    async def asked(request: web.Request) -> Follower:
        caller = None if public else await _person(gate, request)
        if only and caller is None:
            raise SignedOut()
        _hold_rank(caller, only)
        live = await (handler(request) if public else handler(request, caller))
        assert isinstance(live, Live)  # noqa: S101  what a stream's handler returns
        return Follower(live, 0 if caller is None else caller.account)

    async def respond(request: web.Request) -> web.StreamResponse:
        try:
            follower = await asked(request)
            return await request.app[FEED].follow(request, follower, lambda: asked(request))
        except Refusal as refusal:
            response = refused(refusal)
        except Exception as error:
            response = refused(noted(f"{request.method} {request.path}", error))
        return _instead(request, response)

    return respond


def _hold_rank(caller: Caller | None, least: str) -> None:
    """Raises Forbidden for somebody below the rank that a page is for; empty: it is for all."""
    if least and caller is not None and not reaches(caller.role, least):
        raise Forbidden(least)


def _instead(request: web.Request, response: web.Response) -> web.Response:
    """An answer in place of one that failed."""
    if request.writer.output_size:
        # The head of another answer is out already: only an end without an end tells.
        _abort(request)
    return response


async def _person(gate: Gate, request: web.Request) -> Caller | None:
    door = request.app[DOOR]
    secret = door.session(request)
    if not secret:
        return None
    agent = request.headers.get(hdrs.USER_AGENT, "")
    return await gate.person(secret, door.address(request), agent)


async def admit(
    request: web.Request, gate: Gate, least: str, scope: str, strangers: Strangers | None
) -> object:
    """The caller by the token that came along, if his role and its scopes suffice.

    Raises what tells why not.
    """
    token = bearer(request)
    if strangers is None:
        return await admitted(gate, token, least, scope)
    digest = strangers.admit(request, token)
    caller = await admitted(gate, token, least, scope)
    strangers.welcome(digest)
    strangers.hold(request, caller)
    return caller


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _taker(route: Route) -> Callable[[bytes], object] | None:
    """What makes of a body what the handler is called with; None if it reads by itself."""
    if route.body in (Body.NONE, Body.STREAM, Body.FORM):
        return None
    if route.body is Body.WHOLE:
        return bytes
    assert route.request is not None  # noqa: S101  # the route has checked it itself
    return decoder(route.request)


def said_length(request: web.Request, most: int) -> int:
    """The length of a body of bytes, said before it comes, plain and within bounds."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise CodingRefused()
    length = request.content_length
    if length is None:
        raise LengthMissing()
    if length > most:
        raise TooLarge(length, most)
    return length


def _at_hand(request: web.Request, most: int) -> bytes | None:
    """The body if all of it is here already, as it is most often."""
    content = request.content
    if not content.is_eof():
        return None
    body = content.read_nowait()
    if len(body) > most:
        raise TooLarge(len(body), most)
    return body


async def _read(request: web.Request, most: int, slowest: float) -> bytes:
    """The body, with an end to patience and to size, whatever its header says."""
    if (said := request.content_length or 0) > most:
        raise TooLarge(said, most)
    content = request.content
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(slowest):
            while part := await content.readany():
                size += len(part)
                if size > most:
                    raise TooLarge(size, most)
                parts.append(part)
    except TimeoutError as error:
        raise BodyTooSlow(f"The body did not arrive within {slowest:g} s; again.") from error
    return b"".join(parts)


def nowhere(gate: Gate) -> Handler:
    """What answers at addresses that are no route, and to methods that their route does not take.

    Programs get problem details, and whoever says that he takes pages gets one.
    """

    async def respond(request: web.Request) -> web.StreamResponse:
        allowed: set[str] = set()
        for resource in request.app.router.resources():
            _, methods = await resource.resolve(request)
            allowed |= methods - {hdrs.METH_ANY}
        if not showing.is_for(request):
            at = f"There is nothing at {request.path}; see /openapi.json."
            response = refused(MethodNotAllowed() if allowed else NothingHere(at))
        elif allowed:
            response = await _to_person(gate, request, MethodNotAllowed(FORMS_ALONE))
        else:
            at = f"There is no page at {request.path[:200]}; was the address cut short?"
            response = await _to_person(gate, request, NothingHere(at))
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    return respond


async def _to_person(gate: Gate, request: web.Request, refusal: Refusal) -> web.Response:
    """The page of a fault, for whoever looks."""
    caller: Caller | None = None
    try:
        caller = await _person(gate, request)
    except Exception as error:
        refusal = noted(f"{request.method} {request.path}", error)
    return showing.fault(request, caller, refusal)
