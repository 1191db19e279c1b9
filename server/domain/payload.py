"""The payload of a production as its definition names it, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Payload:
    """Which signed bundle is run, and how.

    ``mode`` is how it gives its events: through the pipe, as files in a directory, or as a command
    that ends with one file. Ranges and records are whole ``granule``s of events; ``block`` is where
    a range may start at no extra cost; the first ``reference`` events give a host's class (0: the
    payload gives the same bytes on every host).
    """

    name: str
    version: str
    command: tuple[str, ...]
    mode: str
    granule: int
    block: int
    reference: int
    split: str
    cores: int


@dataclass(frozen=True)
class Limits:
    """What one running payload process may use; sizes in MB (2**20) and bytes, times in seconds.

    The server may give up to ``memory_mb_most`` to those that died for want of memory; 0: no more.
    """

    memory_mb: int = 2048
    disk_mb: int = 1024
    event_bytes: int = 1_048_576
    silence_s: float = 600.0
    cpu_s_per_event: float = 600.0
    log_bytes: int = 1_048_576
    memory_mb_most: int = 0
