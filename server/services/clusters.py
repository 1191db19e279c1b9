"""Boards on which the machines of a cluster find each other, as stock CernVM 4 asks for them.

A person makes a board and gets its PIN. Machines that are started with the PIN write to it and read
from it without anything else: the head writes ``master_ip``, then ``master_ready``, and the others
ask for both and put the address into their user data.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass, field

from server.db import clusters
from server.db.base import Tx
from server.db.clusters import Cluster, Entry
from server.domain.errors import BadInput, Exists, NotFound, TooMany
from server.domain.latest import Latest
from server.services.deps import Deps

LETTERS = string.ascii_lowercase + string.digits
PIN_LEAST, PIN_MOST = 12, 64
LIFE_S = 86_400.0
KEYS_MOST, BOARDS_MOST = 100, 50
NOTE_MOST = 200
WRONG_MOST, WRONG_S = 20, 600.0
"""Different wrong PINs that one address may try in a time; the same one again is no guess, but a
machine that was started with a board whose time is over."""
PLACES_MOST = 50_000
_ADDRESS = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
_USE = "board"


@dataclass(frozen=True)
class Board:
    """A board as its maker sees it; ``pin`` is what machines are given."""

    pin: str
    note: str
    created_at: float
    expires_at: float
    entries: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Guesses:
    """Which wrong PINs came from where, in memory: the least lately heard of is forgotten first."""

    places: Latest[str, dict[bytes, float]] = field(default_factory=lambda: Latest(PLACES_MOST))

    def wrong(self, place: str, pin: bytes, now: float) -> None:
        """Note a wrong PIN."""
        tried = self.places[place] = self.places.get(place, {})
        if pin in tried or len(tried) < WRONG_MOST:
            tried[pin] = now

    def check(self, place: str, pin: bytes, now: float) -> None:
        """Raises TooMany if this address has tried too many others lately."""
        tried = self.places.get(place)
        if not tried:
            return
        for old in [each for each, at in tried.items() if at <= now - WRONG_S]:
            del tried[old]
        if len(tried) >= WRONG_MOST and pin not in tried:
            raise TooMany(max(1.0, min(tried.values()) + WRONG_S - now))


def digest(deps: Deps, pin: str) -> bytes:
    """What is kept of a PIN to find its board by."""
    return deps.safe.digest(pin, _USE)


async def make(deps: Deps, account: int, note: str = "", length: int = PIN_LEAST) -> Board:
    """A new board, which lasts for a day. Raises BadInput."""
    if not PIN_LEAST <= length <= PIN_MOST:
        raise BadInput([f"length {length}: a PIN has {PIN_LEAST} to {PIN_MOST} letters and digits"])
    if len(note) > NOTE_MOST or not (note.isprintable() or not note):
        raise BadInput([f"note: one line of at most {NOTE_MOST} characters"])
    pin = "".join(secrets.choice(LETTERS) for _ in range(length))
    now, key = deps.clock(), digest(deps, pin)
    closed = deps.safe.close(pin.encode(), _about(key))
    made = Cluster(key, account, closed, note, now, now + LIFE_S)

    async def write(tx: Tx) -> None:
        if len(await clusters.of_account(tx, account, now)) >= BOARDS_MOST:
            raise BadInput([f"you have {BOARDS_MOST} boards, which is as many as there may be"])
        await clusters.add(tx, made)

    await deps.store.write(write)
    return Board(pin, note, made.created_at, made.expires_at)


async def mine(deps: Deps, account: int) -> list[Board]:
    """The boards of an account with what is on them, newest first. Raises NotOpened."""
    now = deps.clock()

    async def read(tx: Tx) -> list[Board]:
        return [
            Board(
                deps.safe.open(each.closed, _about(each.pin)).decode(),
                each.note,
                each.created_at,
                each.expires_at,
                await _entries(tx, each.pin),
            )
            for each in await clusters.of_account(tx, account, now)
        ]

    return await deps.store.read(read)


async def _entries(tx: Tx, key: bytes) -> dict[str, str]:
    return {each.key: each.value for each in await clusters.entries(tx, key)}


def _about(key: bytes) -> str:
    return f"board {key.hex()}"


async def _board(deps: Deps, tx: Tx, guesses: Guesses, place: str, pin: str) -> Cluster:
    """The board of a PIN. Raises NotFound, TooMany."""
    key, now = digest(deps, pin), deps.clock()
    guesses.check(place, key, now)
    found = await clusters.found(tx, key, now)
    if found is None:
        guesses.wrong(place, key, now)
        raise NotFound("cluster", "of this PIN")
    return found


@dataclass(frozen=True)
class Boards:
    """What machines may do with a PIN. ``place`` is the address that they speak from."""

    deps: Deps
    guesses: Guesses = field(default_factory=Guesses)

    async def show(self, place: str, pin: str) -> Board:
        """The board of a PIN. Raises NotFound, TooMany, as all of these do."""

        async def read(tx: Tx) -> Board:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            entries = await _entries(tx, found.pin)
            return Board(pin, "", found.created_at, found.expires_at, entries)

        return await self.deps.store.read(read)

    async def entry(self, place: str, pin: str, key: str) -> str:
        """One value."""

        async def read(tx: Tx) -> str:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            entry = await clusters.entry(tx, found.pin, key)
            if entry is None:
                raise NotFound("key", key)
            return entry.value

        return await self.deps.store.read(read)

    async def add(self, place: str, pin: str, key: str, value: str) -> None:
        """A new value. Raises Exists, BadInput."""
        entry = _held(key, value)

        async def write(tx: Tx) -> None:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            if await clusters.entry(tx, found.pin, entry.key) is not None:
                raise Exists("key", entry.key)
            if len(await clusters.entries(tx, found.pin)) >= KEYS_MOST:
                raise BadInput([f"a board has at most {KEYS_MOST} keys: remove one"])
            await clusters.put(tx, found.pin, entry, self.deps.clock())

        await self.deps.store.write(write)

    async def change(self, place: str, pin: str, key: str, value: str) -> None:
        """Another value for a key that is there. Raises BadInput."""
        entry = _held(key, value)

        async def write(tx: Tx) -> None:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            if await clusters.entry(tx, found.pin, entry.key) is None:
                raise NotFound("key", entry.key)
            await clusters.put(tx, found.pin, entry, self.deps.clock())

        await self.deps.store.write(write)

    async def drop(self, place: str, pin: str, key: str) -> None:
        """Take a value away."""

        async def write(tx: Tx) -> None:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            if not await clusters.drop(tx, found.pin, key):
                raise NotFound("key", key)

        await self.deps.store.write(write)

    async def remove(self, place: str, pin: str) -> None:
        """Take the board away."""

        async def write(tx: Tx) -> None:
            found = await _board(self.deps, tx, self.guesses, place, pin)
            await clusters.remove(tx, found.pin)

        await self.deps.store.write(write)


def _held(key: str, value: str) -> Entry:
    """Hold a value to what stock boot scripts can take.

    They put ``master_ip`` into a ``sed`` command that runs as root, where other signs than those
    of an address could be commands.
    """
    if not value.isprintable():
        raise BadInput(["value: one line without control characters"])
    if key == "master_ip" and not _ADDRESS.fullmatch(value):
        raise BadInput(["value: master_ip is an address: letters, digits and . : _ - alone"])
    return Entry(key, value)
