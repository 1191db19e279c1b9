"""What every machine is told of this pool."""

from __future__ import annotations

from contexts.part import Machine
from server.services.deps import Deps


def machine(deps: Deps) -> Machine:
    """A machine of which no more is known than whom it belongs to."""
    desk = deps.desk
    return Machine(server=desk.url, agent_sha256=desk.agent(), release_key=desk.release())
