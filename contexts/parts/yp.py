"""NIS: users and groups of a site that still has it."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import line
from contexts.made import Section
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import HOST


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "ypserver") and text(values, "domain"):
        yield Fault("yp.domain", "there is a server by itself: leave out this or that")
    if text(values, "server") and not text(values, "domain"):
        yield Fault("yp.server", "a server of a domain needs the domain: give it, or use ypserver")


PART = Section(
    "yp",
    "Users",
    "NIS",
    "Takes users and groups from NIS (CernVM 3 and 4).",
    (
        line("ypserver", "Server by itself", "Without a domain.", HOST),
        line(
            "domain",
            "Domain",
            "Its servers are found by broadcast, unless one is named.",
            HOST,
            example="example.org",
        ),
        line("server", "Server of the domain", "Which one to ask.", HOST),
    ),
    "yp",
    "yp",
    rules=_rules,
)
