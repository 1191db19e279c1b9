"""Who another provider says somebody is (OpenID Connect Core 1.0), and what that makes of him here.

Pure: what was proved about a token is in `server.services.oidc`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from server.domain.people import NAME, RESERVED
from server.domain.roles import ROLES

NAME_MOST = 64
NUMBERS_MOST = 20


@dataclass(frozen=True)
class Provider:
    """Somebody who says who people are, as the settings name him.

    ``creates``: who comes for the first time gets an account. ``by_email``: who has a checked
    address here is the one whom the provider names by it; only for providers that are believed to
    check addresses. ``roles`` maps groups of the claim ``groups_claim`` to roles, for accounts
    that have no password of their own here. ``second_factor``: it asks for a second thing itself,
    so that the codes of an account here are not asked for.
    """

    word: str
    title: str
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    creates: bool = True
    by_email: bool = False
    groups_claim: str = "groups"
    roles: Mapping[str, str] = field(default_factory=dict)
    second_factor: bool = False


@dataclass(frozen=True)
class Identity:
    """Whom a provider says somebody is; ``issuer`` and ``subject`` together are for ever."""

    issuer: str
    subject: str
    provider: str
    name: str = ""
    email: str = ""
    email_verified: bool = False
    full_name: str = ""
    groups: tuple[str, ...] = ()


def role_of(provider: Provider, groups: Iterable[str]) -> str | None:
    """The highest role that these groups give; None if the provider does not decide roles."""
    if not provider.roles:
        return None
    found = {provider.roles[group] for group in groups if group in provider.roles}
    return max(found, key=ROLES.index, default=ROLES[0])


def names_for(identity: Identity) -> Iterator[str]:
    """Names for a new account: the nicest first, then with numbers, then some that only he has."""
    wished = identity.name or identity.email.partition("@")[0] or identity.full_name
    plain = unicodedata.normalize("NFKD", wished).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-zA-Z0-9_-]+", "-", plain).strip("-_")[: NAME_MOST - 8]
    base = base if NAME.fullmatch(base) else "person"
    if base.lower() not in RESERVED:
        yield base
    for number in range(2, NUMBERS_MOST):
        yield f"{base}-{number}"
    own = hashlib.sha256(f"{identity.issuer} {identity.subject}".encode()).hexdigest()
    for length in (4, 7):
        yield f"{base}-{own[:length]}"
