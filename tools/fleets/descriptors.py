"""File descriptors: enough of them for two connections of every agent, or a clear word."""

from __future__ import annotations

import resource

PER_AGENT = 2  # a long poll, and whatever else it says
OWN = 256  # what a process needs beside


class TooFewDescriptors(RuntimeError):
    """This process may not open as many connections as a fleet needs."""

    def __init__(self, agents: int, needed: int, hard: int) -> None:
        """How many agents, how many descriptors they need, and how many are allowed."""
        super().__init__(
            f"{agents} agents need {needed} open files, and this process may have {hard}; raise the"
            f" limit (ulimit -Hn {needed}, or LimitNOFILE= of a unit), or take at most"
            f" {max(0, hard - OWN) // PER_AGENT} agents"
        )


def provide(agents: int) -> int:
    """Raise the soft limit of this process, and so of the server it starts, as far as is needed.

    Raises TooFewDescriptors if the hard limit is below.
    """
    needed = PER_AGENT * agents + OWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft == endless or soft >= needed:
        return needed
    if hard not in (endless,) and hard < needed:
        raise TooFewDescriptors(agents, needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return needed
