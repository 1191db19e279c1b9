"""What is known of every host's events, in memory, and how far each is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from server.db.trust import Word
from server.domain import trust
from server.domain.trust import History, Standing

NONE = History()
KEPT_S = 10.0  # how long what is said of an account, or who is here, may be old


@dataclass(eq=False)
class Book:
    """Histories by payload and host; the hosts of each account, also of those believed no longer.

    ``key`` chooses spots and partners, and never leaves the server. ``shown`` is what people were
    shown last of every host, and when that was made.
    """

    key: bytes = b""
    histories: dict[str, dict[int, History]] = field(default_factory=dict)
    words: dict[int, Word] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    hosts: dict[int, set[int]] = field(default_factory=dict)
    shown: tuple[float, dict[int, Standing]] | None = None
    _disgrace: dict[tuple[int, str, int], tuple[float, bool]] = field(default_factory=dict)

    def own(self, host: int, account: int) -> None:
        """A host belongs to an account."""
        self.owners[host] = account
        self.hosts.setdefault(account, set()).add(host)

    def history(self, host: int, payload: str) -> History:
        """What became of a host's events of a payload, with what people say of it."""
        found = self.histories.get(payload, {}).get(host, NONE)
        word = self.words.get(host)
        return found if word is None else replace(found, word=word.word)

    def of(self, host: int) -> dict[str, History]:
        """Every history of a host, by payload."""
        return {
            payload: self.history(host, payload)
            for payload, found in self.histories.items()
            if host in found
        }

    def put(self, host: int, payload: str, found: History | None) -> None:
        """What became of a host's events from now on."""
        if found is None:
            self.histories.get(payload, {}).pop(host, None)
        else:
            self.histories.setdefault(payload, {})[host] = found
        if found is None or found.caught_at == found.at:
            self._disgrace.clear()

    def say(self, host: int, word: Word | None) -> None:
        """What a person says of a host from now on."""
        self._disgrace.clear()
        if word is None:
            self.words.pop(host, None)
        else:
            self.words[host] = word

    def standing(self, host: int, payload: str, needed: int, now: float) -> Standing:
        """How far a host is believed."""
        own = self.history(host, payload)
        account = self.owners.get(host, -host)
        return trust.standing(own, self._is_disgraced(account, payload, needed, now), needed, now)

    def _is_disgraced(self, account: int, payload: str, needed: int, now: float) -> bool:
        kept = self._disgrace.get((account, payload, needed))
        if kept is None or not 0 <= now - kept[0] < KEPT_S:
            hosts = self.hosts.get(account, ())
            found = trust.disgraced((self.history(h, payload) for h in hosts), needed, now)
            if len(self._disgrace) > 100_000:
                self._disgrace.clear()
            kept = self._disgrace[account, payload, needed] = now, found
        return kept[1]

    def trusted_accounts(
        self, hosts: Iterable[int], payload: str, needed: int, now: float
    ) -> set[int]:
        """The accounts of these hosts of which one is trusted."""
        return {
            self.owners[host]
            for host in hosts
            if host in self.owners and self.standing(host, payload, needed, now) is Standing.TRUSTED
        }
