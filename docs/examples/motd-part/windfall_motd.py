"""A part of contexts: a greeting for whoever logs in."""

from __future__ import annotations

from contexts.asking import line
from contexts.files import file
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.quoting import word
from contexts.reading import text
from contexts.schema import Values
from contexts.shapes import Shape

GREETING = Shape(r"[A-Za-z0-9 .,:!?-]{1,120}", "plain words in one line", "Welcome to NA61!")


def _pieces(values: Values, machine: Machine) -> Pieces:
    greeting = text(values, "greeting")
    return Pieces(
        cloud={"write_files": [file("/etc/motd", f"{greeting}\n")]},
        after=(f"echo {word(greeting)} > /etc/motd",),
    )


PART = Made(
    name="motd",
    tab="Advanced",
    title="Greeting",
    summary="Greets whoever logs in.",
    fields=(line("greeting", "Greeting", "Shown at login.", GREETING, required=True),),
    make=_pieces,
)
