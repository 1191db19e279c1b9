"""What an operator may set: one frozen value, read once, all faults told together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from vmagent.errors import WrongOption
from vmagent.hours import Hours

LOG_LEVELS = ("debug", "info", "warning", "error")
SANDBOX = ("auto", "require", "off")
YES_NO = ("yes", "no")
APPLY, UNPAIRED = ("auto", "yes", "no"), ("end", "wait")
POWER, MOVES = ("pause", "work"), ("drain", "ignore")


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


def _environment(name: str) -> Callable[[], Optional[str]]:
    return lambda: os.environ.get(name) or None


def setting(
    about: str, default: Any, least: Optional[float] = None, words: tuple[str, ...] = ()
) -> Any:
    """A field with what is said of it in --help, the least it may be, or the words it may be."""
    meta = {"about": about, "least": least, "words": words}
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
        "payloads in a sandbox (bubblewrap): auto if it works here, require or no work, off",
        "auto",
        words=SANDBOX,
    )
    sandbox_paths: str = setting(
        "folders that payloads see in it, read-only, besides the system's; colons between",
        "/cvmfs",
    )
    network: str = setting(
        "yes if payloads whose manifest asks for it may use the network", "no", words=YES_NO
    )
    exit_when_idle: Optional[float] = setting(
        "end after this many seconds without work (never)", None, 0
    )
    hours: Optional[str] = setting(
        "work in these local hours only, as 22-6 or 'mon-fri 18:30-7; sat,sun 0-24' (always)", None
    )
    idle_s: Optional[float] = setting(
        "pause until nobody has used keyboard or terminals for this many seconds (never)", None, 1
    )
    busy_cores: Optional[float] = setting(
        "pause while other programs use more than this many cores (never)", None, 0.05
    )
    cpu_percent: int = setting("payloads get this share of a core's time each, in %", 100, 1)
    on_battery: str = setting("without mains power: pause or work", "work", words=POWER)
    free_memory_mb: int = setting("pause while less memory than this, in MB, is free", 0, 0)
    stop_file: Optional[str] = setting(
        "a file that, once it is there, says drain, stop or suspend (none)", None
    )
    machine_features: Optional[str] = setting(
        "folder or address of the machine's features ($MACHINEFEATURES)",
        _environment("MACHINEFEATURES"),
    )
    job_features: Optional[str] = setting(
        "folder or address of the job's features ($JOBFEATURES)", _environment("JOBFEATURES")
    )
    job_outputs: Optional[str] = setting(
        "folder or address that gets shutdown_message ($JOBOUTPUTS)", _environment("JOBOUTPUTS")
    )
    features_s: float = setting("seconds until the features are read again", 60.0, 0.1)
    spot: str = setting(
        "notices of a spot instance: off, auto (only on EC2), or the metadata address", "auto"
    )
    rebalance: str = setting("when such a notice recommends to move", "drain", words=MOVES)
    poll_s: int = setting("seconds a wait for commands may last", 25, 1)
    apply: str = setting(
        "contexts are applied to the system, by root: auto if a person agrees, yes, no",
        "auto",
        words=APPLY,
    )
    unpaired: str = setting(
        "without an owner: end, or wait until somebody has paired the machine",
        "end",
        words=UNPAIRED,
    )
    ca: Optional[str] = setting("file of certificates to believe (the system's)", None)
    log_level: str = setting(f"one of {', '.join(LOG_LEVELS)}", "info", words=LOG_LEVELS)

    def __post_init__(self) -> None:
        """All faults together, as `WrongOption`: thing, rule, cure."""
        faults = []
        for name, one in self.__dataclass_fields__.items():
            value, least = getattr(self, name), one.metadata["least"]
            if least is not None and value is not None and value < least:
                faults.append(f"--{name.replace('_', '-')} is {value}: give at least {least:g}")
            words = one.metadata["words"]
            if words and value not in words:
                option = f"--{name.replace('_', '-')}"
                faults.append(f"{option} is {value}: give one of {', '.join(words)}")
        faults.extend(self._about_leaving())
        if not all(one.startswith("/") for one in self.sandbox_paths.split(":") if one):
            faults.append(f"--sandbox-paths is {self.sandbox_paths}: give paths from / on")
        if self.ca is not None and not Path(self.ca).is_file():
            faults.append(f"--ca is {self.ca}: give a file that is there")
        if self.flush_bytes > 8 * 1024 * 1024:
            faults.append(f"--flush-bytes is {self.flush_bytes}: give at most 8388608")
        if faults:
            raise WrongOption("; ".join(faults))

    def _about_leaving(self) -> list[str]:
        faults = []
        try:
            Hours(self.hours or "0-24")
        except ValueError as error:
            faults.append(f"--hours is {self.hours}: {error}")
        if self.cpu_percent > 100:
            faults.append(f"--cpu-percent is {self.cpu_percent}: give at most 100")
        if self.spot not in ("off", "auto") and not is_url(self.spot):
            faults.append(f"--spot is {self.spot}: give off, auto or an http:// address")
        for name in ("machine_features", "job_features", "job_outputs"):
            place = getattr(self, name)
            if place is not None and not (place.startswith("/") or is_url(place)):
                option = f"--{name.replace('_', '-')}"
                faults.append(f"{option} is {place}: give a folder from / on or an http:// address")
        return faults


def is_url(place: str) -> bool:
    """Whether a place is an address, not a folder."""
    return place.startswith(("http://", "https://"))
