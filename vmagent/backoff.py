"""How long to wait before trying again: full jitter, never sooner than the server asked."""

from __future__ import annotations

BASE_S = 0.5
MOST_S = 300.0
# However long a server says: it may have been somebody else's for an hour.
ASKED_MOST_S = 3600.0


def pause(failures: int, jitter: float, retry_after: float = 0.0) -> float:
    """Seconds to wait after this many failures in a row; ``jitter`` is uniform in [0, 1).

    Full jitter spreads a fleet that failed together over the whole window; Retry-After
    (RFC 9110, 10.2.3) is a floor, with a little jitter above it for the same reason.
    """
    window = min(MOST_S, BASE_S * 2.0 ** min(failures, 20))
    if retry_after > 0:
        asked = min(ASKED_MOST_S, retry_after)
        return asked + jitter * min(window, asked)
    return jitter * window
