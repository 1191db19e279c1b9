"""The keys of a running server: read at the start, and again when their folder changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from server import keyring
from server.handlers.sealing import Sealer
from server.keyring import Keyring, KeyTrouble
from vmagent.wire import jws

log = logging.getLogger("windfall.keys")


class KeyHolder:
    """The keyring of the moment, and the sealer that signs with its work key."""

    def __init__(self, folder: Path, extra: tuple[Path, ...]) -> None:
        """Read the keys; `KeyTrouble` says what is missing and how to make it."""
        self._folder, self._extra = folder, extra
        self._ring: Keyring = keyring.load(folder, time.time(), extra)
        self.sealer = Sealer(self._ring.work_key.kid, self._ring.work_key.private)

    def statements(self) -> tuple[str, ...]:
        """What agents pin, oldest first."""
        return self._ring.statements

    def trusted(self) -> Mapping[str, str]:
        """The release keys of today."""
        return self._ring.trusted

    @property
    def root(self) -> str:
        """The id of the release key that new hosts shall expect."""
        head, _ = jws.peek(self._ring.statements[0])
        return str(head["kid"])

    async def renew(self) -> None:
        """Read the keys again; what cannot be read leaves the old ones in force."""
        try:
            self._ring = keyring.load(self._folder, time.time(), self._extra)
        except KeyTrouble:
            log.exception("keys not renewed", extra={"action": "keys"})
            return
        work = self._ring.work_key
        if work.kid != self.sealer.kid:
            self.sealer.use(work.kid, work.private)
            log.info("work key changed", extra={"action": "keys", "kid": work.kid})
