"""HEPiX hooks: a site's own tarball, which has the last word."""

from __future__ import annotations

from contexts.asking import line, switch
from contexts.made import Section
from contexts.shapes import NAME

PART = Section(
    "hepix",
    "Advanced",
    "HEPiX site context",
    "Applies the site's own tarball from the metadata host (CernVM 2 to 4).",
    (
        line("context", "Tarball", "default.tgz if none is given.", NAME, example="default.tgz"),
        switch("requiressl", "Only over TLS", "Whether it is refused over plain HTTP."),
    ),
    "hepix",
    "hepix",
    note="The site's prolog and epilog come with its tarball or its own CD, never with a context.",
)
