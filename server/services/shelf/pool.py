"""What every machine is told of this pool."""

from __future__ import annotations

from contexts.part import Machine
from server.services.deps import Deps


def machine(deps: Deps) -> Machine:
    """A machine of which no more is known than whom it belongs to."""
    return Machine(server=deps.desk.url, agent_sha256=deps.desk.agent())
