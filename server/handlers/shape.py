"""Values and refusals to HTTP answers: one table of codes, one place that makes problem details."""

from __future__ import annotations

import http
import logging
import math
import secrets
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict

from server.domain.errors import HostUnmanaged, Refusal
from server.handlers.errors import ServerFailed
from server.handlers.routes import Reply
from server.handlers.schema import encode
from vmagent.wire.messages import PROTOCOL, Command, Problem

log = logging.getLogger(__name__)

STATUSES = {
    "bad-message": 400,
    "bad-parameter": 400,
    "bad-digest-field": 400,
    "bad-frame": 400,
    "bad-input": 400,
    "bad-context": 400,
    "secrets-differ": 400,
    "bad-definition": 400,
    "body-broken": 400,
    "bad-form": 400,
    "digest-mismatch": 400,
    "outside-lease": 400,
    "unsigned": 400,
    "token-missing": 401,
    "token-unknown": 401,
    "token-used": 401,
    "token-expired": 401,
    "token-revoked": 401,
    "token-cloned": 401,
    "token-elsewhere": 401,
    "token-refused": 401,
    "forbidden": 403,
    "scope-missing": 403,
    "provider-refused": 403,
    "nobody-linked": 403,
    "sign-in-refused": 403,
    "code-refused": 403,
    "account-disabled": 403,
    "form-forged": 403,
    "not-yours": 403,
    "not-owner": 403,
    "not-your-site": 403,
    "agent-banned": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "too-slow": 408,
    "refused": 409,
    "illegal-move": 409,
    "exists": 409,
    "last-way-in": 409,
    "already-written": 409,
    "built-in": 409,
    "overtaken": 409,
    "secret-lost": 409,
    "in-use": 409,
    "holds-secrets": 409,
    "not-waiting": 409,
    "not-commanded": 409,
    "undelivered": 409,
    "output-not-ready": 409,
    "host-revoked": 409,
    "pairing-pending": 409,
    "pairing-collected": 409,
    "pins-many": 409,
    "production-over": 410,
    "link-over": 410,
    "pairing-over": 410,
    "host-unmanaged": 410,
    "length-missing": 411,
    "too-large": 413,
    "coding-refused": 415,
    "out-of-range": 416,
    "too-many": 429,
    "pins-locked": 429,
    "internal": 500,
    "later": 503,
    "provider-away": 503,
    "unavailable": 503,
    "banned": 503,
    "no-mail": 503,
    "no-backups": 409,
    "nobody-told": 409,
    "nothing-to-certify": 409,
    "bulk-begun": 409,
    "bulk-changed": 409,
    "in-team": 409,
    "backup-failed": 503,
    "too-many-listeners": 503,
    "signed-out": 401,
    "disk-full": 507,
}
"""The status of each problem code; see `status_of` for the families of codes beside them."""

RETRY_S = {408: 1.0, 429: 5.0, 503: 5.0, 507: 60.0}


@dataclass(frozen=True)
class Farewell(Problem):
    """The last that a host is told: a problem, and the command that it obeys."""

    commands: list[Command] = field(default_factory=lambda: [Command(0, "stop")])


_PROTOCOL = ("Windfall-Protocol", str(PROTOCOL))
_JSON = CIMultiDict([("Content-Type", "application/json"), _PROTOCOL])
_PROBLEM = CIMultiDict(
    [("Content-Type", "application/problem+json"), _PROTOCOL, ("Cache-Control", "no-store")]
)


def status_of(code: str) -> int:
    """The status of a code: from the table, else 404 for ``*-unknown``, 409 for what is left."""
    found = STATUSES.get(code)
    if found is None:
        found = 404 if code.endswith("-unknown") else 409
    return found


def answer(reply: object, status: int) -> web.StreamResponse:
    """What a handler returned, as a response."""
    if isinstance(reply, web.StreamResponse):
        if not reply.prepared:
            reply.headers.setdefault(*_PROTOCOL)
        return reply
    headers = _JSON.copy()
    if isinstance(reply, Reply):
        headers.update(reply.headers)
        status, reply = reply.status, reply.value
    if reply is None:
        del headers["Content-Type"]
        return web.Response(status=204 if status == 200 else status, headers=headers)
    return web.Response(body=encode(reply), status=status, headers=headers)


def refused(refusal: Refusal) -> web.Response:
    """A refusal as problem details (RFC 9457)."""
    code: str = refusal.code
    status = status_of(code)
    faults = [str(fault) for fault in getattr(refusal, "faults", None) or ()]
    instance = getattr(refusal, "instance", "")
    response = problem(status, code, str(refusal), instance, faults)
    if isinstance(refusal, HostUnmanaged):
        value = Farewell(response.reason or "", status, str(refusal), code)
        response.body = encode(value)
    wait = getattr(refusal, "retry_after", None) or RETRY_S.get(status)
    if wait is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def noted(what: str, error: Exception) -> ServerFailed:
    """What must not happen is logged, and a refusal that tells nothing of it: ``what`` failed."""
    failed = ServerFailed(secrets.token_hex(8))
    extra = {"action": "failed", "request": failed.request, "path": what}
    log.error("request failed", extra=extra, exc_info=error)
    return failed


def foreign(error: web.HTTPException) -> web.Response:
    """What aiohttp raises by itself, such as an unsatisfiable Range, in the words used here."""
    if error.status < 400:
        raise error
    codes = {status: code for code, status in reversed(STATUSES.items())}
    response = problem(error.status, codes.get(error.status, "refused"), error.reason)
    for name in ("Content-Range", "Allow"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def problem(
    status: int, code: str, detail: str, instance: str = "", faults: list[str] | None = None
) -> web.Response:
    """Problem details as a response; the title is the status in words, since no type is named."""
    title = http.HTTPStatus(status).phrase
    value = Problem(title, status, detail, code, instance=instance, faults=faults or [])
    return web.Response(body=encode(value), status=status, headers=_PROBLEM.copy())
