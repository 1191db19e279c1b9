"""Answers to browsers: pages with what each of them needs, ways onward, and faults in words."""

from __future__ import annotations

import http
import math
from urllib.parse import quote

from aiohttp import hdrs, web

from server.domain.errors import Refusal
from server.domain.roles import Caller
from server.handlers.door import DOOR, Csrf, notice, noticed, safe_path
from server.handlers.routes import HTML
from server.handlers.shape import RETRY_S, status_of
from web.render import page

THEMES = ("light", "dark")
"""What a browser may have chosen to see instead of what its system says."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with that, browsers say of their own forms that they come from nowhere.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def show(
    request: web.Request,
    caller: Caller | None,
    template: str,
    /,
    status: int = 200,
    **facts: object,
) -> web.Response:
    """The page ``<template>.html`` with these facts.

    Each page is told, beside them: ``me`` (name and role; None of who is not signed in), ``csrf``
    (the value of the field of this name, in every form), ``here`` (the part of the navigation
    that it belongs to; a fact, else empty), ``path`` (its own address), ``said`` (a notice left by
    `onward`, else empty), ``theme`` (light or dark if this browser has chosen one, else empty).
    """
    csrf = Csrf(request, caller)
    said = noticed(request)
    path = safe_path(request.raw_path)
    theme = request.cookies.get(request.app[DOOR].name("theme"), "")
    known = {
        "me": caller, "csrf": csrf, "path": path, "said": said,
        "theme": theme if theme in THEMES else "",
    }  # fmt: skip
    text = page(template, **{**known, **facts})
    headers = {**HEADERS, "Cache-Control": "no-store" if caller else "no-cache"}
    response = web.Response(text=text, status=status, content_type=HTML, headers=headers)
    door = request.app[DOOR]
    csrf.keep(door, response)
    if said:
        door.drop(response, "said")
    if response.cookies:
        response.headers["Cache-Control"] = "no-store"
    return response


def onward(request: web.Request, path: str, said: str = "") -> web.Response:
    """The answer to a form that was taken: 303 to a page of this site, which shows the notice."""
    headers = {**HEADERS, hdrs.LOCATION: safe_path(path), "Cache-Control": "no-store"}
    response = web.Response(status=303, headers=headers)
    if said:
        request.app[DOOR].keep(response, "said", notice(said), 60)
    return response


def to_sign_in(request: web.Request) -> web.Response:
    """Who is not signed in goes there, and comes back if it was a page that he wanted."""
    if request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        return onward(request, "/login", "Sign in first, then send the form again.")
    return onward(request, f"/login?next={quote(safe_path(request.raw_path), safe='/')}")


def again(
    request: web.Request,
    caller: Caller | None,
    template: str,
    refusal: Refusal | None,
    /,
    **facts: object,
) -> web.Response:
    """The page of a form again, with why it was refused: ``fault`` whole, ``faults`` one by one.

    Both are empty if it was not.
    """
    if refusal is None:
        return show(request, caller, template, 200, **facts)
    status = status_of(refusal.code)
    faults = [str(each) for each in getattr(refusal, "faults", None) or (refusal,)]
    told = {"fault": str(refusal), "faults": faults}
    return _later(show(request, caller, template, status, **told, **facts), refusal)


def is_for(request: web.Request) -> bool:
    """Whether a page is what is asked for, as browsers do that follow a link."""
    return HTML in request.headers.get(hdrs.ACCEPT, "")


def fault(request: web.Request, caller: Caller | None, refusal: Refusal) -> web.Response:
    """A refusal as a page."""
    status = status_of(refusal.code)
    title = http.HTTPStatus(status).phrase
    shown = show(request, caller, "fault", status, title=title, detail=str(refusal))
    return _later(shown, refusal)


def _later(response: web.Response, refusal: Refusal) -> web.Response:
    """When it makes sense to try again, if that is so."""
    response.headers["Cache-Control"] = "no-store"
    wait = getattr(refusal, "retry_after", None) or RETRY_S.get(response.status)
    if wait is not None:
        response.headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(wait)))
    return response
