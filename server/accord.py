"""What settings must be together, one beside the other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from server.sections import Mail
from server.settings import Settings

SECRET_LEAST = 16  # characters
MAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def together(settings: Settings) -> Iterator[tuple[str, str]]:
    """What does not go together, as (section.key, rule and cure)."""
    server = settings.server
    if bool(server.tls_cert) != bool(server.tls_key):
        missing = "tls_key" if server.tls_cert else "tls_cert"
        yield f"server.{missing}", "certificate and key come together; set both or none"
    files = {
        "server.tls_cert": (server.tls_cert, "the PEM file"),
        "server.tls_key": (server.tls_key, "the PEM file"),
        "accounts.providers": (settings.accounts.providers, "the TOML file, or leave it empty"),
    }
    for name, (value, wanted) in files.items():
        if value and not Path(value).is_file():
            yield name, f"{value} is not a file; name {wanted}"
    yield from mail_together(settings.mail)
    yield from alerts_together(settings)
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


def mail_together(mail: Mail) -> Iterator[tuple[str, str]]:
    """What does not go together in it, as (section.key, rule and cure)."""
    if mail.host and not mail.sender:
        yield "mail.sender", "letters need an address that they come from; set it"
    if mail.host and mail.security == "none" and not is_loopback(mail.host):
        yield "mail.security", "links in letters are secrets; set it to starttls or tls"
    if mail.user and not mail.password_file:
        yield "mail.password_file", "mail.user needs a password; name the file that holds it"
    if mail.password_file and not Path(mail.password_file).is_file():
        yield "mail.password_file", f"{mail.password_file} is not a file; name the one to read"


def alerts_together(settings: Settings) -> Iterator[tuple[str, str]]:
    """What of operations does not go together, as (section.key, rule and cure)."""
    alerts, watched = settings.alerts, settings.operations
    if settings.metrics.access == "loopback" and settings.server.behind_proxy:
        yield (
            "metrics.access",
            "behind a proxy all seem to come from this machine; use token, public or off",
        )
    if alerts.webhook.startswith("http:") and not alerts.webhook_private:
        yield "alerts.webhook", "write it with https://, or set alerts.webhook_private = true"
    secret = alerts.webhook_secret_file
    if alerts.webhook and not secret:
        yield "alerts.webhook_secret_file", "who listens has to know us; name a file with a secret"
    if secret and not Path(secret).is_file():
        yield "alerts.webhook_secret_file", f"{secret} is not a file; name the one to read"
    elif secret and len(Path(secret).read_bytes().strip()) < SECRET_LEAST:
        yield (
            "alerts.webhook_secret_file",
            f"{secret} has fewer than {SECRET_LEAST} characters; openssl rand -hex 32 makes one",
        )
    if alerts.mail_to and not settings.mail.host:
        yield "alerts.mail_to", "no mail is sent without mail.host; set it"
    for address in alerts.mail_to:
        if not MAIL.fullmatch(address):
            yield "alerts.mail_to", f"{address!r} is no address; write them as name@example.org"
    for name, warn, bad in (
        ("silent_bad_s", -watched.silent_warn_s, -watched.silent_bad_s),
        ("space_bad_percent", watched.space_warn_percent, watched.space_bad_percent),
        ("expiry_bad_days", watched.expiry_warn_days, watched.expiry_bad_days),
    ):
        if bad > warn:
            yield f"operations.{name}", "pink comes after amber; see the setting of the warning"
