"""The navigation of the site: one line for each entry, and the rank from which it is shown."""

from __future__ import annotations

from dataclasses import dataclass

RANKS = ("", "volunteer", "institute", "operator", "manager", "admin")
"""Nobody in particular, then the roles in the order of their rank (`server.domain.roles`)."""


@dataclass(frozen=True)
class Entry:
    """An entry: its words, where it leads, the name by which its pages say ``here``, least rank."""

    words: str
    href: str
    here: str
    least: str = ""


ENTRIES = (
    Entry("Home", "/", "home"),
    Entry("Statistics", "/statistics", "statistics"),
    Entry("Dashboard", "/dashboard", "dashboard", "volunteer"),
    Entry("Pair an instance", "/pair", "pair", "volunteer"),
    Entry("My machines", "/machines", "machines", "volunteer"),
    Entry("My contribution", "/contribution", "contribution", "volunteer"),
    Entry("Teams", "/teams", "teams", "volunteer"),
    Entry("Sites", "/sites", "sites", "institute"),
    Entry("Groups", "/groups", "groups", "volunteer"),
    Entry("Public contexts", "/library", "library", "volunteer"),
    Entry("To review", "/contexts/review", "review", "operator"),
    Entry("Tasks", "/tasks", "tasks", "operator"),
    Entry("Operations", "/operations", "operations", "operator"),
    Entry("All machines", "/hosts", "hosts", "operator"),
    Entry("Patterns", "/patterns", "patterns"),
    Entry("Accounts", "/admin/accounts", "accounts", "admin"),
)
"""All entries, in their order; a test knows whether their addresses exist."""


def may(me: object, least: str) -> bool:
    """Whether somebody with a ``role`` reaches this one."""
    return _rank(getattr(me, "role", "") or "") >= _rank(least)


def menu(me: object) -> list[Entry]:
    """The entries for somebody with a ``role``, or for anybody."""
    return [entry for entry in ENTRIES if may(me, entry.least)]


def _rank(role: str) -> int:
    return RANKS.index(role) if role in RANKS else 0
