"""Users: who can log in, by which key or hashed password."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contexts.asking import block, choice, line, table
from contexts.made import Made, written
from contexts.part import Machine, Pieces
from contexts.reading import rows, text
from contexts.schema import Document, Fault, Values
from contexts.shapes import HASH, PATH, SSH_KEY, USER, Shape

SHELLS = ("/bin/bash", "/bin/tcsh", "/bin/zsh", "/bin/false")
_KEYS = Shape(
    rf"{SSH_KEY.pattern}(\n{SSH_KEY.pattern}){{0,20}}\n?",
    "public keys, one a line, each as it stands in id_ed25519.pub",
    SSH_KEY.example,
)


def _rules(values: Values, document: Document) -> Iterator[Fault]:
    names = [row["name"] for row in rows(values, "users")]
    for number, name in enumerate(names):
        path = f"users.users[{number}].name"
        if name in names[:number]:
            yield Fault(path, f"{name} is named twice: keep one")
        if name == "root":
            yield Fault(path, "root is there already: give keys in the part rootsshkeys")


def _pieces(values: Values, machine: Machine) -> Pieces:
    found, shell = rows(values, "users"), text(values, "shell")
    section = {"users": ",".join(_entry(row) for row in found), "shell": shell}
    secrets = [
        f"users.users[{number}].password" for number, row in enumerate(found) if row["password"]
    ]
    return Pieces(
        amiconfig=written("cernvm", section),
        plugins=("cernvm",) if any(section.values()) else (),
        cloud={"users": ["default", *(_user(row, shell) for row in found)]} if found else {},
        secrets=tuple(secrets),
        warnings=tuple(_warnings(found)),
    )


def _entry(row: dict[str, str]) -> str:
    """As amiconfig has it: exactly two colons, or it gives up on everything."""
    return f"{row['name']}:{row['group'] or 'users'}:{row['password']}"


def _user(row: dict[str, str], shell: str) -> dict[str, Any]:
    user: dict[str, Any] = {
        "name": row["name"],
        "primary_group": row["group"] or "users",
        "shell": shell or SHELLS[0],
        "lock_passwd": not row["password"],
    }
    if row["home"]:
        user["homedir"] = row["home"]
    if row["password"]:
        user["passwd"] = row["password"]
    if row["keys"]:
        user["ssh_authorized_keys"] = row["keys"].strip().split("\n")
    return user


def _warnings(found: list[dict[str, str]]) -> Iterator[str]:
    for row in found:
        if not row["password"] and not row["keys"]:
            yield f"users: {row['name']} has neither password nor key and cannot log in"
        if row["home"] or (row["keys"] and not row["password"]):
            yield f"users: home and keys of {row['name']} are set by cloud-init alone"


PART = Made(
    "users",
    "Users",
    "Users",
    "Makes users; the first one is the machine's own user on CernVM 3 and 4.",
    (
        table(
            "users",
            "Users",
            "Who gets an account.",
            (
                line("name", "Name", "Login name.", USER, required=True),
                line("group", "Group", "Its group; users if none is given.", USER, example="users"),
                line(
                    "home",
                    "Home",
                    "Its home folder; under /home if none is given.",
                    PATH,
                    example="/home/worker",
                ),
                line(
                    "password",
                    "Password (hashed)",
                    "Made by `openssl passwd -6`; none: no login by password.",
                    HASH,
                    secret=True,
                ),
                block("keys", "SSH keys", "Public keys, one a line.", _KEYS.example, shape=_KEYS),
            ),
        ),
        choice("shell", "Login shell", "Of all of them; /bin/bash if none is chosen.", SHELLS),
    ),
    _pieces,
    _rules,
    "Passwords are only ever taken as hashes. amiconfig gives a user without one a random "
    "password; home folders and keys of users need cloud-init.",
)
