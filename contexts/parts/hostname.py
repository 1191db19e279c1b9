"""The machine's name."""

from __future__ import annotations

from contexts.asking import line
from contexts.made import Section
from contexts.part import Machine, Pieces
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import HOST


def _more(values: Values, machine: Machine) -> Pieces:
    name = text(values, "hostname")
    return Pieces(cloud={"hostname": name.partition(".")[0], "fqdn": name} if name else {})


PART = Section(
    "hostname",
    "Network",
    "Host name",
    "Names the machine; without a name, as the cloud's metadata say.",
    (line("hostname", "Host name", "In full.", HOST, example="batch-07.example.org", longest=253),),
    "hostname",
    "hostname",
    more=_more,
)
