"""The web console inside old CernVMs."""

from __future__ import annotations

from contexts.asking import line
from contexts.made import Section
from contexts.part import Machine, Pieces
from contexts.schema import Values
from contexts.shapes import SECRET


def _more(values: Values, machine: Machine) -> Pieces:
    return Pieces(warnings=("appliance-agent: a web console inside the machine answers as root",))


PART = Section(
    "appliance-agent",
    "Advanced",
    "Appliance agent",
    "Sets the password of the web console inside the machine (CernVM 3 and 4).",
    (line("password", "Password", "Of the user admin.", SECRET, secret=True),),
    "appliance-agent",
    "appliance-agent",
    more=_more,
    note="CernVM Online wrote a section `cernvm_appliance`, which no plug-in reads.",
)
