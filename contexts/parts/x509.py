"""A grid proxy certificate for a user of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contexts.asking import block, line
from contexts.files import file
from contexts.made import Made, written
from contexts.part import Machine, Pieces
from contexts.quoting import coded
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import PATH, PEM, USER

_PLACE = "/etc/grid-security/context-proxy.pem"


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "cert") and text(values, "file"):
        yield Fault("x509.file", "there is a certificate already: leave out this or that")


def _pieces(values: Values, machine: Machine) -> Pieces:
    user, cert, place = (text(values, key) for key in ("user", "cert", "file"))
    section = {
        "x509-user": user,
        "x509-cert": coded(cert) if cert else "",
        "x509-cert-file": place,
    }
    cloud: dict[str, Any] = {}
    if cert:
        owner = user or "root"
        copy = f'install -o {owner} -m 0600 {_PLACE} "/tmp/x509up_u$(id -u {owner})"'
        cloud = {
            "write_files": [file(_PLACE, cert, "0600")],
            "runcmd": [["sh", "-c", f"id {owner} >/dev/null 2>&1 && {copy} || true"]],
        }
    told = (
        "x509: user data can be read by every program on the machine; a short-lived proxy is best"
    )
    return Pieces(
        amiconfig=written("cernvm", section),
        plugins=("cernvm",) if any(section.values()) else (),
        cloud=cloud,
        secrets=("x509.cert",) if cert else (),
        warnings=(told,) if cert else (),
    )


PART = Made(
    "x509",
    "Users",
    "X.509 proxy",
    "Gives a user a grid proxy certificate as /tmp/x509up_u and the user's number.",
    (
        line("user", "User", "Whose it is; the first user, else root.", USER),
        block(
            "cert",
            "Proxy",
            "Certificate, key and chain in PEM.",
            PEM.example,
            shape=PEM,
            secret=True,
            longest=16_000,
        ),
        line(
            "file",
            "File",
            "Or a file of the image that it is copied from.",
            PATH,
            example="/etc/grid-security/proxy.pem",
        ),
    ),
    _pieces,
    _rules,
)
