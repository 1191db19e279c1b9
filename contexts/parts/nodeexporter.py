"""Prometheus: figures of the machine for a Prometheus of the site."""

from __future__ import annotations

from contexts.asking import choice, number
from contexts.files import file
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import number as figure
from contexts.reading import text
from contexts.schema import Values

_UNITS = {
    "prometheus-node-exporter": ("/etc/default/prometheus-node-exporter", "ARGS"),
    "node-exporter": ("/etc/default/node-exporter", "NODE_EXPORTER_OPTS"),
    "golang-github-prometheus-node-exporter": ("/etc/default/node_exporter", "OPTIONS"),
}
"""Package (and unit) of the exporter: Debian and Ubuntu, EPEL 8, EPEL 9; where its options are."""


def _pieces(values: Values, machine: Machine) -> Pieces:
    package = text(values, "package")
    place, name = _UNITS[package]
    listen = f"--web.listen-address=:{figure(values, 'port')}"
    unit = place.rpartition("/")[2]
    start = f"systemctl enable {unit} && systemctl restart {unit} || true"
    cloud = {
        "packages": [package],
        "write_files": [file(place, f'{name}="{listen}"\n')],
        "runcmd": [["sh", "-c", start]],
    }
    return Pieces(
        cloud=cloud, warnings=("node-exporter: whoever reaches its port reads its figures",)
    )


PART = Made(
    "node-exporter",
    "Advanced",
    "Prometheus",
    "Shows load, memory and disks of the machine to a Prometheus of the site (by cloud-init).",
    (
        choice(
            "package",
            "Package",
            "Of Debian and Ubuntu, EPEL 8, or EPEL 9.",
            tuple(_UNITS),
            "prometheus-node-exporter",
            required=True,
        ),
        number("port", "Port", "Where it listens.", 1, 65_535, default=9100),
    ),
    _pieces,
)
