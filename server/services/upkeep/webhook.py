"""Alerts by webhook: JSON sent by HTTPS, signed, and never to where it could do harm.

The address is checked when it is connected to, not before: a name that is looked up twice may lead
to two places. Nothing is followed, and nothing of an answer is read but its status.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from server.domain.telling import Line
from server.services.upkeep.channel import Message, NotTold

TIMEOUT = aiohttp.ClientTimeout(total=15.0, sock_connect=10.0)
SIGNATURE = "Windfall-Signature"
_STAY: dict[str, Any] = {"allow_redirects": False}


class PrivateAddress(OSError):
    """This address is on this machine or in a private network, and that was not allowed."""


@dataclass(frozen=True)
class Webhook:
    """An address that messages are sent to; ``private`` allows this machine and private networks.

    Each message carries ``Windfall-Signature: t=TIME,v1=HEX``: HMAC-SHA256 of ``TIME.BODY``.
    """

    url: str
    secret: str = field(default="", repr=False)
    private: bool = False
    name: str = "webhook"

    async def send(self, message: Message) -> None:
        """Send one. Raises NotTold."""
        body = json.dumps(document(message), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "Windfall-alerts"}
        if self.secret:
            headers[SIGNATURE] = signature(self.secret, int(message.at), body)
        if urlsplit(self.url).scheme != "https" and not self.private:
            raise NotTold("its address is not https://")
        connector = aiohttp.TCPConnector(socket_factory=self._socket, force_close=True)
        try:
            # No proxy of the environment: what it may reach is not what this server may.
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.post(self.url, data=body, headers=headers, **_STAY) as answer,
            ):
                if not 200 <= answer.status < 300:
                    raise NotTold(f"it answered {answer.status}")
        except NotTold:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotTold(_why(error)) from error
        finally:
            await asyncio.sleep(0)  # the connector closes its sockets in the next turn

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for an address, if that may be reached."""
        family, kind, protocol, _, place = address
        if not self.private and not is_open(str(place[0])):
            raise PrivateAddress("its address is in a private network (alerts.webhook_private)")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def is_open(address: str) -> bool:
    """Whether an address is one of the open internet: no machine of ours answers there."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if inner:
            return is_open(str(inner))
        if found in _NAT64:
            return is_open(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        if found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast


_UNICAST = ipaddress.ip_network("2000::/3")  # what of IPv6 is given out to the internet (RFC 4291)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address is in its last 32 bits


def signature(secret: str, at: int, body: bytes) -> str:
    """What a message is signed with: the time is in it, so that an old one is seen as such."""
    mac = hmac.digest(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hex()}"


def document(message: Message) -> dict[str, Any]:
    """A message as JSON."""
    return {
        "version": 1,
        "at": message.at,
        "url": message.url,
        "alerts": [_line(line) for line in message.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    alert, sign = line.alert, line.alert.sign
    return {
        "word": str(line.word), "id": alert.id, "kind": sign.kind, "subject": sign.subject,
        "level": str(sign.level), "state": str(alert.state), "cause": sign.cause,
        "cure": sign.cure, "first_at": alert.first_at, "since": alert.since,
        "last_at": alert.last_at, "count": alert.count,
    }  # fmt: skip


def _why(error: BaseException) -> str:
    """Why a message did not arrive, without the address, whose path may be a secret."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, PrivateAddress):
            return str(inner)
        inner = inner.__cause__ or getattr(inner, "os_error", None) or inner.__context__
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.InvalidURL):
        return "its address is none"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not believed"
    if isinstance(error, OSError):
        return "it cannot be reached"
    return type(error).__name__
