"""What the agent says of its machine, and what it looks at before and while it works."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from vmagent import __version__, files, sandbox
from vmagent.settings import Settings
from vmagent.wire import messages

MIB = 1 << 20
# Folders that payloads may ask for: software areas that are mounted, not shipped.
KNOWN_PATHS = ("/cvmfs/sft.cern.ch", "/cvmfs/na61.cern.ch", "/cvmfs/cms.cern.ch", "/cvmfs")


def memory_mb(asked: int = 0) -> int:
    """Memory for payloads: what was set, else the machine's, or its control group's if less."""
    if asked:
        return asked
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue
    return max(1, min(found) // MIB)


def disk_mb(home: Path, reserve_mb: int) -> int:
    """Disk space for spool and payloads."""
    return max(0, files.free_bytes(home) // MIB - reserve_mb)


def libc() -> str:
    """The C library's name and version."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "")[:64]
    except (ValueError, OSError):
        return "-".join(platform.libc_ver())[:64]


def facts(home: Path, settings: Settings) -> messages.HostFacts:
    """What this machine is, as the server is told when it joins."""
    box, _ = sandbox.find(settings.sandbox, home, settings.sandbox_paths)
    shown = [path for path in settings.sandbox_paths.split(":") if path]
    return messages.HostFacts(
        cores=settings.slots,
        memory_mb=memory_mb(settings.memory_mb),
        disk_mb=disk_mb(home, settings.reserve_mb),
        arch=platform.machine().lower() or "unknown",
        system=platform.system().lower()[:64],
        libc=libc(),
        python=platform.python_version()[:32],
        agent=__version__,
        paths=_there([*KNOWN_PATHS, *shown] if box is None else _within(KNOWN_PATHS, shown)),
        sandbox=sandbox.plain_word(box),
        network=settings.network == "yes",
    )


def _within(known: Sequence[str], shown: list[str]) -> list[str]:
    """The folders that are shown, and those known that lie in them: a sandbox shows no others."""
    inside = [one for one in known if any(one.startswith(f"{top.rstrip('/')}/") for top in shown)]
    return [*inside, *shown]


def _there(paths: Sequence[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if os.path.isdir(path)][:64]
