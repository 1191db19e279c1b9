"""What an operator may set: one frozen value, read once, all faults told together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from vmagent.errors import CannotWork

LOG_LEVELS = ("debug", "info", "warning", "error")
SANDBOX = ("auto", "require", "off")
YES_NO = ("yes", "no")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def default_state(environment: Mapping[str, str]) -> Path:
    """Where the agent keeps its state: WINDFALL_STATE, or /var/lib for root, or the user's home."""
    if environment.get("WINDFALL_STATE"):
        return Path(environment["WINDFALL_STATE"])
    if os.geteuid() == 0:
        return Path("/var/lib/windfall-agent")
    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "windfall-agent"


def setting(about: str, default: Any, least: Optional[float] = None) -> Any:
    """A field with what is said of it in --help, and the least it may be."""
    meta = {"about": about, "least": least}
    if callable(default):
        return field(default_factory=default, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Settings:
    """How this agent works; every field is an option of `windfall-agent run`."""

    slots: int = setting("payloads at the same time (all cores)", _cores, 1)
    grace: float = setting("seconds the current event has when the agent is stopped", 10.0, 0)
    flush_s: Optional[float] = setting(
        "longest wait in seconds before finished events are sent (from the cost of sending)",
        None,
        0.05,
    )
    flush_bytes: int = setting("bytes after which finished events are sent at once", 262_144, 1024)
    mean_life_s: float = setting("how long such a machine lives, in seconds, on average", 7200.0, 1)
    lifetime_s: Optional[float] = setting(
        "seconds after which this machine goes away (a batch slot's wall time)", None, 1
    )
    reserve_mb: int = setting("disk space in MB that is left alone", 512, 0)
    memory_mb: int = setting("memory in MB that payloads may have together (the machine's)", 0, 0)
    sandbox: str = setting(
        "payloads in a sandbox (bubblewrap): auto if it works here, require or no work, off", "auto"
    )
    sandbox_paths: str = setting(
        "folders that payloads see in it, read-only, besides the system's; colons between",
        "/cvmfs",
    )
    network: str = setting("yes if payloads whose manifest asks for it may use the network", "no")
    exit_when_idle: Optional[float] = setting(
        "end after this many seconds without work (never)", None, 0
    )
    poll_s: int = setting("seconds a wait for commands may last", 25, 1)
    ca: Optional[str] = setting("file of certificates to believe (the system's)", None)
    log_level: str = setting(f"one of {', '.join(LOG_LEVELS)}", "info")

    def __post_init__(self) -> None:
        """All faults together, as `CannotWork`: thing, rule, cure."""
        faults = []
        for name, one in self.__dataclass_fields__.items():
            value, least = getattr(self, name), one.metadata["least"]
            if least is not None and value is not None and value < least:
                faults.append(f"--{name.replace('_', '-')} is {value}: give at least {least:g}")
        for name, words in (("log_level", LOG_LEVELS), ("sandbox", SANDBOX), ("network", YES_NO)):
            value = getattr(self, name)
            if value not in words:
                option = name.replace("_", "-")
                faults.append(f"--{option} is {value}: give one of {', '.join(words)}")
        if not all(one.startswith("/") for one in self.sandbox_paths.split(":") if one):
            faults.append(f"--sandbox-paths is {self.sandbox_paths}: give paths from / on")
        if self.ca is not None and not Path(self.ca).is_file():
            faults.append(f"--ca is {self.ca}: give a file that is there")
        if self.flush_bytes > 8 * 1024 * 1024:
            faults.append(f"--flush-bytes is {self.flush_bytes}: give at most 8388608")
        if faults:
            raise CannotWork("; ".join(faults))
