"""How hosts cheat, as the digests that they send in place of the right ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

RARE = 1000  # one event in so many is altered by those who alter few

Lie = Callable[[int, int], bytes | None]  # event, host: what is sent, None for the right bytes


@dataclass(frozen=True)
class Cheat:
    """A way to cheat; ``sleeps`` is for hosts that are honest while they are not trusted."""

    name: str
    meaning: str
    lie: Lie
    sleeps: bool = False


def _garbage(event: int, host: int) -> bytes:
    return b"%d garbage %d" % (event, host)


def _agreed(event: int, host: int) -> bytes:
    return b"%d the same lie" % event


def _rare(event: int, host: int) -> bytes | None:
    return b"%d the same lie" % event if event * 2_654_435_761 % 2**32 < 2**32 // RARE else None


def _replay(event: int, host: int) -> bytes:
    return right(event + 7 * RARE)


CHEATS = (
    Cheat("garbage", "bytes that were not computed, each its own", _garbage),
    Cheat("replay", "right bytes of another interval, all the same", _replay),
    Cheat("collude", "all accounts send the same wrong bytes", _agreed),
    Cheat("rare", "all alter the same one event in a thousand alike", _rare),
    Cheat("sleeper", "honest until trusted, then all send the same wrong bytes", _agreed, True),
    Cheat("sly sleeper", "honest until trusted, then as rare", _rare, True),
)


def right(event: int) -> bytes:
    """The digest of an event that was computed."""
    return b"%d" % event


class Makers:
    """The digests of whole units, made once."""

    def __init__(self, cheat: Cheat, unit: int) -> None:
        """Of this cheat, for units of so many events."""
        self.cheat, self._unit = cheat, unit
        self._right: dict[int, tuple[bytes, ...]] = {}

    def right(self, unit: int) -> tuple[bytes, ...]:
        """What honest hosts send."""
        if unit not in self._right:
            first = unit * self._unit
            self._right[unit] = tuple(right(event) for event in range(first, first + self._unit))
        return self._right[unit]

    def sent(self, unit: int, first: int, last: int, host: int, lies: bool) -> Sequence[bytes]:
        """What a host sends for these events of a unit."""
        base = unit * self._unit
        honest = self.right(unit)[first - base : last - base]
        if not lies:
            return honest
        made = (self.cheat.lie(event, host) for event in range(first, last))
        return tuple(lie or own for lie, own in zip(made, honest, strict=True))

    def wrong(self, unit: int, first: int, digests: Sequence[bytes]) -> list[int]:
        """Which of these events are not right."""
        honest = self.right(unit)[first - unit * self._unit :][: len(digests)]
        if honest == digests:
            return []
        pairs = enumerate(zip(honest, digests, strict=True), first)
        return [event for event, (own, other) in pairs if own != other]
