"""Takes frames in: whose they are, whether they fit, and when they are durable."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from server.blobs.base import BlobTrouble
from server.db import frames, tasks
from server.db.base import Tx
from server.db.frames import NewFrame
from server.db.tasks import Task
from server.domain.errors import (
    BadFrameRefused,
    NotFound,
    OutsideLease,
    ProductionOver,
    TooLarge,
)
from server.domain.intervals import Intervals
from server.services import agentbans, framelog, late
from server.services.cards import HostCard, ProductionCard, TaskCard
from server.services.deps import Deps
from server.services.dispatch import renew
from server.services.frameread import HEAD, lengths_in
from server.services.taskview import TaskView, view_card
from server.services.trouble import told

UNPROVEN = 8  # largest frames that a host may have under way or spoilt, a minute


class Taking(NamedTuple):
    """A frame that may come in: for which task of which production, and whether it is new."""

    production: ProductionCard
    task: Task
    card: TaskCard | None
    first: int
    last: int
    fresh: bool


async def admit(
    deps: Deps, host: HostCard, production: int, first: int, last: int, size: int
) -> Taking:
    """May this host send these events, in so many bytes?

    Raises NotFound, ProductionOver, OutsideLease, TooLarge, BadFrameRefused, TooMany, AgentBanned.
    """
    taking = of_lease(deps, host, production, first, last, size)
    if taking is not None:
        return taking
    card = deps.registry.productions.get(production)
    if card is None:
        raise await _over(deps, production)
    _check(deps, host, card, first, last, size)
    late = await _late(deps, host, card, first, last)
    _count(deps, host, size if late.fresh else 0)
    return late


def of_lease(
    deps: Deps, host: HostCard, production: int, first: int, last: int, size: int
) -> Taking | None:
    """As `admit` says of a frame of a task that is leased; None if it is of no such task."""
    card = deps.registry.productions.get(production)
    leased = _leased(host, production, first, last)
    if card is None or leased is None:
        return None
    _check(deps, host, card, first, last, size)
    fresh = not leased.held.covers(first, last)
    _count(deps, host, size if fresh else 0)
    return Taking(card, leased.row, leased, first, last, fresh)


def _leased(host: HostCard, production: int, first: int, last: int) -> TaskCard | None:
    for task in host.tasks.values():
        row = task.row
        if row.production != production or first < row.first:
            continue
        if last <= row.last or last <= task.lent:  # trimmed events may be under way already
            return task
    return None


def _check(
    deps: Deps, host: HostCard, card: ProductionCard, first: int, last: int, size: int
) -> None:
    if host.barred is not None:
        agentbans.admit(deps, host)
    if not 0 <= first < last <= card.events:
        raise OutsideLease(first, last)
    _check_grain(card, first, last)
    definition = card.definition
    granule = definition.payload.granule
    records = record_count(first, last, granule)
    most = HEAD.size + records * (4 + definition.limits.event_bytes * granule)
    if size > min(deps.limits.frame_bytes, most):
        raise TooLarge(size, min(deps.limits.frame_bytes, most))


def _count(deps: Deps, host: HostCard, size: int) -> None:
    """Count room that a host takes until its frame proves to be good.

    What turns out to be bad stays written until its segment is freed: without an end to it, one
    host could fill the disk with garbage. Raises TooMany.
    """
    host.unproven.take(deps.clock(), UNPROVEN * deps.limits.frame_bytes, size)


def _check_grain(card: ProductionCard, first: int, last: int) -> None:
    granule = card.definition.payload.granule
    if first % granule or (last % granule and last != card.events):
        raise BadFrameRefused(f"[{first}, {last}) does not lie on multiples of {granule} events")


def record_count(first: int, last: int, granule: int) -> int:
    """How many records these events make."""
    return -(-last // granule) - first // granule


async def _over(deps: Deps, production: int) -> Exception:
    states = await deps.store.read(
        lambda tx: tx.one("SELECT state FROM productions WHERE id = $1", production)
    )
    if states is None:
        return NotFound("production", production)
    return ProductionOver(production, states[0])


async def _late(deps: Deps, host: HostCard, card: ProductionCard, first: int, last: int) -> Taking:
    """Frames of a lease that is over are valid where they still help."""
    unit = first // card.unit

    async def read(tx: Tx) -> tuple[Task | None, list[tuple[int, int]], bool]:
        task = await tasks.covering(tx, card.id, unit, host.id, first, last)
        if task is None:
            return None, [], False
        held = await frames.of_task(tx, card.id, unit, task.id)
        row = await tx.one(
            "SELECT state FROM units WHERE production = $1 AND number = $2", card.id, unit
        )
        return task, held, row is not None and row[0] in ("open", "held")

    task, held, wanted = await deps.store.read(read)
    if task is None:
        raise OutsideLease(first, last)
    fresh = wanted and not Intervals(held).covers(first, last)
    return Taking(card, task, None, first, last, fresh)


class Arrival:
    """A frame while it comes in: written to its place, digested, held against its address.

    One that is in hand already gets no place, or a host could fill the disk with it.
    """

    __slots__ = ("_came", "_head", "_sha", "_size", "place", "taking")

    def __init__(self, deps: Deps, taking: Taking, size: int) -> None:
        self.taking, self._size = taking, size
        try:
            self.place = deps.segments.reserve(size) if taking.fresh else None
        except BlobTrouble as error:
            raise told(error) from error
        self._sha: hashlib._Hash | None = None
        self._came = 0
        self._head: bytes | None = b""

    @property
    def size(self) -> int:
        """Its bytes, as announced."""
        return self._size

    def whole(self, body: bytes) -> bytes:
        """The whole frame at once; its digest. Raises BadFrameRefused."""
        self._check_head(body, len(body))
        if len(body) != self._size:
            raise BadFrameRefused(f"it ends after {len(body)} bytes of {self._size}")
        self._write(body)
        return hashlib.sha256(body).digest()

    def piece(self, piece: bytes) -> None:
        """The next piece. Raises BadFrameRefused as soon as its head is seen to be wrong."""
        self._came += len(piece)
        if self._sha is None:
            self._sha = hashlib.sha256()
        self._sha.update(piece)
        self._write(piece)
        if self._head is not None:
            self._head += piece
            if self._check_head(self._head, self._came):
                self._head = None

    def end(self) -> bytes:
        """There are no more pieces; the digest of all. Raises BadFrameRefused."""
        if self._sha is None or self._head is not None or self._came != self._size:
            raise BadFrameRefused(f"it ends after {self._came} bytes of {self._size}")
        return self._sha.digest()

    def _write(self, piece: bytes) -> None:
        if self.place is None:
            return
        try:
            self.place.write(piece)
        except BlobTrouble as error:
            raise told(error) from error

    def _check_head(self, head: bytes, came: int) -> bool:
        """Hold the head against the address once it is there; whether it was."""
        try:
            found = lengths_in(head)
        except ValueError as error:
            raise BadFrameRefused(str(error)) from error
        if found is None:
            if len(head) >= HEAD.size:  # before a table is waited for that is as long as it says
                _check_address(self.taking, *HEAD.unpack_from(head)[1:])
            if came >= self._size:
                raise BadFrameRefused("it ends inside its table of lengths")
            return False
        first, events, lengths = found
        _check_address(self.taking, first, events, len(lengths))
        _check_records(self.taking, lengths)
        whole = HEAD.size + 4 * len(lengths) + sum(lengths)
        if whole != self._size:
            raise BadFrameRefused(f"its lengths add up to {whole} bytes, it has {self._size}")
        return True


async def keep(deps: Deps, host: HostCard, arrival: Arrival, digest: bytes) -> None:
    """Keep a frame whose bytes are written; back when it is durable with all that its row has.

    The same frame coming twice at a time is kept once: the second waits for the first.
    """
    taking = arrival.taking
    key = (taking.task.id, taking.first, taking.last)
    while key in deps.keeping:
        other = deps.keeping[key]
        if other is None:
            other = deps.keeping[key] = asyncio.get_running_loop().create_future()
        if await asyncio.shield(other):
            return
    deps.keeping[key] = None
    kept = False
    try:
        if taking.card is None or not taking.card.held.covers(taking.first, taking.last):
            await _keep(deps, host, arrival, digest)
        kept = True
        host.unproven.back(arrival.size)
    finally:
        waiting = deps.keeping.pop(key)
        if waiting is not None:
            waiting.set_result(kept)


async def _keep(deps: Deps, host: HostCard, arrival: Arrival, digest: bytes) -> None:
    now, taking, place = deps.clock(), arrival.taking, arrival.place
    if place is None:
        return
    task, granule = taking.task, taking.production.definition.payload.granule
    row = NewFrame(
        taking.production.id, task.unit, task.id, host.id, host.account, taking.first, taking.last,
        place.segment, place.offset, place.size, digest, now,
    )  # fmt: skip
    try:
        if late.is_late(deps, row):
            host.seen_at = now
            await late.keep(deps, row, place, granule)
            return
        await late.sync(deps, row, place)
    except BlobTrouble as error:
        raise told(error) from error
    host.seen_at = now
    card = deps.registry.tasks.get(task.id)
    if card is None or late.is_late(deps, row):  # its lease ended meanwhile, or was trimmed
        await late.keep(deps, row, place, granule, synced=True)
        return
    if len(deps.frames) >= framelog.MOST:
        await deps.store.write(lambda tx: frames.add(tx, [row]))
    else:
        deps.frames.add(row, place)
    card.held = card.held.add(row.first, row.last)
    card.bytes += place.size
    renew(deps, card, now)


def _check_address(taking: Taking, first: int, events: int, count: int) -> None:
    """Does the head of a frame say what its address says? Raises BadFrameRefused."""
    if (first, first + events) != (taking.first, taking.last):
        raise BadFrameRefused(
            f"its address says [{taking.first}, {taking.last}),"
            f" its head [{first}, {first + events})"
        )
    granule = taking.production.definition.payload.granule
    wanted = record_count(taking.first, taking.last, granule)
    if count != wanted:
        raise BadFrameRefused(f"its events make {wanted} records, it has {count}")


def _check_records(taking: Taking, lengths: Sequence[int]) -> None:
    """Is no record too large? Raises BadFrameRefused."""
    definition = taking.production.definition
    most = definition.limits.event_bytes * definition.payload.granule
    largest = max(lengths, default=0)
    if largest > most:
        raise BadFrameRefused(f"a record has {largest} bytes, the manifest allows {most}")


def view(taking: Taking) -> TaskView:
    """The task of a frame after it."""
    card, row = taking.card, taking.task
    if card is None:
        return TaskView(
            row.id, str(row.state), row.first, row.last, [(taking.first, taking.last)], 0.0
        )
    return view_card(card)
