"""What people say of a host's trust, and what they are shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from server.db import credit, moves, payloads
from server.db import trust as rows
from server.db.base import Tx
from server.db.trust import Word
from server.domain.credit import MICROS
from server.domain.errors import BadInput, NotFound
from server.domain.policy import Policy
from server.domain.trust import History, Standing, weight
from server.services import audit, trusting
from server.services.book import KEPT_S
from server.services.deps import Deps

CLEAR = "clear"
WORDS: Mapping[str, Standing | None] = MappingProxyType(
    {"trust": Standing.TRUSTED, "distrust": Standing.DOUBTED, "reset": None, CLEAR: None}
)
REASON_MOST = 200  # characters
LINES = 50  # moves that are shown


@dataclass(frozen=True)
class PayloadTrust:
    """What is known of a host and a version of a payload; ``weight`` is what has not faded."""

    payload: str
    digest: str
    standing: str
    agreed: int
    weight: int
    needed: int
    accounts: int
    last_agreed: float
    caught: int
    caught_at: float | None


@dataclass(frozen=True)
class TrustMove:
    """A step of a host's trust, with its cause."""

    at: float
    source: str
    target: str
    cause: str


@dataclass(frozen=True)
class HostTrust:
    """How far a host is believed, why, and what was taken on its word, in events.

    ``word`` is what a person says of it: trusted, doubted or nothing. ``credit_taken_back`` is the
    credit of its doubtful events.
    """

    host: int
    name: str
    trust: str
    word: str
    said_by: str
    reason: str
    taken_on_trust: int
    doubtful: int
    credit_taken_back: float = 0.0
    payloads: list[PayloadTrust] = field(default_factory=list)
    moves: list[TrustMove] = field(default_factory=list)


def needed(deps: Deps, payload: str) -> int:
    """How many agreed events make a host trusted, by the most generous production that runs."""
    running = [
        card.definition.policy.trust_events
        for card in deps.registry.productions.values()
        if card.bundle == payload
    ]
    return min(running, default=Policy.trust_events)


def summary(deps: Deps, host: int) -> Standing:
    """How far a host is believed, in one word: doubted anywhere, or trusted anywhere, or new."""
    book, now = deps.registry.book, deps.clock()
    word = book.words.get(host)
    if word is not None:
        return word.word
    found = {
        book.standing(host, payload, needed(deps, payload), now)
        for payload, histories in book.histories.items()
        if host in histories
    }
    for one in (Standing.DOUBTED, Standing.TRUSTED):
        if one in found:
            return one
    return Standing.NEW


def summaries(deps: Deps) -> dict[int, Standing]:
    """How far every believed host is believed, at most `KEPT_S` old."""
    book, now = deps.registry.book, deps.clock()
    if book.shown is None or not 0 <= now - book.shown[0] < KEPT_S:
        book.shown = now, {host: summary(deps, host) for host in deps.registry.hosts}
    return book.shown[1]


async def show(deps: Deps, host: int) -> HostTrust:
    """Everything that is known of a host's trust. Raises NotFound."""
    name = deps.registry.names.get(host)
    if name is None:
        raise NotFound("host", host)

    async def read(
        tx: Tx,
    ) -> tuple[list[payloads.Payload], tuple[int, int], int, list[tuple[float, str, str, str]]]:
        return (
            await payloads.everyone(tx),
            await rows.by_host(tx, host),
            await credit.corrected_of(tx, host),
            await moves.of_trust(tx, host, LINES),
        )

    bundles, (taken, doubtful), micros, steps = await deps.store.read(read)
    names = {bundle.digest: f"{bundle.name} {bundle.version}" for bundle in bundles}
    word = deps.registry.book.words.get(host)
    return HostTrust(
        host, name, str(summary(deps, host)),
        "" if word is None else str(word.word), "" if word is None else word.by,
        "" if word is None else word.reason, taken, doubtful,
        -micros / MICROS,
        [
            _payload(deps, host, digest, names.get(digest, digest[:16]), history)
            for digest, history in sorted(deps.registry.book.of(host).items())
        ],
        [TrustMove(*step) for step in steps],
    )  # fmt: skip


def _payload(deps: Deps, host: int, digest: str, name: str, history: History) -> PayloadTrust:
    book, now, wanted = deps.registry.book, deps.clock(), needed(deps, digest)
    return PayloadTrust(
        name, digest, str(book.standing(host, digest, wanted, now)), history.agreed,
        int(weight(history, now)), wanted, len(history.vouchers), history.at,
        history.caught, history.caught_at,
    )  # fmt: skip


async def say(deps: Deps, host: int, said: str, reason: str, by: str) -> HostTrust:
    """Trust a host, distrust it, forget all that is known of it, or clear it; see `WORDS`.

    To clear it means that what it did was right: no event of it is doubtful any more, and it gets
    its credit back. Raises NotFound, BadInput.
    """
    if said not in WORDS:
        raise BadInput([f"word {said!r}: must be one of {', '.join(WORDS)}"])
    if len(reason) > REASON_MOST or not reason.isprintable():
        raise BadInput([f"reason: at most {REASON_MOST} characters that can be printed"])
    if host not in deps.registry.names:
        raise NotFound("host", host)
    book, now, word, was = deps.registry.book, deps.clock(), WORDS[said], summary(deps, host)

    async def write(tx: Tx) -> list[tuple[int, int]]:
        before = book.words.get(host)
        tx.on_abort(partial(book.say, host, before))
        cause = f"{said} by {by}{': ' + reason if reason else ''}"
        if said == CLEAR:
            await trusting.believe(tx, deps, host, cause)
        elif word is None:
            await _forget(tx, deps, host)
        else:
            made = Word(host, word, by, reason, now)
            book.say(host, made)
            await rows.say(tx, made)
        moves.log(tx, None, "trust", host, str(was), str(summary(deps, host)), cause, now)
        audit.note(tx, by, f"host.{said}", str(host), reason, at=now)
        if word is not Standing.DOUBTED:
            return []
        again = await trusting.disbelieve(tx, deps, host, None, cause)
        trusting.mark(tx, again)
        return again

    again = await deps.store.write(write)
    book.shown = None
    for production, unit in again:
        deps.mark(production, unit)
    return await show(deps, host)


async def _forget(tx: Tx, deps: Deps, host: int) -> None:
    book = deps.registry.book
    for payload, histories in book.histories.items():
        if host in histories:
            tx.on_abort(partial(book.put, host, payload, histories[host]))
            book.put(host, payload, None)
    book.say(host, None)
    await rows.unsay(tx, host)
    await rows.forget(tx, host)
