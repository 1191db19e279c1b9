"""What the readings of all sources come to: one wish, by when, and why; pure.

A reading says what its source wants now, and when the machine (or its time for us) ends. The wish
is the strongest of them. Rest begins at once and ends only after some calm, or payloads would be
stopped and started with every passing load; a rest that lasts is made a return of the leases.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Optional

# In order of strength: payloads frozen; leases given back, but the agent stays; no new work, and
# the end after the work in hand; the end after the current event.
NONE, SUSPEND, REST, DRAIN, STOP = "none", "suspend", "rest", "drain", "stop"
KINDS = (NONE, SUSPEND, REST, DRAIN, STOP)
# A lease for less time than this is set-up and farewell, hardly work.
USEFUL_S = 20.0
# Times that slide by less than this are not news.
SLIDE_S = 5.0


@dataclass(frozen=True)
class Reading:
    """One source's say. ``by``: when its time ends, in seconds of our ticks; then ``then``.

    ``reason`` is one word for the log, the status and the server. A suspension ends ``calm_s``
    after its source has let go, and becomes a rest after ``patience_s``.
    """

    reason: str
    kind: str = NONE
    by: Optional[float] = None
    then: str = STOP
    calm_s: float = 30.0
    patience_s: float = 900.0


@dataclass(frozen=True)
class Wish:
    """What is to be done, why, and by when the machine is gone (None: nobody says).

    ``since`` is when a suspension began; ``until`` is how long it lasts though nobody wants it
    any more.
    """

    kind: str = NONE
    reason: str = ""
    by: Optional[float] = None
    since: Optional[float] = None
    until: float = 0.0
    patience_s: float = 0.0

    def told(self) -> tuple[str, str, Optional[int]]:
        """What makes it another wish to its hearers; times that slide a little do not."""
        return self.kind, self.reason, None if self.by is None else round(self.by / SLIDE_S)


def decide(readings: Iterable[Reading], before: Wish, now: float, goodbye_s: float) -> Wish:
    """The wish that follows from these readings and the wish before.

    ``goodbye_s`` is what an orderly end takes: grace, last frames, leases given back.
    """
    due = [_due(one, now, goodbye_s) for one in readings]
    by = min((one.by for one in due if one.by is not None), default=None)
    if before.kind in (DRAIN, STOP):  # there is no way back, but a drain may become a stop
        due.append(Reading(before.reason, before.kind, before.by))
    # Of equals the first named: the order of the sources is the order of haste.
    first = max(due, key=lambda one: KINDS.index(one.kind), default=Reading(""))
    if first.kind in (DRAIN, STOP):
        return Wish(first.kind, first.reason, by)
    return replace(_rest(first, before, now), by=by)


def _due(one: Reading, now: float, goodbye_s: float) -> Reading:
    """A reading whose time has nearly come wants what comes then."""
    if one.by is None:
        return one
    left = one.by - now - goodbye_s
    kind = one.kind
    if left <= 0:
        kind = max(one.kind, one.then, key=KINDS.index)
    elif left <= USEFUL_S and one.then == STOP:
        kind = max(one.kind, DRAIN, key=KINDS.index)
    return replace(one, kind=kind)


def _rest(first: Reading, before: Wish, now: float) -> Wish:
    if first.kind == NONE:
        if before.kind != NONE and now < before.until:
            return _grown(before, now)
        return Wish()
    since = now if before.since is None else before.since
    wish = Wish(first.kind, first.reason, None, since, now + first.calm_s, first.patience_s)
    if before.kind == REST and wish.kind == SUSPEND and before.reason == wish.reason:
        wish = replace(wish, kind=REST)  # what was given back is not taken again meanwhile
    return _grown(wish, now)


def _grown(wish: Wish, now: float) -> Wish:
    patient = wish.since is None or now - wish.since < wish.patience_s
    return wish if wish.kind != SUSPEND or patient else replace(wish, kind=REST)


def seconds_left(wish: Wish, now: float, goodbye_s: float) -> Optional[float]:
    """Seconds that are left for work; None if nobody says."""
    return None if wish.by is None else max(0.0, wish.by - now - goodbye_s)
