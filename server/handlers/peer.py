"""Where a request comes from, as far as bounds on addresses go."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PROXIES: web.AppKey[tuple[Network, ...]] = web.AppKey("proxies")
"""The networks of the reverse proxies in front; none if the server is not behind one."""

LOOPBACK = ("127.0.0.0/8", "::1/128")
HOPS_MOST = 16  # entries of X-Forwarded-For that are looked at, from the nearest on


def networks(names: Sequence[str]) -> tuple[Network, ...]:
    """The networks of these names, loopback if there are none. Raises ValueError."""
    return tuple(ipaddress.ip_network(name, strict=False) for name in names or LOOPBACK)


def address_of(request: web.Request) -> str:
    """The address of who asks.

    What a proxy of ours says (X-Forwarded-For) is believed of the hop before it, from the nearest
    on, as far as the hops are proxies of ours; what anybody else says is not.
    """
    near = request.remote or ""
    proxies = request.app.get(PROXIES, ())
    if not proxies or not within(near, proxies):
        return near
    said = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for hop in reversed(said[-HOPS_MOST:]):
        plain = _plain(hop)
        if not plain:
            return near
        near = plain
        if not within(plain, proxies):
            break
    return near


def _plain(hop: str) -> str:
    """An address, which some proxies write with a port; empty if it is none."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def within(address: str, proxies: Sequence[Network]) -> bool:
    """Whether an address is in one of these networks."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in proxies)
