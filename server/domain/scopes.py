"""What a token may do of all that its account may: words, and which of them each route needs."""

from __future__ import annotations

from collections.abc import Sequence

from server.domain.errors import BadInput

WHOLE = "*"
"""All that the account may. What could give more than a narrower token has (passwords, addresses,
codes, roles, keys, tokens for others) needs it, and so does every route that is in no table."""
SCOPES = {
    "read": "See productions, tasks, sites, hosts, bans, patterns, credit, alerts, figures.",
    "productions": "Make and steer productions, and fetch their outputs.",
    "pool": "Switch sites, ban and command hosts, edit patterns, take alerts on.",
    "machines": "Pair machines, look after them, make enrolment tokens.",
    "contexts": "Read and change contexts, and boards of clusters.",
    "people": "See and look after accounts, sessions, tokens and groups.",
}
"""The words, and what they are for; a token that has none of them but `WHOLE` is not narrower."""
_AREAS = {
    "payloads": ("read", "productions"),
    "productions": ("read", "productions"),
    "tasks": ("read", "productions"),
    "agents": ("read", "pool"),
    "hosts": ("read", "pool"),
    "bulk": ("read", "pool"),
    "status": ("read", WHOLE),
    "sites": ("read", "pool"),
    "mode": (WHOLE, "pool"),
    "credit": ("read", "pool"),
    "stats": ("read", "read"),
    "patterns": ("read", "pool"),
    "bans": ("read", "pool"),
    "operations": ("read", WHOLE),
    "alerts": ("read", "pool"),
    "backups": ("read", WHOLE),
    "pairings": ("machines", "machines"),
    "machines": ("machines", "machines"),
    "enrolments": ("machines", "machines"),
    "contexts": ("contexts", "contexts"),
    "context-templates": ("contexts", "contexts"),
    "context-parts": ("contexts", "contexts"),
    "context-defaults": ("contexts", "contexts"),
    "clusters": ("contexts", "contexts"),
    "accounts": ("people", "people"),
    "tokens": ("people", "people"),
    "groups": ("people", "people"),
    "teams": ("read", "people"),
    "invitations": ("people", WHOLE),
    "audit": ("people", WHOLE),
    "me": ("people", WHOLE),
}
"""By the first word behind /api/v1: what reading needs, and what changing needs."""
_OTHERS = {
    "GET /api/v1/productions/{name}/output": "productions",
    "GET /api/v1/me": "read",
    "PUT /api/v1/me/export": "people",
    "GET /api/v1/me/contribution": "read",
    "GET /api/v1/me/certificates": "read",
    "POST /api/v1/me/certificates": "people",
    "POST /api/v1/me/certificates/{code}/withdraw": "people",
    "PUT /api/v1/accounts/{name}/mode": "pool",
    "POST /api/v1/accounts/import": WHOLE,
    "POST /api/v1/accounts/{name}/tokens": WHOLE,
    "POST /api/v1/accounts/{name}/password": WHOLE,
    "POST /api/v1/accounts/{name}/reset": WHOLE,
    "POST /api/v1/accounts/{name}/totp/off": WHOLE,
    "POST /api/v1/accounts/{name}/role": WHOLE,
    "POST /api/v1/invitations/{invitation}/revoke": "people",
    "PUT /api/v1/sites/{name}/admins/{account}": WHOLE,
    "DELETE /api/v1/sites/{name}/admins/{account}": WHOLE,
    "GET /api/v1/sites/{name}/enrolments": "machines",
    "POST /api/v1/sites/{name}/enrolments/{token}/revoke": "machines",
    "POST /api/v1/me/sessions/{session}/end": "people",
    "POST /api/v1/me/tokens": "people",
    "POST /api/v1/me/tokens/{token}/revoke": "people",
}
_BASE = "/api/v1/"


def needed(method: str, path: str) -> str:
    """The scope that a route needs; ``path`` has its parameters in braces, without patterns."""
    found = _OTHERS.get(f"{method} {path}")
    if found is not None:
        return found
    area = path.removeprefix(_BASE).partition("/")[0] if path.startswith(_BASE) else ""
    reading, changing = _AREAS.get(area, (WHOLE, WHOLE))
    return reading if method == "GET" else changing


def decided(method: str, path: str) -> bool:
    """Whether somebody has decided what a route needs, for the test that holds the tables whole."""
    area = path.removeprefix(_BASE).partition("/")[0]
    return f"{method} {path}" in _OTHERS or area in _AREAS


def holds(scopes: str, needs: str) -> bool:
    """Whether a token with these scopes (words with blanks between) may do what needs this one."""
    words = scopes.split()
    return WHOLE in words or (needs != WHOLE and needs in words)


def narrowed(wanted: Sequence[str], own: str) -> str:
    """The scopes of a new token as they are kept; ``own`` are those of who makes it.

    Raises BadInput.
    """
    words = dict.fromkeys(wanted)
    faults = [
        f"scopes: {word[:40]!r} is none; use {', '.join(SCOPES)}, or {WHOLE} alone for all"
        for word in words
        if word not in SCOPES and word != WHOLE
    ]
    if not words:
        faults = [f"scopes: name at least one of {', '.join(SCOPES)}, or {WHOLE} for all"]
    elif WHOLE in words and len(words) > 1:
        faults.append(f"scopes: {WHOLE} is all there is; leave the others out")
    faults += [
        f"scopes: {word} is more than the token has that you make it with ({own})"
        for word in words
        if not faults and not holds(own, word)
    ]
    if faults:
        raise BadInput(faults)
    return " ".join(word for word in (WHOLE, *SCOPES) if word in words)
