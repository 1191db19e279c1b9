"""A cluster whose workers find their head by this server's board of keys and values."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import choice, line
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.quoting import plain
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import URL, Shape

_PIN = Shape(r"[a-z0-9]{12,40}", "12 or more lower-case letters and digits", "a1b2c3d4e5f6")


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    head = text(values, "role") == "head"
    master = document.get("condor", {}).get("master")
    if head and master:
        yield Fault("condor.master", "this machine is the head of its cluster: leave it out")


def _pieces(values: Values, machine: Machine) -> Pieces:
    service = text(values, "service") or machine.server
    block = {"cvm_cluster_pin": text(values, "pin"), "cvm_service_url": plain(service)}
    if text(values, "role") == "head":
        block["cvm_cluster_master"] = "yes"
    return Pieces(
        ucernvm={key: value for key, value in block.items() if value},
        secrets=("cluster.pin",),
        warnings=() if service else ("cluster: no service is named; CernVM's own is switched off",),
    )


PART = Made(
    "cluster",
    "Advanced",
    "Cluster",
    "Lets workers of a cluster find their head (CernVM 4).",
    (
        line(
            "pin",
            "Cluster PIN",
            "Of the board; it is made with the cluster and holds for a day.",
            _PIN,
            required=True,
            secret=True,
        ),
        choice(
            "role",
            "Role",
            "The head tells its address, workers wait for it.",
            ("worker", "head"),
            "worker",
        ),
        line(
            "service",
            "Service",
            "Whose board it is; this pool's if none is given.",
            URL,
            example="https://pool.example.org",
        ),
    ),
    _pieces,
    _rules,
    "In parts of a worker the word ###MASTER_IP_PLACEHOLDER### becomes the head's address.",
)
