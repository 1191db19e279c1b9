"""What rendering gives: files, what is secret in them, what to know before starting a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

USER_DATA_LIMIT = 16_384
"""Bytes of user data that EC2 takes, before base64 (EC2 user guide, "User data limits")."""
AZURE_LIMIT = 65_535
"""Bytes of custom data that Azure takes, after base64."""
GCE_LIMIT = 262_144
"""Bytes of one value of metadata at Google."""


class NotRenderable(ValueError):
    """A value cannot stand in this form; nothing that it could break out of is written."""

    def __init__(self, where: str, rule: str) -> None:
        super().__init__(f"{where}: {rule}")
        self.where, self.rule = where, rule


@dataclass(frozen=True, slots=True)
class File:
    """One file: its name, its media type, its bytes, the mode it should have.

    ``secrets`` names the secret values in it (``part.field``, or ``machine.token``).
    """

    name: str
    media: str
    body: bytes
    mode: int = 0o644
    secrets: tuple[str, ...] = ()

    def secret(self, paths: tuple[str, ...]) -> File:
        """The same with these secrets in it; then it is for its owner alone."""
        mode = self.mode & 0o700 if paths else self.mode
        return replace(self, mode=mode, secrets=paths)

    @property
    def text(self) -> str:
        """The body of a file of text."""
        return self.body.decode("utf-8")


@dataclass(frozen=True, slots=True)
class Rendered:
    """All files of a target; ``size`` is that of the user data, in bytes (0 if there is none)."""

    files: tuple[File, ...]
    warnings: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    size: int = 0

    def file(self, name: str) -> File:
        """The file of this name."""
        return next(file for file in self.files if file.name == name)
