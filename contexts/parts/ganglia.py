"""Ganglia: tells a gmond of the site how the machine does."""

from __future__ import annotations

from contexts.asking import line, number, switch
from contexts.made import Section
from contexts.shapes import HOST, Shape

_PLAIN = Shape(
    r"[A-Za-z0-9][A-Za-z0-9._,@+-]{0,79}",
    "letters, digits and . _ , @ + - without blanks (amiconfig runs it through shell and sed)",
    "na61-pool",
)

PART = Section(
    "ganglia",
    "Advanced",
    "Ganglia",
    "Tells a Ganglia of the site how the machine does (CernVM 3 and 4).",
    (
        line("name", "Cluster", "Its name; CernVM if none is given.", _PLAIN),
        line("owner", "Owner", "Whose it is.", _PLAIN),
        line("latlong", "Position", "As N46.23,E6.05.", _PLAIN, example="N46.23,E6.05"),
        line("url", "Page", "A host; a path or scheme would break amiconfig's sed.", HOST),
        line("location", "Location", "Where it stands.", _PLAIN, example="rack-7"),
        line("host", "Collector", "Which gmond it tells; localhost if none is given.", HOST),
        switch(
            "bind_hostname", "Bind host name", "Sends from the address of its name; yes by itself."
        ),
        number("port", "Port", "8649 if nothing is said.", 1, 65_535),
        number("ttl", "Hops", "How far multicast goes; 1 if nothing is said.", 1, 255),
    ),
    "ganglia",
    "ganglia",
    note="amiconfig puts the values into a command line of root's shell and of sed without "
    "quotes: blanks and slashes end it, so there are none here.",
)
