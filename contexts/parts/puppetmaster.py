"""Puppet: the machine is a master that configures others."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import line, several
from contexts.made import Section
from contexts.parts.puppet import LOG
from contexts.schema import Document, Fault, Values
from contexts.shapes import OPTIONS, PATH, Shape

_PORT = Shape(r"[1-9][0-9]{0,4}", "a port", "8140")


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if "puppet" in document:
        text = "amiconfig sets up an agent or a master, never both: leave one of the parts out"
        yield Fault("puppetmaster", text)


PART = Section(
    "puppetmaster",
    "Advanced",
    "Puppet master",
    "Makes the machine a puppet master (CernVM 3 and 4).",
    (
        line(
            "manifest",
            "Manifest",
            "What it starts from.",
            PATH,
            example="/etc/puppet/manifests/site.pp",
        ),
        several("ports", "Ports", "8140 if none is given.", _PORT, longest=10),
        line("log", "Log", "A file, or syslog.", LOG),
        line("options", "Options", "Handed to the master.", OPTIONS, example="--no-ca"),
    ),
    "puppet",
    "puppet",
    keys={
        "manifest": "puppetmaster_manifest",
        "ports": "puppetmaster_ports",
        "log": "puppetmaster_log",
        "options": "puppetmaster_extra_opts",
    },
    between=" ",
    sourced=True,
    rules=_rules,
)
