"""The owner's limits, set on the web: kept in the state folder, and never looser than what is here.

Of two limits the stricter counts: whoever set up the machine has the last word on what it gives.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from vmagent import monitor
from vmagent.home import Home
from vmagent.hours import Hours
from vmagent.settings import Settings
from vmagent.wire import codec, pairing

NOTE = "limits"
NONE = pairing.MachineLimits()


def kept(home: Home) -> pairing.MachineLimits:
    """What was told last; no limits if nothing was."""
    try:
        return codec.build(home.note(NOTE), pairing.MachineLimits)
    except codec.BadMessage:
        return NONE


def keep(home: Home, told: pairing.MachineLimits) -> None:
    """Keep what was told. ValueError if its hours are not understood; then the old ones stay."""
    if told.hours:
        Hours(told.hours)
    home.keep_note(NOTE, asdict(told))


def fit(settings: Settings, told: pairing.MachineLimits) -> Settings:
    """The settings within the limits."""
    if told.cores:
        settings = replace(settings, slots=min(settings.slots, told.cores))
    if told.memory_mb:
        least = min(monitor.memory_mb(settings.memory_mb), told.memory_mb)
        settings = replace(settings, memory_mb=least)
    if told.hours:
        both = f"{settings.hours} & {told.hours}" if settings.hours else told.hours
        settings = replace(settings, hours=both)
    if not told.network:
        settings = replace(settings, network="no")
    return settings


def said(told: pairing.MachineLimits) -> str:
    """The limits in words; empty without any."""
    found = [
        f"{told.cores} cores" if told.cores else "",
        f"{told.memory_mb} MB" if told.memory_mb else "",
        f"hours {told.hours}" if told.hours else "",
        "" if told.network else "no network for payloads",
    ]
    return ", ".join(one for one in found if one)
