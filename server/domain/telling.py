"""Who is told of an alert, and when: so that a flapping one is no flood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from server.domain.alert import Alert, AlertState, Level

BATCH_MOST = 50  # alerts in one message; the others come with the next
FIRST_S = 30.0  # the pause after a message that did not arrive; each further one doubles it
LONGEST_S = 3600.0
HOUR_S = 3600.0


class Word(StrEnum):
    """What is said of an alert: it is so, it is so still, it is over."""

    RAISED = "raised"
    STILL = "still"
    OVER = "over"


@dataclass(frozen=True)
class Manners:
    """The bounds of one way to tell people.

    The same alert is not raised again within ``again_s``; what stands unacknowledged is repeated
    after ``remind_s`` (0: never); no more than ``per_hour`` messages are sent.
    """

    again_s: float = 3600.0
    remind_s: float = 86_400.0
    per_hour: int = 12


@dataclass(frozen=True)
class Said:
    """What was said last of an alert, how grave it was then, and when that arrived."""

    word: Word
    level: Level
    at: float


@dataclass(frozen=True)
class Line:
    """One alert of a message, and the word on it."""

    alert: Alert
    word: Word


def word_on(alert: Alert, said: Said | None, now: float, manners: Manners) -> Word | None:
    """What is to be said of an alert now, if anything."""
    if alert.sign.level is Level.NOTE or alert.is_muted(now):
        return None
    standing = said is not None and said.word is not Word.OVER
    if not alert.stands:
        return Word.OVER if standing else None
    if alert.state is AlertState.ACKNOWLEDGED:
        return None
    if said is None:
        return Word.RAISED
    if not standing:
        return Word.RAISED if now - said.at >= manners.again_s else None
    if alert.sign.level.rank > said.level.rank:
        return Word.RAISED
    late = manners.remind_s > 0 and now - said.at >= manners.remind_s
    return Word.STILL if late else None


def message(
    alerts: Iterable[Alert], said: Mapping[int, Said], now: float, manners: Manners
) -> list[Line]:
    """What one message holds now, the gravest first; nothing if there is nothing to say."""
    lines = []
    for alert in alerts:
        word = word_on(alert, said.get(alert.id), now, manners)
        if word is not None:
            lines.append(Line(alert, word))
    lines.sort(key=lambda line: (not line.alert.stands, -line.alert.sign.level.rank, line.alert.id))
    return lines[:BATCH_MOST]


@dataclass(frozen=True)
class Flow:
    """The messages of the last hour, and how often in a row one did not arrive."""

    sent: tuple[float, ...] = ()
    failures: int = 0
    again_at: float = 0.0

    def may(self, now: float, manners: Manners) -> bool:
        """Whether a message may go out now; a clock that was set back holds nothing up."""
        waits = 0 < self.again_at - now <= LONGEST_S
        lately = [at for at in self.sent if 0 <= now - at < HOUR_S]
        return not waits and len(lately) < manners.per_hour

    def arrived(self, now: float) -> Flow:
        """One arrived."""
        lately = tuple(at for at in self.sent if 0 <= now - at < HOUR_S)
        return Flow((*lately, now))

    def failed(self, now: float) -> Flow:
        """One did not: the next is tried after a pause that grows."""
        pause = min(LONGEST_S, FIRST_S * 2.0 ** min(self.failures, 10))
        return Flow(self.sent, self.failures + 1, now + pause)
