"""What a person signs with a release key, once: manifests, payload bundles, agents, keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

MANIFEST = "windfall.manifest"
PAYLOAD = "windfall.payload"
AGENT = "windfall.agent"
KEY = "windfall.key"

MODES = ("pipe", "directory", "command")


@dataclass(frozen=True)
class Limits:
    """What one running payload process may use; the agent ends one that goes beyond.

    A lease may grant more memory than ``memory_mb``, up to ``memory_mb_most`` (0: no more).
    """

    memory_mb: int = 2048
    disk_mb: int = 1024
    event_bytes: int = 1_048_576
    silence_s: float = 600.0
    cpu_s_per_event: float = 600.0
    log_bytes: int = 1_048_576
    memory_mb_most: int = 0


def granted_mb(limits: Limits, asked_mb: int) -> int:
    """The memory that a lease may grant: what it says, within what a person signed."""
    most = max(limits.memory_mb, limits.memory_mb_most)
    return min(most, max(limits.memory_mb, asked_mb))


@dataclass(frozen=True)
class Manifest:
    """A production as its author signed it: what is run, on which events, within which limits.

    ``command`` is started inside the unpacked bundle (``{python}`` stands for the agent's
    interpreter). ``inputs`` are small texts (a generator card), written to files and named by
    ``EVP_INPUT_<NAME>``. Ranges are whole ``granule``s, records too; ``block`` is where a range may
    start at no extra cost. The first ``reference`` events give a host's numerical class.
    ``network`` asks for the network, which a payload in a sandbox has not else.
    """

    name: str
    payload: str
    command: list[str]
    events: int
    seed: int
    mode: str = "pipe"
    granule: int = 1
    block: int = 1
    reference: int = 20
    cores: int = 1
    inputs: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    split: str = ""
    limits: Limits = field(default_factory=Limits)
    signed_at: float = 0.0
    v: int = 1
    network: bool = False


@dataclass(frozen=True)
class PayloadStatement:
    """A payload bundle (a .tar.gz of plain files and folders) by its digest."""

    name: str
    version: str
    digest: str
    size: int
    signed_at: float = 0.0
    v: int = 1


@dataclass(frozen=True)
class AgentStatement:
    """An agent file by its digest."""

    version: str
    digest: str
    size: int
    signed_at: float = 0.0
    v: int = 1


@dataclass(frozen=True)
class KeyStatement:
    """A key to pin: its use (release or work), its public half, and when it may be believed."""

    use: str
    kid: str
    public: str
    not_before: float = 0.0
    not_after: Optional[float] = None
    v: int = 1
