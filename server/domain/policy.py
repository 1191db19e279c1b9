"""How a production is run: how many copies, how long a lease, how many errors."""

from __future__ import annotations

from dataclasses import dataclass

COMPARISONS = ("bitwise",)


@dataclass(frozen=True)
class Policy:
    """The policy of a production. Times are seconds.

    ``quorum`` agreeing copies from different accounts settle an event; after ``most_copies``
    copies, or ``most_errors`` failed tasks of a work unit, an operator must look. A lease lasts
    ``lease_s`` from its last sign of life and ``deadline_s`` in all, and is cut to about
    ``longest_s`` of work. A higher ``priority`` is served first. ``comparison`` says when two
    copies agree: ``bitwise`` is the same bytes. An event that fails with ``set_aside_after``
    accounts (0: never) is set aside, and the production goes on without it, up to
    ``most_set_aside`` events in all.

    An ``adaptive`` production settles the events of a trusted host by its one copy, but for a share
    ``spot_checks`` of them (see `server.domain.trust`). A host is trusted once ``trust_events`` of
    its events were agreed with.
    """

    quorum: int = 2
    most_copies: int = 8
    most_errors: int = 12
    lease_s: float = 120.0
    deadline_s: float = 86400.0
    longest_s: float = 3600.0
    priority: int = 0
    comparison: str = "bitwise"
    set_aside_after: int = 3
    most_set_aside: int = 100
    adaptive: bool = False
    spot_checks: float = 0.05
    trust_events: int = 3000

    @property
    def first_copies(self) -> int:
        """How many copies are made at once; the judge asks for those that are wanted beyond."""
        return 1 if self.adaptive else self.quorum
