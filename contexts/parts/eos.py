"""EOS mounted under /eos by the proxy certificate of a user."""

from __future__ import annotations

from contexts.asking import block, line, number
from contexts.made import Made, written
from contexts.part import Machine, Pieces
from contexts.quoting import coded
from contexts.reading import number as figure
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import PEM, SERVER, USER


def _pieces(values: Values, machine: Machine) -> Pieces:
    cert = text(values, "cert")
    section = {
        "eos-server": text(values, "server"),
        "eos-user": text(values, "user"),
        "eos-x509-cert": coded(cert) if cert else "",
        "eos-readaheadsize": _figure(values, "readahead"),
        "eos-readcachesize": _figure(values, "readcache"),
    }
    return Pieces(
        amiconfig=written("cernvm", section),
        plugins=("cernvm",) if any(section.values()) else (),
        secrets=("eos.cert",) if cert else (),
    )


def _figure(values: Values, key: str) -> str:
    found = figure(values, key)
    return "" if found is None else str(found)


PART = Made(
    "eos",
    "Storage",
    "EOS",
    "Mounts EOS under /eos for a user (CernVM 3 and 4).",
    (
        line("server", "Server", "Its host.", SERVER, required=True, example="eos.example.org"),
        line("user", "User", "For whom; the first user if none is given.", USER),
        block(
            "cert",
            "Proxy",
            "Another than that of the part x509, in PEM.",
            PEM.example,
            shape=PEM,
            secret=True,
            longest=16_000,
        ),
        number("readahead", "Read ahead", "Bytes; 4000000 if nothing is said.", 0, 1_000_000_000),
        number("readcache", "Read cache", "Bytes; 16000000 if nothing is said.", 0, 10_000_000_000),
    ),
    _pieces,
    note="amiconfig needs a proxy, here or in the part x509: without one it fails where it mounts.",
)
