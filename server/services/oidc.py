"""Signing in with another provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636).

Nothing is kept between leaving and coming back but a random word in the browser's cookie: state,
nonce and verifier are made of it, so an answer fits one browser, one provider and one purpose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from server.domain.errors import Refusal
from server.domain.oidc import Identity, Provider

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with a public key only: "none", or the client's secret as a key, is no proof."""

TIMEOUT = aiohttp.ClientTimeout(total=15)
STAY: dict[str, Any] = {"allow_redirects": False}
BODY_MOST = 1_000_000
FRESH_S = 3600.0  # how long what a provider says of itself is believed
LEEWAY_S = 120
GROUPS_MOST = 1000


class ProviderAway(Refusal):
    """{title} cannot be asked now ({why}); try again in a minute, or use your password."""

    code = "provider-away"
    title: str
    why: str


class ProviderRefused(Refusal):
    """Signing in with {title} did not work: {why}; begin anew from the page to log in."""

    code = "provider-refused"
    title: str
    why: str


@dataclass(frozen=True)
class Trip:
    """A browser on its way: its cookie's ``secret``, what for (in, link), and where to go on to."""

    secret: str
    purpose: str
    onto: str

    @classmethod
    def back(cls, secret: str, state: str) -> Trip:
        """The trip that a state tells of; whether it is this browser's is seen in `arrive`."""
        purpose, _, rest = state.partition(".")
        try:
            onto = base64.urlsafe_b64decode(rest.partition(".")[0].encode() + b"==").decode()
        except ValueError:
            onto = ""
        return cls(secret, purpose, onto)

    def state(self, provider: Provider) -> str:
        """What the provider hands back."""
        return f"{self.purpose}.{_b64(self.onto.encode())}.{self.part('state', provider)}"

    def part(self, use: str, provider: Provider) -> str:
        """A value that only this trip to this provider has."""
        message = json.dumps([use, provider.word, provider.issuer, self.purpose, self.onto])
        return _b64(hmac.digest(self.secret.encode(), message.encode(), hashlib.sha256))


@dataclass(eq=False)
class Known:
    """What a provider says of itself (OpenID Connect Discovery 1.0), and its keys; since when."""

    at: float
    authorize: str
    token: str
    userinfo: str
    jwks_uri: str
    auth_methods: tuple[str, ...]
    says_iss: bool
    keys: KeySet | None = None
    keys_at: float = 0.0


@dataclass(eq=False)
class Desk:
    """The providers, what is known of them, and the site's own address."""

    providers: Mapping[str, Provider] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)


async def leave(desk: Desk, provider: Provider, trip: Trip, back: str, now: float) -> str:
    """Where to send the browser; ``back`` is the address that it comes back to.

    Raises ProviderAway.
    """
    known = await _discovered(desk, provider, now)
    verifier = trip.part("verifier", provider)
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": " ".join(provider.scopes),
        "state": trip.state(provider),
        "nonce": trip.part("nonce", provider),
        "code_challenge": _b64(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    mark = "&" if urlsplit(known.authorize).query else "?"
    return f"{known.authorize}{mark}{urlencode(query)}"


async def arrive(
    desk: Desk, provider: Provider, trip: Trip, back: str, answer: Mapping[str, str], now: float
) -> Identity:
    """Who came back. Raises ProviderAway, ProviderRefused."""
    title = provider.title
    state = trip.state(provider)
    if not trip.secret or not hmac.compare_digest(answer.get("state", "").encode(), state.encode()):
        raise ProviderRefused(title, "the answer is to a question that this browser did not ask")
    if answer.get("error"):
        raise ProviderRefused(title, f"it says {_plain(answer['error'])}")
    known = await _discovered(desk, provider, now)
    said = answer.get("iss")  # RFC 9207
    if (said is not None and said != provider.issuer) or (said is None and known.says_iss):
        raise ProviderRefused(title, "the answer is another provider's")
    if not answer.get("code"):
        raise ProviderRefused(title, "the answer has no code")
    async with _session() as session:
        tokens = await _exchange(session, provider, known, trip, back, answer["code"])
        text = tokens.get("id_token")
        if not isinstance(text, str):
            raise ProviderRefused(title, "it sent no ID token")
        claims = await _verified(session, provider, known, text, now)
        if not hmac.compare_digest(
            str(claims.get("nonce", "")).encode(), trip.part("nonce", provider).encode()
        ):
            raise ProviderRefused(title, "its ID token is for another sign-in")
        if "email" not in claims and known.userinfo and isinstance(tokens.get("access_token"), str):
            headers = {"Authorization": f"Bearer {tokens['access_token']}"}
            more = await _json(session.get(known.userinfo, headers=headers, **STAY), provider)
            if more.get("sub") != claims["sub"]:
                raise ProviderRefused(title, "it tells of two different people")
            claims = {**more, **claims}
    return _identity(provider, claims)


def _identity(provider: Provider, claims: Mapping[str, Any]) -> Identity:
    groups = claims.get(provider.groups_claim)
    listed = groups if isinstance(groups, list) else []
    return Identity(
        provider.issuer,
        claims["sub"],
        provider.word,
        _text(claims, "preferred_username"),
        _text(claims, "email").lower(),
        claims.get("email_verified") is True,
        _text(claims, "name"),
        tuple(group for group in listed[:GROUPS_MOST] if isinstance(group, str)),
    )


async def _exchange(
    session: aiohttp.ClientSession,
    provider: Provider,
    known: Known,
    trip: Trip,
    back: str,
    code: str,
) -> Mapping[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back,
        "code_verifier": trip.part("verifier", provider),
    }
    headers = {}
    if provider.client_secret and "client_secret_basic" in known.auth_methods:
        pair = f"{_quoted(provider.client_id)}:{_quoted(provider.client_secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form["client_id"] = provider.client_id
        if provider.client_secret:
            form["client_secret"] = provider.client_secret
    return await _json(session.post(known.token, data=form, headers=headers, **STAY), provider)


async def _verified(
    session: aiohttp.ClientSession, provider: Provider, known: Known, text: str, now: float
) -> dict[str, Any]:
    """The claims of an ID token, checked as OpenID Connect Core 1.0, 3.1.3.7 says."""
    claims = None
    if known.keys is not None and now - known.keys_at < FRESH_S:
        claims = _decoded(text, known.keys)
    if claims is None:  # it may have new keys
        known.keys, known.keys_at = await _keys(session, provider, known), now
        claims = _decoded(text, known.keys)
    if claims is None:
        raise ProviderRefused(provider.title, "its ID token is not signed by it")
    rules = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(claims)
    except JoseError as error:
        raise ProviderRefused(provider.title, f"its ID token does not hold ({error})") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", provider.client_id if not several else None) != provider.client_id:
        raise ProviderRefused(provider.title, "its ID token is for another site")
    sub = claims["sub"]
    if not isinstance(sub, str) or not 0 < len(sub) <= 255 or not sub.isprintable():
        raise ProviderRefused(provider.title, "its ID token names nobody")
    return claims


async def _keys(session: aiohttp.ClientSession, provider: Provider, known: Known) -> KeySet:
    raw: Any = await _json(session.get(known.jwks_uri, **STAY), provider)
    try:
        return KeySet.import_key_set(raw)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ProviderAway(provider.title, "its keys cannot be read") from error


def _decoded(text: str, keys: KeySet) -> dict[str, Any] | None:
    try:
        return dict(jwt.decode(text, keys, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None


async def _discovered(desk: Desk, provider: Provider, now: float) -> Known:
    known = desk.known.get(provider.word)
    if known is not None and now - known.at < FRESH_S:
        return known
    async with _session() as session:
        address = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
        said = await _json(session.get(address, **STAY), provider)
    if said.get("issuer") != provider.issuer:
        raise ProviderAway(provider.title, f"it calls itself {_plain(str(said.get('issuer')))}")
    places = {}
    for key in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        place = said.get(key, "" if key == "userinfo_endpoint" else None)
        if not isinstance(place, str) or not _safe(place, provider):
            raise ProviderAway(provider.title, f"its {key} cannot be used")
        places[key] = place
    methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    known = desk.known[provider.word] = Known(
        now,
        places["authorization_endpoint"],
        places["token_endpoint"],
        places["userinfo_endpoint"],
        places["jwks_uri"],
        tuple(methods) if isinstance(methods, list) else (),
        said.get("authorization_response_iss_parameter_supported") is True,
    )
    return known


def _safe(place: str, provider: Provider) -> bool:
    """Whether an address may be used: over HTTPS, unless the issuer itself is on loopback."""
    scheme = urlsplit(place).scheme
    return not place or scheme == "https" or scheme == urlsplit(provider.issuer).scheme == "http"


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=TIMEOUT, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
    )


async def _json(call: Any, provider: Provider) -> dict[str, Any]:
    """What was answered, an object of JSON. Raises ProviderAway, ProviderRefused."""
    try:
        async with call as response:
            body = await response.content.read(BODY_MOST + 1)
            while len(body) <= BODY_MOST and (more := await response.content.read(BODY_MOST)):
                body += more
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ProviderAway(provider.title, type(error).__name__) from error
    try:
        said = json.loads(body) if len(body) <= BODY_MOST else None
    except (ValueError, RecursionError):
        said = None
    if status >= 500 or 300 <= status < 400 or not isinstance(said, dict):
        raise ProviderAway(provider.title, f"it answered {status}")
    if status >= 400:
        raise ProviderRefused(provider.title, f"it says {_plain(str(said.get('error', status)))}")
    return said


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    return _plain(found) if isinstance(found, str) else ""


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:200]


def _quoted(text: str) -> str:
    return urlencode({"": text})[1:]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
