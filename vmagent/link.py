"""HTTPS to the server: one pool, kept-alive, verified, bounded; errors by name."""

from __future__ import annotations

import email.utils
import hashlib
import ipaddress
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional, Union

import urllib3

from vmagent import __version__, errors
from vmagent.plaintext import printable
from vmagent.sockets import OPTIONS, OpenOnes
from vmagent.wire import jws, messages, pairing

ANSWER_MOST = 8 * 1024 * 1024
CONNECT_S = 10.0
READ_S = 60.0
BANNED = "agent-banned"  # the word of a refusal of this version of the agent
UNKNOWN = "unknown"  # the word of a refusal that is no problem details: a proxy's, not the server's


def check_url(url: str) -> str:
    """The server's address in its plain form; `WrongOption` unless https, or http on loopback."""
    parts = urllib.parse.urlsplit(url)
    if parts.username or parts.query or parts.fragment:
        raise errors.WrongOption(f"server {url}: only scheme, host, port and path; cut it")
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname and _loopback(parts.hostname):
        return url.rstrip("/")
    raise errors.WrongOption(
        f"server {url}: must be https (http on loopback only); write https://HOST"
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> Optional[str]:
    """The proxy that the environment names for this address, if any."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if _loopback(host) or urllib.request.proxy_bypass(parts.netloc):
        return None
    found = urllib.request.getproxies()
    proxy = found.get(parts.scheme) or found.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def seconds_of(header: Optional[str], now: float) -> float:
    """Retry-After in seconds, from either of its forms (RFC 9110, 10.2.3); at most an hour."""
    if not header:
        return 0.0
    try:
        return min(3600.0, max(0.0, float(header)))
    except ValueError:
        pass
    try:
        return min(3600.0, max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now))
    except (TypeError, ValueError, OverflowError):
        return 0.0


class Answer:
    """Status, headers and body of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Link:
    """Requests to one server; safe to share between threads. Nothing here tries twice."""

    def __init__(
        self, server: str, token: str = "", ca: Optional[str] = None, connections: int = 4
    ) -> None:
        self.server = check_url(server)
        self._token = token
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        options: dict[str, Any] = {
            "num_pools": 2,
            "maxsize": connections,
            "block": False,
            "retries": False,
            "ssl_context": context,
            "socket_options": OPTIONS,
            "timeout": urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        }
        proxy = proxy_for(self.server)
        self._pool: Union[urllib3.PoolManager, urllib3.ProxyManager] = (
            urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        )
        self._open_ones = OpenOnes()
        self._pool.pool_classes_by_scheme = self._open_ones.pools()

    def use(self, token: str) -> None:
        """Send this token with whatever is requested from now on."""
        self._token = token

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()

    def renew(self) -> None:
        """Let every connection go, those in use too: what waits on them fails at once."""
        self._open_ones.cut()
        self._pool.clear()

    def request(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        *,
        most: int = ANSWER_MOST,
        read_s: float = READ_S,
        auth: bool = True,
    ) -> Answer:
        """The answer to a request below ``/api/v1``, if it is a good one; else its `LinkFault`."""
        with self._open(method, path, body, headers, read_s=read_s, auth=auth) as response:
            raw = _bounded(response, most)
            answer = Answer(response.status, response.headers, raw)
        _judge(answer)
        return answer

    def download(self, path: str, most: int) -> Iterator[bytes]:
        """The body of a GET in pieces, at most ``most`` bytes."""
        with self._open("GET", path, None, None, read_s=READ_S, auth=True) as response:
            if response.status != 200:
                _judge(Answer(response.status, response.headers, _bounded(response, ANSWER_MOST)))
            got = 0
            try:
                for piece in response.stream(1 << 18, decode_content=False):
                    got += len(piece)
                    if got > most:
                        raise errors.AnswerUnreadable(f"{path}: more than {most} bytes")
                    yield piece
            except urllib3.exceptions.HTTPError as error:
                raise errors.NetworkDown(_plain(error)) from error

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: Optional[bytes],
        headers: Optional[Mapping[str, str]],
        *,
        read_s: float,
        auth: bool,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        sent = {
            "User-Agent": f"windfall-agent/{__version__}",
            "Accept": "application/json, application/problem+json, */*;q=0.5",
            "Windfall-Protocol": str(messages.PROTOCOL),
            **(headers or {}),
        }
        if auth and self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            response = self._pool.request(
                method,
                f"{self.server}/api/v1{path}",
                body=body,
                headers=sent,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _away(error, self.server) from error
        drained = False
        try:
            yield response
            drained = True
        finally:
            if drained:
                response.release_conn()
            else:
                response.close()


def content_digest(raw: bytes) -> str:
    """The Content-Digest of a body (RFC 9530)."""
    import base64

    return f"sha-256=:{base64.b64encode(hashlib.sha256(raw).digest()).decode()}:"


def _plain(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(error).__name__}: {reason}"[:300]


def _away(error: BaseException, server: str) -> errors.NetworkDown:
    """Why there is no connection; urllib3 wraps what the TLS library says, more than once."""
    text = _plain(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return errors.CertificateRefused(f"{server}: {text}")
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
        return errors.NoTls(f"{server} answers in plain HTTP, or what else it is")
    return errors.NetworkDown(text)


def _bounded(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    # Not asked for, and a few kilobytes of it could unpack to gigabytes.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.AnswerUnreadable("a compressed answer, which was not asked for")
    try:
        raw = response.read(most + 1, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise errors.NetworkDown(_plain(error)) from error
    if len(raw) > most:
        raise errors.AnswerUnreadable(f"an answer of more than {most} bytes")
    return raw


def _judge(answer: Answer) -> None:
    spoken = answer.headers.get("Windfall-Protocol")
    if spoken is not None and spoken != str(messages.PROTOCOL):
        raise errors.ProtocolUnknown(f"it speaks {spoken[:20]}, this agent {messages.PROTOCOL}")
    if 200 <= answer.status < 300:
        return
    word, detail = _problem(answer)
    wait = seconds_of(answer.headers.get("Retry-After"), time.time())
    if answer.status in (408, 425, 429) or answer.status >= 500:
        raise errors.ServerBusy(f"{answer.status} {word}: {detail}", wait, word)
    if 300 <= answer.status < 400:
        raise errors.RequestRefused(
            answer.status, "redirected", "redirects are not followed, the token is for one server"
        )
    if word == BANNED:
        raise errors.AgentBanned(answer.status, word, detail, wait)
    kind = errors.TokenRefused if answer.status == 401 else errors.RequestRefused
    if answer.status == 410 and word == pairing.UNMANAGED:
        kind = errors.Unmanaged
    raise kind(answer.status, word, detail)


def _problem(answer: Answer) -> tuple[str, str]:
    from vmagent.wire import codec

    try:
        problem = codec.decode(answer.body, messages.Problem)
    except codec.BadMessage:
        return UNKNOWN, printable(answer.body[:200].decode("utf-8", "replace"))
    return printable(problem.code[:64]), printable(problem.detail[:300])


def statement_text(answer: Answer) -> str:
    """A signed statement as it came; `AnswerUnreadable` if it is none."""
    if len(answer.body) > jws.TEXT_MOST:
        raise errors.AnswerUnreadable("a statement beyond the longest allowed")
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise errors.AnswerUnreadable("a statement that is not ASCII") from error
