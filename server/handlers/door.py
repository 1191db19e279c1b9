"""How browsers are known: cookies, and the proof that a form comes from a page of this site.

Cookies are HttpOnly, SameSite=Lax and for this host alone; over HTTPS their names begin with
``__Host-``, so that no other host can set them (RFC 6265bis 4.1.3.2). A form is taken if the
browser does not say that it comes from elsewhere (Sec-Fetch-Site, Origin) and if it carries a value
that only a page shown to this browser has: an HMAC under the secret of its cookie.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from aiohttp import hdrs, web
from multidict import MultiDict, MultiDictProxy

from server.domain.roles import Caller
from server.handlers.errors import BadForm, FormForged
from server.handlers.peer import address_of
from server.handlers.routes import FORM

Form: TypeAlias = MultiDictProxy[str]
"""The fields of a form: ``form["name"]`` and ``form.get("name", "")`` are the first of that name,
``form.getall("name", [])`` are all."""

FIELD = "csrf"
FIELDS_MOST = 2000
SAID_MOST = 300  # characters of a notice
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,100}")
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,500}")


@dataclass(frozen=True)
class Door:
    """Where browsers come in: the site's origin (that of the request if empty), and how.

    ``secure``: over HTTPS.
    """

    origin: str = ""
    secure: bool = False

    def name(self, word: str) -> str:
        """The name of a cookie."""
        return f"__Host-windfall-{word}" if self.secure else f"windfall-{word}"

    def read(self, request: web.Request, word: str) -> str:
        """A cookie that holds a secret; empty if there is none or it cannot be one."""
        found = request.cookies.get(self.name(word), "")
        return found if _SECRET.fullmatch(found) else ""

    def keep(
        self, response: web.StreamResponse, word: str, value: str, seconds: int | None = None
    ) -> None:
        """Give the browser a cookie, for as long as it runs or for so many seconds."""
        response.set_cookie(
            self.name(word),
            value,
            max_age=seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="Lax",
        )

    def drop(self, response: web.StreamResponse, word: str) -> None:
        """Take a cookie away."""
        response.del_cookie(
            self.name(word), path="/", secure=self.secure, httponly=True, samesite="Lax"
        )

    def address(self, request: web.Request) -> str:
        """Where a request comes from; behind a proxy of ours, what that says."""
        return address_of(request)

    def session(self, request: web.Request) -> str:
        """The secret of the browser's session; empty if it has none."""
        return self.read(request, "session")

    def own(self, request: web.Request) -> str:
        """The site's origin (RFC 6454) as this browser should name it."""
        return self.origin or f"{'https' if self.secure else 'http'}://{request.host}".lower()


DOOR: web.AppKey[Door] = web.AppKey("door")
"""The door of an application."""


def origin_of(url: str) -> str:
    """The origin of an address, its default port left out."""
    parts = urlsplit(url)
    port = parts.port
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    if port in (None, {"http": 80, "https": 443}.get(parts.scheme)):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def safe_path(text: str) -> str:
    """A path of this site to go on to; its home for anything that could lead elsewhere."""
    return text if _PATH.fullmatch(text) else "/"


def token(secret: str) -> str:
    """What a form carries, of a browser with this secret."""
    made = hmac.digest(secret.encode("ascii"), b"windfall form 1", hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode("ascii").rstrip("=")


class Csrf:
    """What a page writes into its forms; a visitor is given a cookie for it once it is written."""

    def __init__(self, request: web.Request, caller: Caller | None) -> None:
        """Nothing is written yet."""
        door = request.app[DOOR]
        self._secret = door.session(request) if caller else door.read(request, "visitor")
        self._made = False

    def __str__(self) -> str:
        """The value."""
        if not self._secret:
            self._secret, self._made = secrets.token_urlsafe(32), True
        return token(self._secret)

    def keep(self, door: Door, response: web.StreamResponse) -> None:
        """Give the browser the cookie that it needs to send what was written."""
        if self._made:
            door.keep(response, "visitor", self._secret)


def hold_origin(request: web.Request) -> None:
    """Refuse what a browser says it sends for another site. Raises FormForged."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    own = request.app[DOOR].own(request)
    if site not in ("same-origin", "none"):
        raise FormForged
    if request.headers.get(hdrs.ORIGIN, own).lower() != own:
        raise FormForged(
            "This was not sent from a page of this site "
            f"as it is known here: {own}. Go there, and load the page anew."
        )


def read_form(request: web.Request, caller: Caller | None, body: bytes) -> Form:
    """The form, if it comes from a page that this browser was shown. Raises BadForm, FormForged."""
    if request.content_type != FORM:
        raise BadForm
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MOST,
        )
    except ValueError as error:
        raise BadForm from error
    form = MultiDict(pairs)
    door = request.app[DOOR]
    secret = door.session(request) if caller else door.read(request, "visitor")
    sent = form.popall(FIELD, [""])[0]
    if not secret or not hmac.compare_digest(token(secret).encode(), sent.encode()):
        raise FormForged
    return MultiDictProxy(form)


def notice(text: str) -> str:
    """A notice as a cookie holds it."""
    return quote(text[:SAID_MOST], safe="")


def noticed(request: web.Request) -> str:
    """The notice that this browser brings along."""
    found = request.cookies.get(request.app[DOOR].name("said"), "")
    text = unquote(found)[:SAID_MOST]
    return text if text.isprintable() else ""
