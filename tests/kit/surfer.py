"""A browser without a screen: it keeps cookies, and sends the forms of the pages it was shown."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Shown:
    """What came back: a page, or where to go on to."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def onto(self) -> str:
        """Where to go on to; empty if it is a page."""
        return self.headers.get("Location", "")

    @property
    def csrf(self) -> str:
        """The value of its forms."""
        found = _CSRF.search(self.text)
        return html.unescape(found[1]) if found else ""


@dataclass(eq=False)
class Surfer:
    """A browser on one site."""

    url: str
    session: aiohttp.ClientSession
    csrf: str = ""

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Shown:
        """A page; its forms can be sent next."""
        return await self._ask("GET", path, None, headers)

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Shown:
        """A form as the last page had it, unless ``fields`` say otherwise."""
        return await self._ask("POST", path, {"csrf": self.csrf, **(fields or {})}, headers)

    async def send(
        self,
        path: str,
        form: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Shown:
        """The form of the page at ``form``, sent to ``path``."""
        await self.get(form)
        return await self.post(path, fields, headers)

    async def log_in(self, name: str, password: str, onto: str = "/") -> Shown:
        """Log in from the page for it."""
        fields = {"name": name, "password": password, "next": onto}
        return await self.send("/login", "/login", fields)

    def cookie(self, word: str) -> str:
        """The value of a cookie; empty if it has none."""
        found = self.session.cookie_jar.filter_cookies(URL(self.url)).get(f"windfall-{word}")
        return found.value if found else ""

    def bring(self, word: str, value: str) -> None:
        """Have this cookie, wherever it was got from."""
        self.session.cookie_jar.update_cookies({f"windfall-{word}": value}, URL(self.url))

    async def _ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> Shown:
        async with self.session.request(
            method, self.url + path, data=fields, headers=headers, allow_redirects=False
        ) as reply:
            shown = Shown(reply.status, await reply.text(), reply.headers.copy())
        self.csrf = shown.csrf or self.csrf
        return shown


@asynccontextmanager
async def surfer(url: str) -> AsyncIterator[Surfer]:
    """A browser that knows nothing yet."""
    jar = aiohttp.CookieJar(unsafe=True)  # of addresses that are numbers too
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Surfer(url, session)
