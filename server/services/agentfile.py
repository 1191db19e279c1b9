"""The agent's file that this server hands out, known by its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class AgentDigest:
    """The SHA-256 of a file, computed again when another has taken its place; "" without one.

    Contexts pin it (`contexts.part.Machine`): machines believe no other agent.
    """

    path: Path
    known: tuple[int, int, int] = (0, 0, 0)
    digest: str = field(default="")

    def __call__(self) -> str:
        """The digest in hexadecimal digits."""
        try:
            found = self.path.stat()
        except OSError:
            return ""
        marks = (found.st_ino, found.st_size, found.st_mtime_ns)
        if marks != self.known:
            with self.path.open("rb") as body:
                self.digest = hashlib.file_digest(body, "sha256").hexdigest()
            self.known = marks
        return self.digest
