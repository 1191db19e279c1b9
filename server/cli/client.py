"""The admin API as the commands use it: JSON in and out, bundles up, outputs down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from server.accord import is_loopback
from server.cli.exits import NotReached, Refused, WrongUse, refusal
from vmagent.wire import codec
from vmagent.wire.messages import PROTOCOL, Problem

BASE = "/api/v1"
PIECE = 1 << 18
PROBLEM_MOST = 1 << 20


class Client:
    """A server and a token to speak to it with; the token goes into no address and no message."""

    def __init__(self, url: str, token: str, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise WrongUse(f"{url}: the address of a server begins with https:// (or http://)")
        if parts.scheme == "http" and token and not is_loopback(parts.hostname):
            raise WrongUse(
                f"{url}: a token is sent over plain HTTP to this machine alone; use https://"
            )
        self.url = url.rstrip("/")
        self._token = token
        self._pool = urllib3.PoolManager(retries=False)
        self._timeout_s = timeout_s

    def _timeout(self, timeout_s: float | None) -> urllib3.Timeout:
        return urllib3.Timeout(connect=10.0, read=timeout_s or self._timeout_s)

    def get(
        self,
        *path: str | int,
        public: bool = False,
        base: str = BASE,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """What is at this path, decoded."""
        asked = f"?{urlencode(query)}" if query else ""
        with self._answer("GET", _join(base, path) + asked, public=public) as response:
            return _decoded(response)

    def text(self, *path: str | int) -> str:
        """The text at this path."""
        with self._answer("GET", _join(BASE, path)) as response:
            return response.data.decode("utf-8", "replace")

    def post(
        self,
        *path: str | int,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to this message, decoded; waited for ``timeout_s`` seconds if it is slow."""
        return self._said("POST", path, body, timeout_s, query)

    def delete(self, *path: str | int, query: Mapping[str, str] | None = None) -> Any:
        """The answer to the wish that what is at this path goes."""
        asked = f"?{urlencode(query)}" if query else ""
        with self._answer("DELETE", _join(BASE, path) + asked) as response:
            return _decoded(response)

    def put(self, *path: str | int, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to this message, which takes the place of what is at this path."""
        return self._said("PUT", path, body, None)

    def _said(
        self,
        method: str,
        path: tuple[str | int, ...],
        body: Mapping[str, Any] | None,
        timeout_s: float | None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        asked = f"?{urlencode(query)}" if query else ""
        try:
            raw = codec.encode(body or {})
        except codec.BadMessage as error:
            raise WrongUse("a number is nan or infinite; give a plain one") from error
        headers = {"Content-Type": "application/json"}
        where = _join(BASE, path) + asked
        with self._answer(method, where, headers, raw, timeout_s=timeout_s) as response:
            return _decoded(response)

    def put_file(
        self,
        *path: str | int,
        file: Path,
        headers: Mapping[str, str],
        advance: Callable[[int], None],
    ) -> Any:
        """The answer to the bytes of this file; ``advance`` is told of each piece on its way."""
        length = {"Content-Length": str(file.stat().st_size)}
        kind = {"Content-Type": "application/octet-stream"}
        with (
            file.open("rb") as source,
            self._answer(
                "PUT", _join(BASE, path), {**headers, **length, **kind}, _pieces(source, advance)
            ) as response,
        ):
            return _decoded(response)

    @contextmanager
    def stream(
        self, *path: str | int, headers: Mapping[str, str]
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer of bytes, to be read piece by piece; a 416 comes through."""
        with self._answer("GET", _join(BASE, path), headers, passing=(416,)) as response:
            yield response

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        public: bool = False,
        passing: tuple[int, ...] = (),
        timeout_s: float | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        sent = {"Accept-Encoding": "identity", "User-Agent": "windfall", **(headers or {})}
        if self._token and not public:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            response = self._pool.request(
                method,
                self.url + path,
                headers=sent,
                body=body,
                preload_content=False,
                redirect=False,
                timeout=self._timeout(timeout_s),
            )
            try:
                if response.status >= 300 and response.status not in passing:
                    raise _refused(response, self.url)
                yield response
            finally:
                # Not given back for the next request: some of the answer may be unread.
                response.close()
        except HTTPError as error:
            raise NotReached(f"{self.url}: {_why(error, self.url)}") from error


def _join(base: str, path: tuple[str | int, ...]) -> str:
    return base + "".join(f"/{quote(str(part), safe='')}" for part in path)


def _pieces(source: Any, advance: Callable[[int], None]) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece
        advance(len(piece))


def _decoded(response: urllib3.BaseHTTPResponse) -> Any:
    raw = response.data
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise Refused("the answer is not JSON; is there a Windfall server at this address?") from (
            error
        )


def _refused(response: urllib3.BaseHTTPResponse, url: str) -> Exception:
    raw = response.read(PROBLEM_MOST)
    try:
        problem = codec.decode(raw, Problem)
    except codec.BadMessage:
        if response.status in (502, 503, 504):
            return NotReached(f"{url}: a gateway answers {response.status}; is the server running?")
        return Refused(
            f"{url}: answered {response.status} without saying why; is this a Windfall server "
            f"(protocol {PROTOCOL})?",
            status=response.status,
        )
    return refusal(problem, response.headers.get("Retry-After"))


def _plain(url: str) -> str:
    parts = urlsplit(url)
    told = "the server speaks plain HTTP there, not HTTPS; "
    if is_loopback(parts.hostname or ""):
        return f"{told}try http://{parts.netloc}{parts.path}"
    return f"{told}a token is sent over that on loopback only, so try its HTTPS address or port"


def _why(error: HTTPError, url: str) -> str:
    """What an error of the connection means to a person."""
    match error:
        case SSLError() if "WRONG_VERSION_NUMBER" in str(error):
            return _plain(url)
        case SSLError():
            return (
                f"its certificate is not believed ({error}); name the authority's PEM file in "
                "$SSL_CERT_FILE"
            )
        case NewConnectionError():
            return "nothing answers there; is the server running, and is the address right?"
        case ConnectTimeoutError() | ReadTimeoutError():
            return "it did not answer in time; try again"
        case _:
            return f"the connection broke ({type(error).__name__}); try again"
