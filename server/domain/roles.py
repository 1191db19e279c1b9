"""What an account may do: the roles in the order of their rank."""

from __future__ import annotations

from typing import Protocol

ROLES = ("volunteer", "institute", "operator", "manager", "admin")
"""Each may do what those before it may: give machines, give many and see how they do, watch the
pool, run productions, and decide who is who."""


def reaches(role: str, least: str) -> bool:
    """Whether a role has at least the rank of another; a role that is none reaches nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(least)


class Caller(Protocol):
    """The account that asks."""

    @property
    def account(self) -> int:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def role(self) -> str:
        """One of `ROLES`."""
        ...
