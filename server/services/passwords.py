"""Passwords as argon2id hashes, made and checked beside the event loop and never many at once.

Who comes while too many wait is sent away: a queue without end would be memory without end, and
whoever logs in at its tail would have gone long before his turn.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from server.domain.errors import Unavailable
from server.domain.people import PASSWORD_MOST

T = TypeVar("T")

AT_ONCE = 2
"""Each takes 64 MiB and a core for a moment: who sends many passwords must not take them all."""
WAITING = 40
EACH_S = 0.1  # about, on one core


@dataclass(eq=False)
class Passwords:
    """Hashes by the second recommendation of RFC 9106 section 4 (the library's defaults).

    ``here`` is how many there are, of which at most ``waiting`` wait for their turn; beyond that
    Unavailable is raised.
    """

    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    waiting: int = WAITING
    here: int = 0
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _nobody: str = ""

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        return await self._run(lambda: self.hasher.hash(_bytes(password)))

    async def holds(self, kept: str, password: str) -> bool:
        """Whether this is the password; as slow for an account that has none as for any other."""
        if not kept:
            if not self._nobody:
                self._nobody = await self.hash("nobody's password, which nobody types")
            await self._run(lambda: self._verify(self._nobody, password))
            return False
        return await self._run(lambda: self._verify(kept, password))

    def is_outdated(self, kept: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        return self.hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self.hasher.verify(kept, _bytes(password))
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self.here >= AT_ONCE + self.waiting:
            raise Unavailable(max(2.0, self.waiting * EACH_S / AT_ONCE))
        self.here += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work)
        finally:
            self.here -= 1


def _bytes(password: str) -> bytes:
    """The same characters typed on any keyboard (RFC 8265 4.2, without its refusals).

    What is too long to be a password stays as it is: putting tens of thousands of accents in order
    takes seconds, in which nothing else runs.
    """
    if len(password) > PASSWORD_MOST:
        return password.encode("utf-8", "surrogatepass")
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
