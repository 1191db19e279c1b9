"""Alerts: what is wrong with a pool, from the first sight of it until it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.errors import BadInput
from server.domain.moves import Moves

OVER_AFTER_S = 75.0  # what was not seen for so long is over: three looks, so that none flickers
BACK_WITHIN_S = 86_400.0  # what comes back within a day is the same alert, come once more
MUTE_MOST_S = 400 * 86_400.0


class AlertState(StrEnum):
    """Where an alert stands.

    - open: it is so, and nobody has said that he knows;
    - acknowledged: it is so, and somebody has taken it on;
    - over: it is not so any more; it may come back.
    """

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


class Level(StrEnum):
    """How grave it is: good to know, to be looked at, to be mended now."""

    NOTE = "note"
    WARN = "warn"
    BAD = "bad"

    @property
    def rank(self) -> int:
        """Graver is higher."""
        return _RANKS[self]


_RANKS = {Level.NOTE: 0, Level.WARN: 1, Level.BAD: 2}
_S = AlertState

MOVES = Moves(
    "alert",
    {
        (_S.OPEN, "acknowledge"): _S.ACKNOWLEDGED,
        (_S.OPEN, "end"): _S.OVER,
        # Who took it on did so while it was less grave.
        (_S.ACKNOWLEDGED, "worsen"): _S.OPEN,
        (_S.ACKNOWLEDGED, "end"): _S.OVER,
        (_S.OVER, "come back"): _S.OPEN,
    },
    finals=frozenset(),
)


@dataclass(frozen=True)
class Sign:
    """Something wrong as it is seen now: the words of its cause and its cure, and where to look.

    ``kind`` and ``subject`` are what makes it the same the next time. Its words are one line each:
    what hosts, disks or databases said is in them, and goes into letters, logs and pages.
    """

    kind: str
    subject: str
    level: Level
    cause: str
    cure: str = ""
    href: str = ""

    def __post_init__(self) -> None:
        """No sign in its words ends a line, or is obeyed by a terminal."""
        for name in ("cause", "cure"):
            text = getattr(self, name)
            if not text.isprintable():
                plain = "".join(one if one.isprintable() else " " for one in text)
                object.__setattr__(self, name, plain)

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same."""
        return self.kind, self.subject


@dataclass(frozen=True)
class Alert:
    """A sign over time. ``since`` is when it came last, ``count`` how often; times in s since 1970.

    Until ``muted_until`` nobody is told of it.
    """

    id: int
    sign: Sign
    state: AlertState
    first_at: float
    since: float
    last_at: float
    count: int = 1
    over_at: float | None = None
    acked_by: str = ""
    acked_at: float | None = None
    muted_until: float | None = None
    muted_by: str = ""

    @property
    def stands(self) -> bool:
        """Whether it is so now."""
        return self.state is not AlertState.OVER

    def is_muted(self, now: float) -> bool:
        """Whether nobody is to be told."""
        return self.muted_until is not None and now < self.muted_until

    def bothers(self, now: float) -> bool:
        """Whether it stands between an operator and "all well"."""
        wants = self.state is AlertState.OPEN and self.sign.level is not Level.NOTE
        return wants and not self.is_muted(now)

    def seen(self, sign: Sign, now: float) -> Alert:
        """It is so still, or again."""
        state, count, since = self.state, self.count, self.since
        if state is AlertState.OVER:
            state, count, since = MOVES.after(state, "come back"), count + 1, now
        elif state is AlertState.ACKNOWLEDGED and sign.level.rank > self.sign.level.rank:
            state = MOVES.after(state, "worsen")
        acked_by, acked_at = (self.acked_by, self.acked_at) if state is self.state else ("", None)
        return replace(
            self, sign=sign, state=state, since=since, last_at=now, count=count, over_at=None,
            acked_by=acked_by, acked_at=acked_at,
        )  # fmt: skip

    def ended(self, now: float) -> Alert:
        """It is not so any more."""
        return replace(self, state=MOVES.after(self.state, "end"), over_at=now)

    def acknowledged(self, by: str, now: float) -> Alert:
        """Somebody takes it on. Raises IllegalMove."""
        state = MOVES.after(self.state, "acknowledge")
        return replace(self, state=state, acked_by=by, acked_at=now)

    def muted(self, seconds: float, by: str, now: float) -> Alert:
        """Nobody is told of it for so long; 0 lets it speak again. Raises BadInput."""
        if not 0 <= seconds <= MUTE_MOST_S:
            raise BadInput([f"seconds {seconds:g}: from 0 (no longer mute) to {MUTE_MOST_S:g}"])
        until = now + seconds if seconds else None
        return replace(self, muted_until=until, muted_by=by if seconds else "")


def raised(sign: Sign, now: float) -> Alert:
    """A new alert, without its number yet."""
    return Alert(0, sign, AlertState.OPEN, now, now, now)


def reconcile(
    known: Mapping[tuple[str, str], Alert], signs: Iterable[Sign], now: float
) -> list[Alert]:
    """The alerts as they are after these signs were seen: all that stand, and those that ended.

    ``known`` are the latest of each kind and subject. Of two signs of one kind and subject the
    graver counts.
    """
    found: dict[tuple[str, str], Sign] = {}
    for sign in signs:
        other = found.get(sign.key)
        if other is None or other.level.rank < sign.level.rank:
            found[sign.key] = sign
    after = []
    for key, sign in found.items():
        alert = known.get(key)
        gone = alert is None or (not alert.stands and now - alert.last_at > BACK_WITHIN_S)
        after.append(raised(sign, now) if alert is None or gone else alert.seen(sign, now))
    silent = (alert for key, alert in known.items() if key not in found and alert.stands)
    after += [alert.ended(now) for alert in silent if not 0 <= now - alert.last_at < OVER_AFTER_S]
    return after
