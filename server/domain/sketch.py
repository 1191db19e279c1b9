"""How many different ones there were, without keeping which: the k least of their hashes.

Z. Bar-Yossef et al., "Counting distinct elements in a data stream" (RANDOM 2002), the estimate as
K. Beyer et al. (SIGMOD 2007) have it. Up to k different ones the number is exact, beyond that its
standard error is ``1 / sqrt(k - 2)``: 3 % for 1024. Hashes are 64 bits and equally likely, so they
have to be keyed with a secret that goes when the counting ends: else they could be tried out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

K = 1024
BYTES = 8  # of a hash
_RANGE: int = 2 ** (8 * BYTES)


class Sketch:
    """The least hashes so far, in order."""

    def __init__(self, least: Iterable[int] = ()) -> None:
        """Nobody was seen, or those of before."""
        self._least = sorted(set(least))[:K]

    def add(self, value: int) -> bool:
        """One was seen; whether that changed anything."""
        if len(self._least) == K and value >= self._least[-1]:
            return False
        place = bisect_left(self._least, value)
        if place < len(self._least) and self._least[place] == value:
            return False
        self._least.insert(place, value)
        del self._least[K:]
        return True

    def count(self) -> int:
        """How many different ones there were, about."""
        if len(self._least) < K:
            return len(self._least)
        return round((K - 1) * _RANGE / (self._least[-1] + 1))

    def to_bytes(self) -> bytes:
        """What is kept over a restart."""
        return b"".join(value.to_bytes(BYTES, "big") for value in self._least)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Sketch:
        """What was kept."""
        return cls(
            int.from_bytes(raw[place : place + BYTES], "big") for place in range(0, len(raw), BYTES)
        )
