"""Providers of OpenID Connect: a real program, and one that lies as it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from tests.kit.ports import free_port
from tests.kit.served import serving

TITLE = "The Lab"
NOW = 1_800_000_000
SECRET = "a secret between the two"


def write_file(folder: Path, issuer: str, **more: Any) -> Path:
    """A file of one provider, called ``lab``; its path."""
    secret = folder / "lab.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    facts = {"title": TITLE, "issuer": issuer, "client_id": "windfall",
             "client_secret_file": secret.name, **more}  # fmt: skip
    lines = [f"{key} = {_toml(value)}" for key, value in facts.items()]
    path = folder / "providers.toml"
    path.write_text("[lab]\n" + "\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = "{v}"' for k, v in value.items()) + " }"
    return json.dumps(value)


@contextmanager
def real_provider(*people: Mapping[str, Any]) -> Iterator[str]:
    """`oidc-provider-mock` as a process, with these people by their claims; its issuer."""
    port = free_port()
    users = [part for person in people for part in ("--user-claims", json.dumps(person))]
    program = Path(sys.executable).with_name("oidc-provider-mock")
    child = subprocess.Popen(
        [program, "--port", str(port), "--require-nonce", "true", *users],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    issuer = f"http://localhost:{port}"
    try:
        while not _answers(issuer):
            assert child.poll() is None, f"{program} ended with {child.returncode}"
            time.sleep(0.1)
        yield issuer
    finally:
        child.kill()
        child.wait()


def _answers(issuer: str) -> bool:
    try:
        urlopen(f"{issuer}/.well-known/openid-configuration", timeout=60).close()
    except OSError:
        return False
    return True


def _same(claims: dict[str, Any]) -> dict[str, Any]:
    return claims


@dataclass(eq=False)
class Liar:
    """A provider that signs whatever ``spoil`` makes of honest claims, in the way ``sign`` says."""

    issuer: str = ""
    calls_itself: str = ""
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = _same
    sign: str = "RS256"
    more: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "another"})
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, private=True))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    depth: int = 0

    def authorize(self, address: str) -> str:
        """What a browser is sent back with that was sent to this address."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
        code = f"code{len(self.codes)}"
        self.codes[code] = query
        return f"code={code}&state={query['state']}"

    async def describe(self, request: web.Request) -> web.Response:
        """Discovery."""
        base = self.issuer
        said = {
            "issuer": self.calls_itself or base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "userinfo_endpoint": f"{base}/userinfo",
            **self.more,
        }
        return web.json_response(said)

    async def keys(self, request: web.Request) -> web.Response:
        """Its keys."""
        if self.depth:
            text = '{"keys":' + "[" * self.depth + "]" * self.depth + "}"
            return web.Response(text=text, content_type="application/json")
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request: web.Request) -> web.Response:
        """A code for an ID token."""
        form = await request.post()
        asked = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or proof != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = self.spoil(
            {"iss": self.issuer, "sub": "liar-1", "aud": "windfall", "nonce": asked["nonce"],
             "iat": NOW, "exp": NOW + 300, "email": "ada@example.org", "email_verified": True}
        )  # fmt: skip
        return web.json_response({"id_token": self._signed(claims), "access_token": "x"})

    async def tell(self, request: web.Request) -> web.Response:
        """Userinfo."""
        return web.json_response(self.userinfo)

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.sign == "none":
            head, body = ({"alg": "none"}, claims)
            parts = [
                base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (head, body)
            ]
            return b".".join([*parts, b""]).decode()
        if self.sign == "HS256":
            return jwt.encode(
                {"alg": "HS256"}, claims, OctKey.import_key("a secret between the two")
            )
        key = self.key if self.sign == "RS256" else RSAKey.generate_key(2048, private=True)
        return jwt.encode({"alg": "RS256"}, claims, key)


@asynccontextmanager
async def liar() -> AsyncIterator[Liar]:
    """A lying provider that is served."""
    made, app = Liar(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.describe)
    app.router.add_get("/keys", made.keys)
    app.router.add_post("/token", made.token)
    app.router.add_get("/userinfo", made.tell)
    async with serving(app) as (host, port):
        made.issuer = f"http://{host}:{port}"
        yield made
        await asyncio.sleep(0)
