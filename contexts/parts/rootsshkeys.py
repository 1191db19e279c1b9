"""SSH keys of root."""

from __future__ import annotations

from typing import Any

from contexts.asking import several
from contexts.made import Made
from contexts.part import Machine, Pieces
from contexts.reading import lines
from contexts.schema import Values
from contexts.shapes import SSH_KEY


def _pieces(values: Values, machine: Machine) -> Pieces:
    cloud: dict[str, Any] = {}
    if keys := lines(values, "keys"):
        cloud = {"disable_root": False, "users": [{"name": "root", "ssh_authorized_keys": keys}]}
    return Pieces(plugins=("rootsshkeys",), cloud=cloud, after=tuple(_by_shell(keys)))


def _by_shell(keys: list[str]) -> list[str]:
    """The same without cloud-init; a key that is there already is not put there twice."""
    if not keys:
        return []
    file = "/root/.ssh/authorized_keys"
    each = [f"grep -qxF '{key}' {file} || echo '{key}' >> {file}" for key in keys]
    return ["mkdir -p -m 0700 /root/.ssh", f"touch {file}", f"chmod 0600 {file}", *each]


PART = Made(
    "rootsshkeys",
    "Users",
    "SSH keys of root",
    "Lets whoever has one of these keys log in as root, besides the key of the cloud.",
    (several("keys", "Keys", "Public keys, one a line.", SSH_KEY, adds=True),),
    _pieces,
    note="On CernVM 3 and 4 root's key also comes from the cloud's metadata, by itself.",
)
