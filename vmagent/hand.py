"""A task in the agent's hand, and the words for how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from vmagent import stimuli
from vmagent.wire import messages

# Where a task is. Those before RUNNING cost nobody an event if they are given back.
INQUIRING, PREPARING, READY = "inquiring", "preparing", "ready"
RUNNING, CLOSING, REPORTING = "running", "closing", "reporting"

# What the server says of a task that is ours to compute, and of one whose frames nobody wants.
OURS = ("leased",)
UNWANTED = ("gone", "aborted", "withdrawn")

# Characters of the log that go with a task that did not fail: its server looks for known troubles.
LOG_TAIL = 4096


@dataclass(frozen=True)
class Task:
    """One lease: its range, how far it is, and (when it has ended) what to tell of it."""

    task: int
    manifest: str
    first: int
    last: int
    lease_s: float
    phase: str
    cores: int = 1
    slot: int = -1
    unsent: int = 0
    done: int = 0
    lost: bool = False
    paused: bool = False
    ending: bool = False
    report: Optional[messages.ReportRequest] = None
    failures: int = 0
    not_before: float = 0.0


def of(taken: stimuli.Taken, phase: str) -> Task:
    """A task as it comes into hand."""
    return Task(taken.task, taken.manifest, taken.first, taken.last, taken.lease_s, phase)


def returned(reason: str) -> messages.ReportRequest:
    """Given back; never a fault."""
    return messages.ReportRequest("returned", reason[:64])


def report_of(ended: stimuli.RunEnded) -> messages.ReportRequest:
    """What the server is told of the end of a run."""
    outcome, reason = "failed", ended.word
    if ended.word == "done":
        outcome, reason = ("failed", "events-failed") if ended.failures else ("delivered", "")
    elif ended.word == "stopped":
        outcome, reason = "returned", "stopped"
    return messages.ReportRequest(
        outcome,
        reason,
        list(ended.failures)[:1000],
        round(ended.wall_s, 3),
        round(ended.cpu_s, 3),
        round(ended.rss_mb, 1),
        ended.exit,
        ended.log if outcome == "failed" else ended.log[-LOG_TAIL:],
    )
