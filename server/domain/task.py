"""The life of a task."""

from __future__ import annotations

from enum import StrEnum

from server.domain.moves import Moves


class TaskState(StrEnum):
    """Where a task, one host's lease on a range of a work unit, stands.

    - ready: waits for a host;
    - leased: belongs to a host, until its time runs out;
    - delivered: every event of it is in hand;
    - returned: the host gave back what it had not finished, which is never a fault;
    - expired: the host fell silent;
    - failed: the payload failed on it;
    - aborted: taken back from its host, because its production or unit needs it no more;
    - withdrawn: needed no more before any host had it.

    In every final state the frames that arrived stay valid, and late ones are taken as well.
    """

    READY = "ready"
    LEASED = "leased"
    DELIVERED = "delivered"
    RETURNED = "returned"
    EXPIRED = "expired"
    FAILED = "failed"
    ABORTED = "aborted"
    WITHDRAWN = "withdrawn"


_S = TaskState

MOVES = Moves(
    "task",
    {
        (_S.READY, "lease"): _S.LEASED,
        (_S.READY, "withdraw"): _S.WITHDRAWN,
        (_S.LEASED, "deliver"): _S.DELIVERED,
        (_S.LEASED, "give-back"): _S.RETURNED,
        (_S.LEASED, "expire"): _S.EXPIRED,
        (_S.LEASED, "fail"): _S.FAILED,
        (_S.LEASED, "abort"): _S.ABORTED,
    },
    finals=frozenset(_S) - {_S.READY, _S.LEASED},
)
