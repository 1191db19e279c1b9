"""What an account may do: the roles in the order of their rank."""

from __future__ import annotations

ROLES = ("volunteer", "institute", "operator", "manager", "admin")
"""Each may do what those before it may: give machines, give many and see how they do, watch the
pool, run productions, and decide who is who."""


def reaches(role: str, least: str) -> bool:
    """Whether a role has at least the rank of another; a role that is none reaches nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(least)
