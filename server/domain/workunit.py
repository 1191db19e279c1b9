"""The life of a work unit."""

from __future__ import annotations

from enum import StrEnum

from server.domain.moves import Moves


class UnitState(StrEnum):
    """Where a work unit stands.

    - open: some of its events are not settled;
    - settled: all of them are, and its content is fixed;
    - held: copies ran out or too many failed, an operator must look; the reason is kept beside it;
    - aborted: its production was given up.
    """

    OPEN = "open"
    SETTLED = "settled"
    HELD = "held"
    ABORTED = "aborted"


_S = UnitState

# Held units still take late frames, and one of these may be the copy that was wanting.
MOVES = Moves(
    "unit",
    {
        (_S.OPEN, "settle"): _S.SETTLED,
        (_S.OPEN, "hold"): _S.HELD,
        (_S.OPEN, "abort"): _S.ABORTED,
        (_S.HELD, "settle"): _S.SETTLED,
        (_S.HELD, "release"): _S.OPEN,
        (_S.HELD, "abort"): _S.ABORTED,
    },
    finals=frozenset({_S.SETTLED, _S.ABORTED}),
)
