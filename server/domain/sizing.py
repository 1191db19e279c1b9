"""How many events a lease takes, and where it is cut."""

from __future__ import annotations

from math import lcm

# The host's own word on how long it has is a guess, and fetch and set-up come out of it too.
MARGIN = 0.8
FLUSH_S = 30.0  # the longest that an agent keeps finished events back: less is not worth a lease
FIRST_EVENTS = 100  # the first lease where nothing is known; also enough for fast events
SMOOTH = 0.3  # weight of the newest measurement in a host's seconds per event


def share_events(waiting: int, leases: int) -> int:
    """What one lease may take of the ``waiting`` events while ``leases`` others run.

    Half of an even share, so that the last leases of a production are small.
    """
    return max(1, waiting // (2 * (leases + 1)))


def measured(before: float | None, seconds: float) -> float:
    """The seconds per event of a host after one more measurement; None: there was none yet."""
    return seconds if before is None else (1 - SMOOTH) * before + SMOOTH * seconds


def least_events(seconds_per_event: float | None, block: int) -> int:
    """The least that is worth a lease: what a host computes between two flushes, or a block.

    Never more than `FIRST_EVENTS` unless a block is, so that slow events (minutes each) are not
    leased by the hundred; that is also the first lease where no speed is known (None or 0).
    """
    if not seconds_per_event:
        return max(FIRST_EVENTS, block)
    return max(1, block, int(min(FIRST_EVENTS, FLUSH_S / seconds_per_event)))


def lease_events(
    seconds_per_event: float | None,
    seconds_left: float | None,
    share_events: int,
    longest_s: float,
    flush_events: int,
) -> int:
    """How many events to lease to one slot of a host.

    As many as it computes in ``longest_s``, in the time it says it has left (None: it did not
    say), and no more than ``share_events``, its guided share: free events over twice the sum of
    active speeds, times its own. Never less than ``flush_events``, the events between two
    flushes, unless the host is gone before; which is also the small first lease of a host whose
    speed is not known (None or 0).
    """
    least = max(1, flush_events)
    if not seconds_per_event:
        return least
    events = max(least, min(longest_s / seconds_per_event, share_events))
    if seconds_left is not None:
        events = min(events, MARGIN * seconds_left / seconds_per_event)
    return max(1, int(events))


def in_time(seconds_per_event: float | None, seconds_left: float | None, block: int) -> bool:
    """Whether a host can make one block of events before it is gone, as far as anybody knows.

    A block that is not finished is computed for nothing.
    """
    if not seconds_per_event or seconds_left is None:
        return True
    return block * seconds_per_event <= MARGIN * seconds_left


def cut(first: int, last: int, events: int, block: int, granule: int) -> int:
    """Where a lease of about ``events`` events of ``[first, last)`` ends; above ``first``.

    On a border of a block if one lies within reach, down or up to twice the events asked for, since
    whoever starts inside a block computes its beginning again; else on a border of a granule.
    """
    asked = max(1, events)
    if first + asked >= last:
        return last
    end = _border(first, asked, lcm(block, granule))
    if end - first > 2 * asked:
        end = _border(first, asked, granule)
    return min(last, end)


def _border(first: int, events: int, step: int) -> int:
    """The last multiple of ``step`` within these events, or the next one after them."""
    down = (first + events) // step * step
    return down if down > first else down + step
