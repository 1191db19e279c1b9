"""No passwords over SSH."""

from __future__ import annotations

from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.schema import Values


def _pieces(values: Values, machine: Machine) -> Pieces:
    return Pieces(plugins=("disablesshpasswdauth",), cloud={"ssh_pwauth": False})


PART = Made(
    "disablesshpasswdauth",
    "Users",
    "No passwords over SSH",
    "Lets nobody in over SSH by a password; keys alone count.",
    (),
    _pieces,
)
