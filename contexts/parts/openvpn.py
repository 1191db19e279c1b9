"""OpenVPN: the machine joins a private network."""

from __future__ import annotations

from contexts.asking import block, choice, line, number
from contexts.made import Coding, Section
from contexts.shapes import HOST, IP, PEM, URL, Shape
from contexts.uncoding import packed, unpacked

_SEARCH = Shape(
    rf"{HOST.pattern}( {HOST.pattern}){{0,5}}", "domains, blanks between", "example.org"
)
_PACKED = Coding(packed, unpacked)

PART = Section(
    "openvpn",
    "Network",
    "OpenVPN",
    "Joins a private network at boot (CernVM 3 and 4).",
    (
        line("server", "Server", "Of the network.", HOST, required=True, example="vpn.example.org"),
        number("port", "Port", "1194 was usual.", 1, 65_535, default=1194),
        choice("proto", "Protocol", "udp if nothing is said.", ("udp", "tcp")),
        line(
            "ca",
            "Authority",
            "An address that the authority's certificate is fetched from.",
            URL,
            required=True,
            example="http://vpn.example.org/ca.crt",
        ),
        block(
            "cert", "Certificate", "Of the machine, in PEM.", PEM.example, shape=PEM, longest=16_000
        ),
        block(
            "key",
            "Key",
            "Of the machine, in PEM.",
            PEM.example,
            shape=PEM,
            longest=16_000,
            secret=True,
        ),
        line("nameserver", "Name server", "In the network.", IP),
        line("search", "Search domains", "In the network.", _SEARCH),
    ),
    "openvpn",
    "openvpn",
    coded={"cert": _PACKED, "key": _PACKED},
    note="amiconfig fetches `ca` from an address and wants `cert` and `key` packed by zlib in "
    "base64; CernVM Online wrote plain base64, which it could not read.",
)
