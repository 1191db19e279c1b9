"""Where pairing is done: the secret, the bounds, who waits for news, and who asks how often."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from server.domain import spoken
from server.domain.latest import Latest
from server.domain.pairing import Rules, keyed

RENDERINGS = 2  # contexts rendered at a time: each keeps a core busy for 0.2 to 40 ms
LOOK_S = 2.0  # another process may have changed what is waited for
POLLS_MOST = 10_000  # machines whose last question is remembered


@dataclass(frozen=True)
class Chosen:
    """A revision of a context that an account may use."""

    id: str
    revision: int
    name: str


@dataclass(frozen=True)
class Offer:
    """A context that an account may choose; ``owner`` is empty if that is the account itself."""

    id: str
    revision: int
    name: str
    owner: str = ""
    changed_at: float = 0.0
    used: bool = False


@dataclass(frozen=True)
class Rendering:
    """A revision of a context made for one machine; see `MachineContext` of the wire."""

    id: str
    revision: int
    name: str
    user_data: str = ""
    envelope: str = ""
    root_pubkeys: tuple[str, ...] = ()


class Contexts(Protocol):
    """The contexts that machines can be given."""

    async def choose(self, account: int, context: str, revision: int) -> Chosen:
        """What an account may use; revision 0 is the newest. Raises NotFound, Forbidden."""
        ...

    async def render(self, context: str, revision: int, host: int) -> Rendering:
        """A revision made for a host. Raises NotFound."""
        ...

    async def names(self, wanted: Sequence[str]) -> dict[str, str]:
        """The names of contexts by their ids."""
        ...

    async def offered(self, account: int) -> list[Offer]:
        """What an account may give a machine: its own, shared and public; last used first."""
        ...


@dataclass(eq=False)
class Desk:
    """What pairing needs beside the database.

    ``secret`` is the key of the server's own HMACs: PINs, codes, poll tokens and words hang on it.
    ``url`` is the address of the site, ``agent`` tells the SHA-256 of the agent that it hands out
    and ``release`` the kid of the release key that machines shall believe.
    """

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    rules: Rules = field(default_factory=Rules)
    url: str = ""
    agent: Callable[[], str] = lambda: ""
    release: Callable[[], str] = lambda: ""
    contexts: Contexts | None = None
    news: dict[str, asyncio.Event] = field(default_factory=dict)
    polls: Latest[int, tuple[float, float]] = field(default_factory=lambda: Latest(POLLS_MOST))
    waiting: int = 0
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RENDERINGS))

    def poll_token(self, claim: str) -> str:
        """The token of a machine's request, made again from its random id."""
        made = keyed(self.secret, "poll token", claim)
        return "wfp_" + base64.urlsafe_b64encode(made).decode("ascii").rstrip("=")

    def words(self, claim: str, commitment: str) -> str:
        """The three words of a machine's request."""
        return spoken.three(self.secret, self.poll_token(claim), commitment)

    def inner_token(self, claim: str) -> bytes:
        """The digest of the enrolment token that a confirmed machine joins with: never spelt."""
        return hashlib.sha256(keyed(self.secret, "inner token", claim)).digest()

    def changed(self, *handles: str) -> None:
        """There is news of these pairings."""
        for handle in handles:
            event = self.news.pop(handle, None)
            if event is not None:
                event.set()

    async def until(
        self, handle: str, differs: Callable[[], Awaitable[bool]], seconds: float
    ) -> None:
        """Wait until a pairing differs from what is known, at most so long."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            event = self.news.setdefault(handle, asyncio.Event())
            if await differs():
                return
            try:
                async with asyncio.timeout(min(LOOK_S, left)):
                    await event.wait()
            except TimeoutError:
                pass

    def hang_up(self) -> None:
        """The server ends: nobody waits on."""
        self.changed(*list(self.news))

    def asked(self, claim: int, at: float, interval: float) -> None:
        """Remember when a machine asked last, and how long it is to wait."""
        self.polls[claim] = (at, interval)
