"""Squid: a proxy for CernVM-FS."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.addresses import bad_networks
from contexts.asking import line, number, several
from contexts.files import file
from contexts.made import Section
from contexts.part import Machine, Pieces
from contexts.reading import lines, text
from contexts.reading import number as figure
from contexts.schema import Document, Fault, Values
from contexts.shapes import HOST, PATH, Shape

_NETWORK = Shape(
    r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}(/[0-9]{1,3})?",
    "a network such as 192.0.2.0/24",
    "192.0.2.0/24",
)
_CONFIG = "/etc/squid/context.conf"
_START = (
    "command -v amiconfig >/dev/null || { command -v squid >/dev/null && "
    f"{{ grep -q {_CONFIG} /etc/squid/squid.conf || sed -i '1i include {_CONFIG}' "
    "/etc/squid/squid.conf; squid -z -N; systemctl enable squid; systemctl restart squid; }; }"
)
DISK_MB, FOLDER = 50_000, "/var/spool/squid"
"""What amiconfig takes if nothing is said."""


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    yield from bad_networks("squid.clients", lines(values, "clients"))


def _more(values: Values, machine: Machine) -> Pieces:
    size = figure(values, "size_mb") or DISK_MB
    found = [
        "max_filedescriptors 8192",
        "maximum_object_size 1024 MB",
        "cache_mem 128 MB",
        "maximum_object_size_in_memory 128 KB",
        f"cache_dir ufs {text(values, 'folder') or FOLDER} {size} 16 256",
        *(f"acl backend dst {host}" for host in lines(values, "backends")),
    ]
    if clients := lines(values, "clients"):
        found += [f"acl clients src {network}" for network in clients]
    who = " ".join(
        (["clients"] if clients else []) + (["backend"] if values.get("backends") else [])
    )
    found += [f"http_access allow {who}"] if who else []
    warnings = []
    if size > machine.disk_gb * 1000 * 8 // 10:
        warnings.append(
            f"squid: a cache of {size} MB is more than fits a disk of {machine.disk_gb} GB"
        )
    if not values.get("backends") and not clients:
        warnings.append("squid: neither servers nor clients are named; squid's own rules hold")
    cloud = {
        "packages": ["squid"],
        "write_files": [file(_CONFIG, "\n".join(found) + "\n")],
        "runcmd": [["sh", "-c", _START]],
    }
    return Pieces(cloud=cloud, warnings=tuple(warnings))


PART = Section(
    "squid",
    "Advanced",
    "Squid",
    "Makes the machine a proxy for CernVM-FS.",
    (
        several(
            "backends",
            "Servers",
            "Stratum 1 hosts that it may ask.",
            HOST,
            example=["stratum1.example.org"],
        ),
        line("folder", "Cache folder", f"{FOLDER} if none is given.", PATH, example=FOLDER),
        number(
            "size_mb", "Cache size", f"MB of disk; {DISK_MB} if nothing is said.", 100, 100_000_000
        ),
        several("clients", "Clients", "Networks that may use it (by cloud-init).", _NETWORK),
    ),
    "squid",
    "squid",
    keys={"folder": "cache_dir", "size_mb": "cache_dir_size", "clients": ""},
    more=_more,
    rules=_rules,
    note="On CernVM 3 and 4 amiconfig writes the configuration, elsewhere cloud-init does.",
)
