"""What settled events are worth."""

from __future__ import annotations


def credits(events: int, per_event: float) -> float:
    """The credit for events settled, each worth ``per_event``; never negative."""
    if events < 0 or per_event < 0:
        raise ValueError(f"{events} events at {per_event:g} give no credit; both must be 0 or more")
    return events * per_event
