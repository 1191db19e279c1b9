"""What the agent shows of itself in ``status.json``, for `windfall-agent status`."""

from __future__ import annotations

import os
from typing import Any

from vmagent import __version__, context
from vmagent import limits as told
from vmagent.brain import Brain
from vmagent.errands import Errands
from vmagent.home import Home, Identity


def status(
    home: Home, identity: Identity, brain: Brain, errands: Errands, now: float, ended: bool
) -> dict[str, Any]:
    """State, reason, time left, tasks, and what was refused; ``now`` in the brain's ticks."""
    left = brain.seconds_left(now)
    limits = told.kept(home)
    found = context.kept(home)
    return {
        "agent": __version__,
        "server": identity.server,
        "host": identity.host,
        "name": identity.name,
        "account": identity.account,
        "limits": told.said(limits),
        "context": None if found is None else f"{found.name}, revision {found.revision}",
        "context_outcome": (home.note(context.NOTE) or {}).get("outcome", ""),
        "pid": os.getpid(),
        "state": "stopped" if ended else brain.doing,
        "why": brain.why,
        "seconds_left": None if left is None else round(left),
        "slots": brain.rules.slots,
        "sandbox": errands.sandbox,
        "disk_full": brain.disk_low,
        "banned": errands.banned,
        "refused": errands.refusals,
        "last_refusal": errands.last_refusal,
        "probing": sorted(brain.probing),
        "failed_probes": dict(errands.failed_probes),
        "tasks": [
            {
                "task": t.task,
                "phase": t.phase,
                "first": t.first,
                "last": t.last,
                "done": t.done,
                "unsent_frames": t.unsent,
                "paused": t.paused,
            }
            for t in brain.tasks.values()
        ],
    }
