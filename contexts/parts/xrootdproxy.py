"""An XRootD proxy with a disk cache in front of a storage element."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import line, number, several
from contexts.files import file
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import lines, text
from contexts.reading import number as figure
from contexts.schema import Values
from contexts.shapes import PATH, SERVER, Shape

_CONFIG = "/etc/xrootd/xrootd-proxy.cfg"
_USERS = Shape(
    r"[A-Za-z0-9.:-]{0,60}\*?[A-Za-z0-9.:-]{1,60}",
    "a host, an address, or a pattern with one *",
    "*.example.org",
)
_START = (
    "command -v xrootd >/dev/null && { install -d -o xrootd -g xrootd %s && "
    "systemctl enable xrootd@proxy && systemctl restart xrootd@proxy; } || true"
)


def _pieces(values: Values, machine: Machine) -> Pieces:
    folder = text(values, "folder")
    cloud = {
        "packages": ["xrootd-server", "xrootd-client"],
        "write_files": [file(_CONFIG, "\n".join([*_config(values), ""]))],
        "runcmd": [["sh", "-c", _START % folder]],
    }
    return Pieces(cloud=cloud, warnings=tuple(_warnings(values, machine)))


def _config(values: Values) -> Iterator[str]:
    yield "ofs.osslib libXrdPss.so"
    yield f"pss.origin {text(values, 'origin')}"
    yield f"all.export {text(values, 'export')}"
    yield f"xrd.port {figure(values, 'port')}"
    yield "pss.cachelib libXrdPfc.so"
    yield f"oss.localroot {text(values, 'folder')}"
    yield f"pfc.ram {figure(values, 'memory_mb')}m"
    size = figure(values, "size_gb") or 0
    yield f"pfc.diskusage {size * 8 // 10 or 1}g {size * 9 // 10 or size}g"
    yield from (f"xrd.allow host {client}" for client in lines(values, "clients"))


def _warnings(values: Values, machine: Machine) -> Iterator[str]:
    size = figure(values, "size_gb") or 0
    if size >= machine.disk_gb:
        yield f"xrootd-proxy: a cache of {size} GB does not fit a disk of {machine.disk_gb} GB"
    if not lines(values, "clients"):
        yield "xrootd-proxy: no clients are named, so everybody may read through it"


PART = Made(
    "xrootd-proxy",
    "Storage",
    "XRootD proxy",
    "Makes the machine an XRootD proxy with a disk cache in front of a storage (by cloud-init).",
    (
        line(
            "origin",
            "Storage",
            "Host and port that it reads from.",
            SERVER,
            required=True,
            example="storage.example.org:1094",
        ),
        line(
            "export",
            "Folder",
            "What of it is served.",
            PATH,
            default="/",
            example="/data",
            required=True,
        ),
        number("port", "Port", "Where it listens.", 1, 65_535, default=1094),
        line(
            "folder",
            "Cache folder",
            "On a disk of its own, best.",
            PATH,
            default="/var/spool/xcache",
            required=True,
            example="/var/spool/xcache",
        ),
        number("size_gb", "Cache size", "GB of disk that it may fill.", 10, 1_000_000, default=100),
        number("memory_mb", "Memory", "MB for blocks on their way.", 1024, 1_000_000, default=1024),
        several("clients", "Clients", "Hosts that may read; everybody if none is named.", _USERS),
    ),
    _pieces,
    note="No plug-in of amiconfig does it: cloud-init writes the configuration and starts the "
    "service `xrootd@proxy`.",
)
