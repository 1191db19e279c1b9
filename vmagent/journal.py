"""What the agent has promised, on disk before it starts: leases, manifests, and tasks seen."""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from vmagent import files
from vmagent.errors import Untrusted
from vmagent.spool import Spool
from vmagent.trust import Pins, Place
from vmagent.wire import codec, jws, messages

log = logging.getLogger("vmagent.journal")

SEEN_MOST = 10_000


@dataclass(frozen=True)
class Kept:
    """A task from the disk: its lease and its spool."""

    lease: messages.Lease
    spool: Spool


class Journal:
    """Tasks in hand, one folder each: ``lease.json`` (whole or absent) and ``frames``."""

    def __init__(self, home: Path) -> None:
        self._tasks = home / "tasks"
        self._manifests = home / "manifests"
        self._seen_path = home / "seen.json"
        for folder in (self._tasks, self._manifests):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._seen = self._read_seen()

    @property
    def seen(self) -> frozenset[int]:
        """The tasks ever taken (the last some thousands): none is taken twice."""
        return frozenset(self._seen)

    def take(self, lease: messages.Lease, text: str, place: Place) -> Spool:
        """Keep a lease with its proof; once this returns it survives a crash."""
        folder = self._tasks / str(lease.task)
        folder.mkdir(mode=0o700, exist_ok=True)
        kept = {**asdict(place), "text": text}
        kept["signature"], kept["path"] = jws.b64(place.signature), jws.b64(place.path)
        files.write(folder / "lease.json", json.dumps(kept).encode())
        files.sync_folder(self._tasks)
        # Only now: seen, but not kept, it would be refused when the same question brings it again.
        self._see(lease.task)
        files.write(self._seen_path, json.dumps(self._seen).encode())
        return Spool(folder / "frames")

    def _see(self, task: int) -> None:
        if task not in self._seen:
            self._seen = [*self._seen, task][-SEEN_MOST:]

    def forget(self, task: int) -> None:
        """Let a task go, its spool too."""
        folder = self._tasks / str(task)
        files.remove(folder / "lease.json")  # first: without it the rest is rubbish
        files.remove(folder)

    def kept(self, pins: Pins, now: float = 0.0) -> list[Kept]:
        """Every task left by the agent before this one; what cannot be believed is removed."""
        found = []
        for folder in sorted(self._tasks.iterdir()):
            lease = self._lease(folder, pins, now)
            if lease is None:
                files.remove(folder)
                continue
            spool = Spool(folder / "frames")
            if spool.torn:
                log.warning(
                    "dropped a torn tail", extra={"task": lease.task, "lost_bytes": spool.torn}
                )
            self._see(lease.task)
            found.append(Kept(lease, spool))
        return found

    def _lease(self, folder: Path, pins: Pins, now: float) -> Optional[messages.Lease]:
        try:
            kept: Any = json.loads((folder / "lease.json").read_bytes())
            place = Place(
                str(kept["key"]),
                jws.unb64(kept["signature"]),
                int(kept["size"]),
                int(kept["index"]),
                jws.unb64(kept["path"]),
            )
            lease = pins.signed_lease(str(kept["text"]), place, now)
        except (OSError, ValueError, KeyError, TypeError, codec.BadMessage, Untrusted) as error:
            log.warning("dropped a kept task", extra={"folder": folder.name, "why": str(error)})
            return None
        return lease if folder.name == str(lease.task) else None

    def manifest(self, digest: str) -> Optional[str]:
        """The text of a manifest kept earlier."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (self._manifests / digest).read_text("ascii")
        return None

    def keep_manifest(self, digest: str, text: str) -> None:
        """Keep the text of a manifest."""
        files.write(self._manifests / digest, text.encode("ascii"))

    def _read_seen(self) -> list[int]:
        try:
            return [int(task) for task in json.loads(self._seen_path.read_bytes())]
        except (OSError, ValueError, TypeError):
            return []
