"""amiconfig itself: plug-ins that are not to run."""

from __future__ import annotations

from contexts.asking import several
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import lines
from contexts.schema import Values
from contexts.shapes import NAME


def _pieces(values: Values, machine: Machine) -> Pieces:
    found = " ".join(lines(values, "disabled"))
    return Pieces(amiconfig={"amiconfig": {"disabled_plugins": found}} if found else {})


PART = Made(
    "amiconfig",
    "Advanced",
    "amiconfig",
    "Switches off plug-ins that CernVM 3 and 4 would run by themselves.",
    (
        several(
            "disabled",
            "Switched off",
            "Words such as rootsshkeys.",
            NAME,
            example=["rootsshkeys"],
            adds=True,
        ),
    ),
    _pieces,
)
