"""Notices of the EC2 instance metadata service: a spot instance will be taken away, or may be.

``spot/instance-action`` says what happens and when (two minutes ahead), and
``events/recommendations/rebalance`` that it has become likely. IMDSv2 needs a token; where none is
given, version 1 is asked. Amazon EC2 user guide, "Spot Instance interruption notices", "IMDSv2".
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Callable, Optional

from vmagent.fetch import Away, Fetch
from vmagent.wishes import DRAIN, STOP, Reading

ADDRESS = "http://169.254.169.254"
TOKEN_S = 21_600
NOTICE_S = 120.0


def here(sys: Path = Path("/sys")) -> bool:
    """Whether this is an EC2 machine, as its firmware says; costs a file or two."""
    for name in ("class/dmi/id/sys_vendor", "class/dmi/id/bios_vendor", "hypervisor/uuid"):
        try:
            said = (sys / name).read_text(errors="replace").strip().lower()
        except OSError:
            continue
        if "amazon ec2" in said or said.startswith("ec2"):
            return True
    return False


class Spot:
    """The metadata service of this machine."""

    def __init__(
        self, address: str, unix: Callable[[], float], drain: bool, fetch: Optional[Fetch] = None
    ) -> None:
        """``drain``: whether a recommendation to move is followed."""
        self._base, self._unix, self._drain = address.rstrip("/"), unix, drain
        self._fetch = fetch or Fetch()
        self._token: Optional[str] = None
        self._token_until = 0.0

    def look(self, now: float) -> list[Reading]:
        """The notices by now. Raises `Away`."""
        action = self._get("spot/instance-action")
        if action is not None:
            return [Reading("spot-interruption", DRAIN, self._when(action, now), STOP)]
        if self._drain and self._get("events/recommendations/rebalance") is not None:
            return [Reading("spot-rebalance", DRAIN)]
        return []

    def _get(self, path: str) -> Optional[str]:
        url = f"{self._base}/latest/meta-data/{path}"
        try:
            return self._fetch.get(url, self._headers())
        except Away:
            if not self._token:
                raise
        self._token_until = 0.0  # refused: one of another machine, if this one was cloned
        return self._fetch.get(url, self._headers())

    def _headers(self) -> dict[str, str]:
        now = self._unix()
        if not self._token_until - TOKEN_S <= now < self._token_until - 60:
            asked = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
            try:
                url = f"{self._base}/latest/api/token"
                self._token = self._fetch.put(url, headers=asked).strip()
            except Away:
                self._token = ""  # version 1, or nothing there at all
            self._token_until = now + TOKEN_S
        return {"X-aws-ec2-metadata-token": self._token} if self._token else {}

    def _when(self, text: str, now: float) -> float:
        """When it is taken away, in our ticks; what cannot be read is the usual notice."""
        try:
            told = json.loads(text)
            at = datetime.datetime.fromisoformat(str(told["time"]).replace("Z", "+00:00"))
            return now + at.timestamp() - self._unix()
        except (ValueError, KeyError, TypeError):
            return now + NOTICE_S
