"""The life of a production."""

from __future__ import annotations

from enum import StrEnum

from server.domain.moves import Moves


class ProductionState(StrEnum):
    """Where a production stands.

    - active: leases are handed out;
    - paused: a person stopped the handing out; frames are still taken, and may complete it;
    - held: the server stopped it and an operator must look; the reason is kept beside the state;
    - merging: every event is settled, the output is being written;
    - done: the output is there;
    - aborted: a person gave it up; nothing more is taken.
    """

    ACTIVE = "active"
    PAUSED = "paused"
    HELD = "held"
    MERGING = "merging"
    DONE = "done"
    ABORTED = "aborted"


_S = ProductionState

# A late frame may settle the last event of a production that is paused or held. There is nothing
# left to wait for then, so both may go on to merging; a merge that cannot be done (a disk, a blob)
# is held, and starts again from its units after the release.
MOVES = Moves(
    "production",
    {
        (_S.ACTIVE, "pause"): _S.PAUSED,
        (_S.ACTIVE, "hold"): _S.HELD,
        (_S.ACTIVE, "settled"): _S.MERGING,
        (_S.ACTIVE, "abort"): _S.ABORTED,
        (_S.PAUSED, "resume"): _S.ACTIVE,
        (_S.PAUSED, "hold"): _S.HELD,
        (_S.PAUSED, "settled"): _S.MERGING,
        (_S.PAUSED, "abort"): _S.ABORTED,
        (_S.HELD, "release"): _S.ACTIVE,
        (_S.HELD, "settled"): _S.MERGING,
        (_S.HELD, "abort"): _S.ABORTED,
        (_S.MERGING, "merged"): _S.DONE,
        (_S.MERGING, "hold"): _S.HELD,
        (_S.MERGING, "abort"): _S.ABORTED,
    },
    finals=frozenset({_S.DONE, _S.ABORTED}),
)
