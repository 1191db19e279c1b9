"""Orders in files: the stop file an operator names, and what `suspend` and `resume` leave behind.

Files work without the network and without the agent's process number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from vmagent.wishes import DRAIN, STOP, SUSPEND, Reading

WORDS = {"stop": STOP, "drain": DRAIN, "suspend": SUSPEND}
SUSPENDED = "suspended"  # in the state folder: there as long as `resume` has not been said
FOREVER = float("inf")


def read(place: Optional[Path], state: Path) -> list[Reading]:
    """What the files order: the stop file's first word, `stop` if it says nothing known."""
    found = []
    if place is not None:
        try:
            with open(place, "rb") as file:
                words = file.read(256).decode("ascii", "replace").lower().split()
        except OSError:
            words = None
        if words is not None:
            kind = WORDS.get(words[0], STOP) if words else STOP
            found.append(Reading("stop-file", kind, calm_s=0.0, patience_s=FOREVER))
    if (state / SUSPENDED).exists():
        found.append(Reading("owner-suspended", SUSPEND, calm_s=0.0, patience_s=FOREVER))
    return found


def suspend(state: Path, wanted: bool) -> None:
    """Leave the order to suspend, or take it back."""
    place = state / SUSPENDED
    if wanted:
        place.touch(mode=0o600)
    else:
        place.unlink(missing_ok=True)
