"""Whether a host has what a production requires."""

from __future__ import annotations

from dataclasses import dataclass

NO_SANDBOX = "none"


@dataclass(frozen=True)
class Requirements:
    """What a production asks of a host; an empty ``arch`` is any architecture.

    ``cores``, ``memory_mb`` and ``disk_mb`` are what one running task needs. ``paths`` are folders
    that must be there, such as ``/cvmfs/sft.cern.ch``. ``sandbox`` keeps it off hosts whose
    payloads run without one; ``network`` (signed with the manifest) asks for the network.
    """

    cores: int = 1
    memory_mb: int = 0
    disk_mb: int = 0
    arch: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    sandbox: bool = False
    network: bool = False


@dataclass(frozen=True)
class Facts:
    """What a host has to offer, on its own word; ``network`` is what its owner allows."""

    cores: int
    memory_mb: int
    disk_mb: int
    arch: str
    paths: tuple[str, ...]
    sandbox: str = NO_SANDBOX
    network: bool = False


def unmet(requirements: Requirements, facts: Facts) -> tuple[str, ...]:
    """Why the host does not fit, one sentence for each reason; empty if it does."""
    found = [
        f"{name} {have} is less than the {need} required"
        for name, have, need in (
            ("cores", facts.cores, requirements.cores),
            ("memory_mb", facts.memory_mb, requirements.memory_mb),
            ("disk_mb", facts.disk_mb, requirements.disk_mb),
        )
        if have < need
    ]
    if requirements.arch and facts.arch not in requirements.arch:
        found.append(f"arch {facts.arch} is not one of {', '.join(requirements.arch)}")
    found.extend(
        f"path {path} is not there"
        for path in requirements.paths
        if not any(_inside(path, have) for have in facts.paths)
    )
    if requirements.sandbox and facts.sandbox == NO_SANDBOX:
        found.append("payloads run without a sandbox, and one is required")
    if requirements.network and not facts.network:
        found.append("payloads get no network, and it is required")
    return tuple(found)


def _inside(path: str, folder: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
