"""Dynamic DNS (RFC 2136): the machine enters its address into the site's name server."""

from __future__ import annotations

from contexts.asking import line, number
from contexts.made import Section
from contexts.parts.noip import PREFIX
from contexts.shapes import BASE64, HOST, IP

PART = Section(
    "dnsupdate",
    "Network",
    "DNS update",
    "Enters the machine's address into the site's name server, signed by TSIG (CernVM 3 and 4).",
    (
        line(
            "tsighost",
            "Key name",
            "Name of the TSIG key.",
            HOST,
            required=True,
            example="update.example.org",
        ),
        line("tsigkey", "Key", "The TSIG key in base64.", BASE64, required=True, secret=True),
        line(
            "host",
            "Name",
            "Of the machine, without the domain.",
            HOST,
            required=True,
            example="worker",
        ),
        line("domain", "Domain", "The zone.", HOST, required=True, example="example.org"),
        line("server", "Name server", "Its address.", IP, required=True),
        line(
            "prefix", "Prefix", "With a number: prefix and two digits in place of the name.", PREFIX
        ),
        number("start", "From", "The number of the first machine.", 0, 10_000),
    ),
    "dnsupdate",
    "dnsupdate",
    note="amiconfig does nothing unless name, domain, server and key are all there.",
)
