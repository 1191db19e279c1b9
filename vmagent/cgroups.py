"""Control groups for payloads, where this process may make some: memory, processes, CPU.

Version 2 (Linux Documentation/admin-guide/cgroup-v2.rst) where a part of the tree is delegated,
version 1 for root, or nothing: the guard watches all the same. What a limit of the kernel adds is
that nothing slips between two looks, and that memory counts which is mapped nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from vmagent.settings import Settings

log = logging.getLogger("vmagent.cgroups")

MIB = 1 << 20
WANTED = ("memory", "pids", "cpu")
# The guard ends a payload at its limit; the kernel does where it was quicker than the guard.
SPARE_MB, SPARE_SHARE = 64, 8
PIDS_MOST = 2000  # processes and threads
PERIOD_US = 100_000
GONE_S = 2.0
FREEZE = "cgroup.freeze"
SYSTEMD = Path("/run/systemd/system")


@dataclass(frozen=True)
class Tree:
    """A place in which groups may be made, with the controllers that hold there.

    ``to_enable`` are those that this process has to switch on first, moving itself into a leaf.
    """

    path: Path
    version: int
    controllers: tuple[str, ...]
    to_enable: tuple[str, ...] = ()


class Group:
    """The groups of one payload, one in each tree."""

    def __init__(self, trees: Sequence[Tree], name: str, memory_mb: int, cores: int) -> None:
        """Make them and set their limits; a limit that is not taken is done without."""
        self._places = [(tree, tree.path / name) for tree in trees]
        spare = max(SPARE_MB, memory_mb // SPARE_SHARE)
        for tree, place in self._places:
            with contextlib.suppress(OSError):
                place.mkdir(exist_ok=True)
            for file, value in _limits(tree, memory_mb + spare, cores):
                _put(place / file, value)

    @property
    def procs(self) -> list[str]:
        """The files that a process writes its number to, to be in the group with all it starts."""
        return [str(place / "cgroup.procs") for _, place in self._places]

    def out_of_memory(self) -> bool:
        """Whether the kernel had to kill something of it for want of memory."""
        for tree, place in self._places:
            file = "memory.events" if tree.version == 2 else "memory.oom_control"
            for line in _words(place / file):
                if line[:1] == ["oom_kill"] and line[1:] != ["0"]:
                    return True
        return False

    def freeze(self, still: bool) -> None:
        """Let nothing of it run, or let it go on. Not in version 1: frozen, it cannot be killed."""
        for tree, place in self._places:
            if tree.version == 2:
                _put(place / FREEZE, "1" if still else "0")

    def close(self) -> None:
        """Kill what is left in it, and remove it."""
        for _, place in self._places:
            _clear(place)


class Groups:
    """Where this agent makes groups. What an earlier one with the same state left is removed."""

    def __init__(self, state: Path, trees: Sequence[Tree]) -> None:
        self._name = name_of(state)
        self._numbers = itertools.count(1)  # asked by every slot's thread
        self.trees = [_enabled(tree, f"{self._name}.agent") for tree in trees]
        for tree in self.trees:
            for left in tree.path.glob(f"{self._name}-*"):
                _clear(left)

    def make(self, memory_mb: int, cores: int) -> Group:
        """The group of a payload that is about to start."""
        name = f"{self._name}-{os.getpid()}-{next(self._numbers)}"
        return Group(self.trees, name, memory_mb, cores)


def survey(proc: Path = Path("/proc/self")) -> list[Tree]:
    """The trees in which this process may make groups; nothing is changed."""
    found = [_tree(kind, words, place) for kind, words, place in _places(proc)]
    return [tree for tree in found if tree is not None]


def name_of(state: Path) -> str:
    """How the names begin of all groups of the agent that has this state folder."""
    own = hashlib.sha256(os.fsencode(os.path.realpath(state))).hexdigest()[:12]
    return f"windfall-{own}"


def ready(settings: Settings, state: Path) -> Optional[Groups]:
    """Where an agent that starts makes groups; None where it may not, or is to run plainly."""
    trees = [] if settings.sandbox == "off" else survey()
    groups = Groups(state, trees)
    log.info("limits", extra={"why": told(groups.trees)})
    return groups if groups.trees else None


def told(trees: Sequence[Tree]) -> str:
    """What holds here, for people."""
    held = [f"{'+'.join(t.controllers)} (v{t.version})" for t in trees if t.controllers]
    return f"limits by cgroup: {', '.join(held)}" if held else "no limits by cgroup, the guard's"


def _places(proc: Path) -> Iterator[tuple[int, tuple[str, ...], Path]]:
    """Version, controllers and folder of each hierarchy, for the group this process is in."""
    mounts = [line for line in _words(proc / "mountinfo") if "-" in line]
    for words in _words(proc / "cgroup"):
        _, names, path = " ".join(words).split(":", 2)
        version, wanted = (1, tuple(names.split(","))) if names else (2, ())
        for mount in mounts:
            kind, options = mount[mount.index("-") + 1], mount[-1].split(",")
            if (kind, version) not in (("cgroup", 1), ("cgroup2", 2)):
                continue
            if version == 1 and not set(wanted) <= set(options):
                continue
            inner = os.path.relpath(path, mount[3])
            if not inner.startswith(".."):
                yield version, wanted, Path(os.path.normpath(os.path.join(mount[4], inner)))
                break


def _tree(version: int, names: tuple[str, ...], place: Path) -> Optional[Tree]:
    if place.name.startswith("windfall-") and place.name.endswith(".agent"):
        place = place.parent  # where an agent before this one has put itself
    if not os.access(place, os.W_OK | os.X_OK) or not os.access(place / "cgroup.procs", os.W_OK):
        return None
    if version == 1:
        wanted = tuple(name for name in names if name in WANTED)
        return Tree(place, 1, wanted) if wanted else None
    if SYSTEMD.is_dir() and not _delegated(place):
        return None  # it is systemd's, which takes such groups away or trips over them
    there = [w for line in _words(place / "cgroup.controllers") for w in line if w in WANTED]
    on = {w for line in _words(place / "cgroup.subtree_control") for w in line}
    missing = tuple(w for w in there if w not in on)
    others = {int(line[0]) for line in _words(place / "cgroup.procs")} - {os.getpid()}
    if missing and others:  # controllers are for groups without processes of their own
        return Tree(place, 2, tuple(w for w in there if w in on))
    return Tree(place, 2, tuple(there), missing)


def _delegated(place: Path) -> bool:
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(place, name) == b"1":
                return True
    return False


def _enabled(tree: Tree, leaf: str) -> Tree:
    """The tree with its controllers switched on; those that cannot be are left out."""
    if not tree.to_enable:
        return tree
    with contextlib.suppress(OSError):
        (tree.path / leaf).mkdir(exist_ok=True)
        _put(tree.path / leaf / "cgroup.procs", str(os.getpid()))
    for name in tree.to_enable:
        _put(tree.path / "cgroup.subtree_control", f"+{name}")
    on = {w for line in _words(tree.path / "cgroup.subtree_control") for w in line}
    return Tree(tree.path, tree.version, tuple(w for w in tree.controllers if w in on))


def _limits(tree: Tree, memory_mb: int, cores: int) -> Iterator[tuple[str, str]]:
    new = tree.version == 2
    if "memory" in tree.controllers:
        yield ("memory.max" if new else "memory.limit_in_bytes"), str(memory_mb * MIB)
        if new:
            yield "memory.swap.max", "0"
            yield "memory.oom.group", "1"
    if "pids" in tree.controllers:
        yield "pids.max", str(PIDS_MOST)
    if "cpu" in tree.controllers:
        quota = str(cores * PERIOD_US)
        yield ("cpu.max", f"{quota} {PERIOD_US}") if new else ("cpu.cfs_quota_us", quota)


def _clear(place: Path) -> None:
    """Kill all that is in a group, and remove it."""
    until = time.monotonic() + GONE_S
    while place.is_dir() and time.monotonic() < until:
        if not _put(place / "cgroup.kill", "1"):
            for line in _words(place / "cgroup.procs"):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(line[0]), signal.SIGKILL)
        with contextlib.suppress(OSError):
            place.rmdir()
            return
        time.sleep(0.002)


def _put(file: Path, value: str) -> bool:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(handle, value.encode())
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _words(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return []
