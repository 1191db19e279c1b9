"""What the machine's owner does and allows: hours, mains, other programs, keyboard, memory.

Everything is read from /proc, /sys and /dev; what a system does not have, forbids nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from vmagent.guard import family, usage
from vmagent.hours import Hours
from vmagent.settings import Settings
from vmagent.wishes import REST, SUSPEND, Reading

_CLOCK = os.sysconf("SC_CLK_TCK")
# How long it must be quiet before work goes on.
BUSY_CALM_S, POWER_CALM_S, MEMORY_CALM_S = 60.0, 10.0, 120.0
# Frozen payloads still hold their memory: if it stays short, they have to go.
MEMORY_PATIENCE_S = 30.0
LOAD_S = 4.0  # other programs' use of the processors is an average over this


def own_cpu() -> float:
    """CPU seconds that this agent and all it ever started have used."""
    pids = [os.getpid(), *family(os.getpid())]
    return sum(usage(pid)[0] for pid in pids)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def on_battery(sys: Path = Path("/sys")) -> bool:
    """Whether this machine lives on its battery. A mouse has a battery too, and does not count."""
    mains, draining = [], False
    for supply in sorted((sys / "class/power_supply").glob("*")):
        if _text(supply / "scope").lower() == "device":
            continue
        kind = _text(supply / "type").lower()
        if kind in ("mains", "usb") and _text(supply / "online"):
            mains.append(_text(supply / "online") != "0")
        elif kind in ("battery", "ups"):
            draining = draining or _text(supply / "status").lower() == "discharging"
    return draining and not any(mains)


def free_memory_mb(proc: Path = Path("/proc")) -> Optional[int]:
    """Memory that programs can have without harm to others; None if nobody says."""
    for line in _text(proc / "meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) >> 10
    return None


def busy_s(proc: Path = Path("/proc")) -> Optional[float]:
    """CPU seconds that all programs of normal and low priority have used since the start."""
    words = _text(proc / "stat").split("\n", 1)[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return None
    user, nice, system, _, _, irq, softirq = map(int, words[1:8])
    return (user + nice + system + irq + softirq) / _CLOCK


def touched_at(dev: Path = Path("/dev")) -> Iterator[float]:
    """When terminals and consoles were last typed at, in Unix seconds."""
    places = [*dev.glob("pts/[0-9]*"), *dev.glob("tty[0-9]*"), *dev.glob("input/mouse*")]
    for place in places:
        with contextlib.suppress(OSError):
            yield place.stat().st_atime


def keys_hit(proc: Path = Path("/proc")) -> int:
    """Interrupts of a keyboard and mouse at the old controller, which laptops still have."""
    found = 0
    for line in _text(proc / "interrupts").splitlines():
        if "i8042" in line:
            found += sum(int(word) for word in line.split()[1:] if word.isdigit())
    return found


class Owner:
    """The owner's rules of these settings, looked at every second or so."""

    def __init__(self, settings: Settings, root: Path = Path("/")) -> None:
        self._settings = settings
        self._proc, self._sys, self._dev = root / "proc", root / "sys", root / "dev"
        self._hours = Hours(settings.hours) if settings.hours else None
        self._before: Optional[tuple[float, float, float]] = None
        self._others = 0.0
        self._keys = keys_hit(self._proc)
        self._hit_at = float("-inf")

    def look(self, now: float) -> list[Reading]:
        """What the owner wants by now, in our ticks."""
        found = [*self._by_hours(now), *self._by_power(), *self._by_memory()]
        if self._settings.idle_s is not None or self._settings.busy_cores is not None:
            found.extend(self._by_use(now))
        return found

    def _by_hours(self, now: float) -> Iterator[Reading]:
        if self._hours is None:
            return
        local = time.localtime()
        left = self._hours.left(local.tm_wday, local.tm_hour * 60 + local.tm_min)
        if left == 0:
            # Known to last for hours: nobody else should wait for what is frozen here.
            yield Reading("outside-hours", REST, calm_s=0.0)
        elif left is not None:
            yield Reading("hours-end", by=now + left * 60 - local.tm_sec, then=REST)

    def _by_power(self) -> Iterator[Reading]:
        if self._settings.on_battery == "pause" and on_battery(self._sys):
            yield Reading("on-battery", SUSPEND, calm_s=POWER_CALM_S)

    def _by_memory(self) -> Iterator[Reading]:
        least, free = self._settings.free_memory_mb, None
        if least:
            free = free_memory_mb(self._proc)
        if free is not None and free < least:
            calm, patience = MEMORY_CALM_S, MEMORY_PATIENCE_S
            yield Reading("memory-short", SUSPEND, calm_s=calm, patience_s=patience)

    def _by_use(self, now: float) -> Iterator[Reading]:
        idle_s, most = self._settings.idle_s, self._settings.busy_cores
        if idle_s is not None and self._idle(now) < idle_s:
            yield Reading("owner-active", SUSPEND, calm_s=0.0)
        if most is not None and self._load(now) > most:
            yield Reading("machine-busy", SUSPEND, calm_s=BUSY_CALM_S)

    def _idle(self, now: float) -> float:
        """Seconds since somebody was at the machine."""
        keys = keys_hit(self._proc)
        if keys != self._keys:
            self._keys, self._hit_at = keys, now
        last = max(touched_at(self._dev), default=float("-inf"))
        return min(now - self._hit_at, max(0.0, time.time() - last))

    def _load(self, now: float) -> float:
        """Cores that other programs use, on average since a few seconds."""
        busy = busy_s(self._proc)
        if busy is None:
            return 0.0
        here = (now, busy, own_cpu())
        if self._before is None:
            self._before = here
        elapsed = now - self._before[0]
        if elapsed >= LOAD_S:
            others = (busy - self._before[1]) - (here[2] - self._before[2])
            self._others, self._before = max(0.0, others / elapsed), here
        return self._others
