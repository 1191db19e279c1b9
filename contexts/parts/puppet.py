"""Puppet: the machine is configured by a puppet master."""

from __future__ import annotations

from contexts.asking import line, number
from contexts.made import Section
from contexts.shapes import HOST, OPTIONS, PATH, Shape

LOG = Shape(rf"syslog|{PATH.pattern}", "syslog, or a path from / on", "syslog")

PART = Section(
    "puppet",
    "Advanced",
    "Puppet agent",
    "Lets a puppet master configure the machine (CernVM 3 and 4).",
    (
        line(
            "server",
            "Master",
            "Who configures it.",
            HOST,
            required=True,
            example="puppet.example.org",
        ),
        number("port", "Port", "8140 if nothing is said.", 1, 65_535),
        line("log", "Log", "A file, or syslog.", LOG),
        line("options", "Options", "Handed to the agent.", OPTIONS),
    ),
    "puppet",
    "puppet",
    keys={
        "server": "puppet_server",
        "port": "puppet_port",
        "log": "puppet_log",
        "options": "puppet_extra_opts",
    },
    sourced=True,
)
