"""Name services: where the machine looks up users, hosts and so on."""

from __future__ import annotations

from contexts.asking import line
from contexts.made import Section
from contexts.shapes import Shape

DATABASES = (
    *("passwd", "group", "shadow", "hosts", "bootparams", "ethers", "netmasks", "networks"),
    *("protocols", "rpc", "services", "netgroup", "publickey", "automount", "aliases"),
)
_SOURCES = Shape(
    r"[a-z][a-z0-9_]{1,20}( [a-z][a-z0-9_]{1,20}){0,5}",
    "sources, one blank between them",
    "files sss",
)

PART = Section(
    "nss",
    "Advanced",
    "Name services",
    "Writes /etc/nsswitch.conf (CernVM 3 and 4).",
    tuple(
        line(name, name, f"Sources of {name}, the first asked first.", _SOURCES)
        for name in DATABASES
    ),
    "nss",
    "nss",
)
