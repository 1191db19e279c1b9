"""What settings must be together, one beside the other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from server.settings import Settings


def together(settings: Settings) -> Iterator[tuple[str, str]]:
    """What does not go together, as (section.key, rule and cure)."""
    server = settings.server
    if bool(server.tls_cert) != bool(server.tls_key):
        missing = "tls_key" if server.tls_cert else "tls_cert"
        yield f"server.{missing}", "certificate and key come together; set both or none"
    for name, value in (("tls_cert", server.tls_cert), ("tls_key", server.tls_key)):
        if value and not Path(value).is_file():
            yield f"server.{name}", f"{value} is not a file; name the PEM file"
    for name in server.proxies:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            yield "server.proxies", f"{name!r} is no network; write it as in 192.0.2.0/24"
    if not (server.tls_cert or server.behind_proxy or is_loopback(server.host)):
        yield (
            "server.host",
            f"plain HTTP is spoken on loopback only, and {server.host or 'every address'} is not; "
            "set server.tls_cert and server.tls_key, or server.behind_proxy = true",
        )
    if not server.url and not is_loopback(server.host):
        yield (
            "server.url",
            "a server that others reach has to know under which address; "
            'set it, as in url = "https://windfall.example.org"',
        )
    if server.url.startswith("http:") and not (
        server.behind_proxy or is_loopback(urlsplit(server.url).hostname or "")
    ):
        yield "server.url", "plain HTTP is spoken on loopback only; write it with https://"


def is_loopback(host: str) -> bool:
    """Whether this address is reached from the same machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
