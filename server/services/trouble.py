"""Trouble with bytes: told to who asked, and kept for those duties that try again by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from server.blobs.base import BlobFull, BlobTrouble
from server.domain.errors import DiskFull, Unavailable

FULL_RETRY_S = 60.0  # somebody has to make room first
RETRY_S = 5.0
FIRST_S = 1.0  # the pause after the first failure; each further one doubles it
LONGEST_S = 60.0

Key = tuple[int, int | None]


def told(error: BlobTrouble) -> DiskFull | Unavailable:
    """What who asked is told when bytes cannot be kept or had now, in the words of the house."""
    return DiskFull(FULL_RETRY_S) if isinstance(error, BlobFull) else Unavailable(RETRY_S)


async def readable(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces. Raises Unavailable."""
    try:
        async for piece in pieces:
            yield piece
    except BlobTrouble as error:
        raise told(error) from error


class Unreadable(Exception):
    """Bytes that were acknowledged cannot be read any more."""


@dataclass(frozen=True)
class Trouble:
    """Why something could not be done, how often it was tried, and when it is tried again."""

    why: str
    tries: int
    again_at: float


@dataclass(eq=False)
class Troubles:
    """What waits for a second try: units of a production, or (None) the merging of its output."""

    known: dict[Key, Trouble] = field(default_factory=dict)

    def note(self, production: int, unit: int | None, why: str, now: float) -> Trouble:
        """It failed again."""
        before = self.known.get((production, unit))
        tries = 1 if before is None else before.tries + 1
        pause = min(LONGEST_S, FIRST_S * 2.0 ** min(tries - 1, 10))
        made = self.known[production, unit] = Trouble(why, tries, now + pause)
        return made

    def forget(self, production: int, unit: int | None) -> None:
        """It was done, or need not be done any more."""
        self.known.pop((production, unit), None)

    def forget_all(self, production: int) -> None:
        """Nothing of this production is tried any more."""
        for key in [key for key in self.known if key[0] == production]:
            del self.known[key]

    def waits(self, production: int, unit: int | None, now: float) -> bool:
        """Whether it is too early to try again; a clock that was set back does not count."""
        found = self.known.get((production, unit))
        return found is not None and 0 < found.again_at - now <= LONGEST_S

    def due(self, now: float) -> list[tuple[int, int]]:
        """The units that are to be tried again."""
        return [
            (production, unit)
            for production, unit in self.known
            if unit is not None and not self.waits(production, unit, now)
        ]

    def soon(self, now: float, most: float) -> float:
        """In how many seconds something is to be tried again, at most this many."""
        waits = [found.again_at - now for found in self.known.values()]
        return max(0.05, min([most, *waits]))

    def of(self, production: int, say: Callable[[int | None], str]) -> list[str]:
        """What is wrong with a production; ``say`` names a unit or its output."""
        return [
            f"{say(unit)}: {found.why} (tried {found.tries} times, and again every minute)"
            for (owner, unit), found in self.known.items()
            if owner == production
        ]
