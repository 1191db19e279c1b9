"""A server that answers https with a certificate of its own, and its certificate for clients."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server import wiring
from server.cli.start import set_up
from server.configure import read
from tests.kit.house import House


def certify(
    folder: Path, *addresses: str, days: float = 1.0, since: float = -1.0
) -> tuple[Path, Path]:
    """A certificate for these addresses, which is its own authority, and its key.

    It is good for so many days from now, since so many.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    there = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=since))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(there), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    return cert, private


@asynccontextmanager
async def tls_house(folder: Path, *addresses: str, **options: str) -> AsyncIterator[House]:
    """A server with https on loopback, for these addresses besides; see `tests.kit.house.house`."""
    cert, key = certify(folder, "127.0.0.1", *addresses)
    told = {"server.tls_cert": str(cert), "server.tls_key": str(key), "server.port": "0"}
    settings = read({"server.data": str(folder / "data"), **told, **options})
    release = folder / "release.key"
    set_up(settings, release)
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(cert)))
    async with wiring.running(settings) as running, aiohttp.ClientSession(connector=trust) as line:
        admin = settings.admin_token.read_text().strip()
        yield House(settings, running, line, release, admin)
