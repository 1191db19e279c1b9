"""Carbon (Graphite): figures of the machine sent to the site's time series, by collectd."""

from __future__ import annotations

from contexts.asking import line, number
from contexts.files import file
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import number as figure
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import HOST, Shape

_PREFIX = Shape(
    r"[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){0,5}\.?", "words with dots", "na61.pool."
)
_PLUGINS = ("cpu", "load", "memory", "df", "disk", "interface", "swap", "write_graphite")


def _pieces(values: Values, machine: Machine) -> Pieces:
    config = f"Interval {figure(values, 'interval_s')}\n"
    config += "".join(f"LoadPlugin {name}\n" for name in _PLUGINS)
    config += (
        '<Plugin write_graphite>\n  <Node "context">\n'
        f'    Host "{text(values, "host")}"\n    Port "{figure(values, "port")}"\n'
        f'    Protocol "tcp"\n    Prefix "{text(values, "prefix")}"\n  </Node>\n</Plugin>\n'
    )
    start = "systemctl enable collectd && systemctl restart collectd || true"
    cloud = {
        "packages": ["collectd"],
        "write_files": [file(path, config) for path in _PLACES],
        "runcmd": [["sh", "-c", start]],
    }
    return Pieces(cloud=cloud)


_PLACES = ("/etc/collectd.d/context.conf", "/etc/collectd/collectd.conf.d/context.conf")
"""Where collectd looks on EL, and on Debian."""

PART = Made(
    "carbon",
    "Advanced",
    "Carbon",
    "Sends load, memory and disks of the machine to the site's Carbon (by cloud-init).",
    (
        line(
            "host",
            "Server",
            "The Carbon of the site.",
            HOST,
            required=True,
            example="carbon.example.org",
        ),
        number("port", "Port", "Of its plain-text protocol.", 1, 65_535, default=2003),
        line("prefix", "Prefix", "In front of every name.", _PREFIX),
        number("interval_s", "Every", "Seconds between two figures.", 1, 3600, default=60),
    ),
    _pieces,
)
