"""Reads the file of the providers that people may sign in with (setting accounts.providers).

A table of TOML for each, named by a word that stands in addresses::

    [cern]
    title = "CERN"
    issuer = "https://auth.cern.ch/auth/realms/cern"
    client_id = "windfall"
    client_secret_file = "cern.secret"     # for its owner alone; left out for public clients
    accounts = "create"                    # or "known": only who linked an account before
    link_by_email = false
    second_factor = false                  # true: it asks for one itself, the codes here do not
    groups_claim = "groups"
    roles = { "pool-admins" = "admin" }
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from server.accord import is_loopback
from server.domain.oidc import Provider
from server.domain.roles import ROLES
from server.keyring import KeyTrouble

WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
SECRET_MOST = 4096  # bytes


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issuer: str
    client_id: str
    title: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    accounts: Literal["create", "known"] = "create"
    link_by_email: bool = False
    groups_claim: str = "groups"
    roles: dict[str, str] = {}
    second_factor: bool = False


def read(path: Path) -> dict[str, Provider]:
    """The providers by their words. `KeyTrouble` with every fault there is."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise KeyTrouble(f"{path}: cannot be read as TOML: {error}") from error
    faults: list[str] = []
    found = {}
    for word, table in raw.items():
        try:
            found[word] = _provider(path.parent, word, table)
        except (ValueError, OSError, msgspec.ValidationError) as error:
            faults.append(f"{path}: [{word}]: {error}")
    if faults:
        raise KeyTrouble("\n".join(faults))
    return found


def _provider(folder: Path, word: str, raw: object) -> Provider:
    if not WORD.fullmatch(word):
        raise ValueError("a provider is named by 1 to 32 lower-case letters, digits and dashes")
    table = msgspec.convert(raw, _Table)
    issuer = urlsplit(table.issuer)
    plain = issuer.scheme == "http" and is_loopback(issuer.hostname or "")
    if not (issuer.scheme == "https" or plain) or not issuer.hostname or issuer.query:
        raise ValueError(f"issuer {table.issuer!r}: write its address, https://HOST[/PATH]")
    if "openid" not in table.scopes:
        raise ValueError('scopes: "openid" is one of them always')
    for group, role in table.roles.items():
        if role not in ROLES:
            raise ValueError(f"roles: {group!r} = {role!r}: one of {', '.join(ROLES)}")
    secret = _secret(folder / table.client_secret_file) if table.client_secret_file else ""
    return Provider(
        word, table.title or word, table.issuer, table.client_id, secret, table.scopes,
        table.accounts == "create", table.link_by_email, table.groups_claim, dict(table.roles),
        table.second_factor,
    )  # fmt: skip


def _secret(path: Path) -> str:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        raw = file.read(SECRET_MOST)
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"{path}: others than its owner may read it; chmod 600 {path}")
    text = raw.decode("utf-8").strip()
    if not text:
        raise ValueError(f"{path}: is empty; write the client secret into it")
    return text
