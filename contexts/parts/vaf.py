"""Virtual Analysis Facility: PROOF on demand on an HTCondor pool of CernVM."""

from __future__ import annotations

from collections.abc import Iterator

from contexts.asking import choice, line, number
from contexts.made import Section
from contexts.reading import number as figure
from contexts.reading import text
from contexts.schema import Document, Fault, Values
from contexts.shapes import URL, Shape

_STORAGE = Shape(
    rf"(root://|https?://){URL.pattern.removeprefix('https?://')}",
    "root:// or https:// and a host",
    "root://storage.example.org//data",
)


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    if text(values, "auth") == "pool_users" and figure(values, "accounts") is None:
        yield Fault("vaf.accounts", "pool_users needs the number of pool accounts: give it")


PART = Section(
    "vaf",
    "Advanced",
    "Virtual Analysis Facility",
    "Makes the machine a node of a Virtual Analysis Facility (CernVM 3 and 4).",
    (
        choice("client", "Client settings", "Of which experiment.", ("alice",)),
        choice("node", "Node", "master or slave.", ("master", "slave")),
        choice(
            "auth",
            "Log in",
            "By pool accounts, or ALICE's directory.",
            ("pool_users", "alice_ldap"),
        ),
        number("accounts", "Pool accounts", "How many there are.", 1, 999),
        line("storage", "Storage", "Where ALICE's files are.", _STORAGE),
    ),
    "vaf-setup",
    "vaf-setup",
    keys={
        "client": "client_settings",
        "node": "node_type",
        "auth": "auth_method",
        "accounts": "num_pool_accounts",
        "storage": "alice_storage",
    },
    rules=_rules,
    note="CernVM Online never wrote `num_pool_accounts`, without which pool_users does not work.",
)
