"""no-ip: the machine's address under a dynamic name."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import line, number
from contexts.made import Section
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import HOST, SECRET, Shape

PREFIX = Shape(r"[A-Za-z0-9]([A-Za-z0-9-]{0,50})?", "letters, digits, dashes", "worker-")
_LOGIN = Shape(r"[A-Za-z0-9._%+-]{1,64}", "letters, digits and . _ % + -", "somebody")


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    numbered = text(values, "prefix") and text(values, "domain") and "start" in values
    if not numbered and not text(values, "hostname"):
        yield Fault("noip.hostname", "give a name, or prefix, domain and start for numbered ones")


PART = Section(
    "noip",
    "Network",
    "no-ip",
    "Puts the machine's address under a name at no-ip.com (CernVM 3 and 4).",
    (
        line("username", "User", "Of the account there.", _LOGIN, required=True),
        line("password", "Password", "Of the account there.", SECRET, required=True, secret=True),
        line("hostname", "Name", "The name to set.", HOST, example="worker.ddns.example.org"),
        line("prefix", "Prefix", "Or numbered names: prefix and two digits.", PREFIX),
        line("domain", "Domain", "Of numbered names.", HOST, example="ddns.example.org"),
        number("start", "From", "The number of the first machine.", 0, 10_000),
    ),
    "noip",
    "noip",
    rules=_rules,
)
