"""Which events are settled, which copies are rejected, and how many more copies are wanted.

This is the only home of that rule. For every record (a granule of events) the copies in hand are
grouped by their digest. An account has one voice: its first copy. The first group, in the order in
which the copies came, to have ``quorum`` voices settles the record; every copy with another digest
is rejected there. Taking the first group rather than the largest means that judging after each
frame and judging once at the end say the same, and that nothing settled is ever overturned.

Where a production trusts (``spots`` is given) two things are added. A group settles only with a
voice of a host that is not doubted. And where no copies differ, the copy of a trusted host is
enough, except at the spots. That is not settled, only told as ``trusted``: it is taken when the
unit closes, by the trust that stands then, so a host that is caught before takes nothing with it
that needs undoing. How far hosts are believed is part of the question; for the same answer to it,
judging early and late still say the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Generic, TypeVar

from server.domain.agreement import Copy, Overlay, Stretch, agreement
from server.domain.intervals import Interval, Intervals

__all__ = ["Copy", "Pending", "Rejected", "Settled", "Shortage", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Pending:
    """Events that a task may still deliver: of an account if leased, of nobody yet if ready."""

    account: int | None
    first: int
    last: int
    trusted: bool = False
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """Events settled now: whose bytes to take (the lowest task), and whose copies agreed."""

    first: int
    last: int
    task: int
    agreeing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Events on which a copy differs from what settled them."""

    first: int
    last: int
    task: int
    host: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """Events for which that many more copies, each of another account, are wanted."""

    first: int
    last: int
    copies: int


@dataclass(frozen=True)
class Verdict:
    """What the copies of a work unit come to; every interval is as long as it can be.

    ``exhausted`` are events that would need more than ``most_copies`` copies: an operator must
    look. ``trusted`` are events that may be taken on the word of a trusted host if the unit closes
    now.
    """

    settled: tuple[Settled, ...]
    rejected: tuple[Rejected, ...]
    shortage: tuple[Shortage, ...]
    exhausted: tuple[Interval, ...]
    trusted: tuple[Settled, ...] = ()


def judge(
    first: int,
    last: int,
    granule: int,
    quorum: int,
    settled: Intervals,
    copies: Sequence[Copy],
    pending: Sequence[Pending],
    most_copies: int,
    known: Sequence[Rejected] | None = None,
    spots: Intervals | None = None,
) -> Verdict:
    """Judge the copies of events ``[first, last)``, given in the order in which they came.

    ``settled`` are the events settled before; of these nothing is said again. With ``known``, the
    rejections on record, copies that came after their events were settled are compared too, and
    rejections that are not on record yet are told. With ``spots``, hosts are trusted except on
    these events. ValueError if a copy has not one digest for each of its records.
    """
    for copy in copies:
        if len(copy.digests) != -(-copy.last // granule) - copy.first // granule:
            raise ValueError(f"task {copy.task}, [{copy.first}, {copy.last}): digests do not fit")
    findings = _Findings()
    held, hoped = Overlay(copies), Overlay(pending)
    for start, end in pairwise(_edges(first, last, (settled, spots or ()), (copies, pending))):
        before = settled.covers(start, end)
        if before and known is None:
            continue
        checked = spots is None or spots.covers(start, end)
        faith = _Faith(spots is not None, checked)
        bench = _Bench(quorum, most_copies, faith, before, held.at(start), hoped.at(start))
        for a, b, groups in agreement(start, end, granule, bench.held):
            findings.note(a, b, bench.ruling(groups))
    return findings.verdict(known or ())


def _edges(
    first: int,
    last: int,
    pairs: Iterable[Iterable[Interval]],
    stretches: Iterable[Sequence[Stretch]],
) -> list[int]:
    """Between two of these neither copies nor pending tasks nor what is settled change."""
    edges = {first, last}
    for pair in chain.from_iterable(pairs):
        edges.update(pair)
    for item in chain.from_iterable(stretches):
        edges.update((item.first, item.last))
    return sorted(edge for edge in edges if first <= edge <= last)


@dataclass(frozen=True)
class _Ruling:
    """What holds for every record on which the same copies agree."""

    agreeing: tuple[int, ...] = ()
    rejected: tuple[tuple[int, int], ...] = ()
    wanted: int = 0
    exhausted: bool = False
    trusted: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Faith:
    """Whether hosts are trusted in this production at all, and whether these events are a spot."""

    trusts: bool
    checked: bool


@dataclass
class _Bench:
    """The rule, for events on which the same copies are held and the same tasks are waited for."""

    quorum: int
    most_copies: int
    faith: _Faith
    before: bool
    held: Sequence[Copy]
    hoped: Sequence[Pending]
    made: dict[tuple[int, ...], _Ruling] = field(default_factory=dict)

    def ruling(self, groups: tuple[int, ...]) -> _Ruling:
        """The ruling for this agreement, made once."""
        if groups not in self.made:
            self.made[groups] = self._rule(groups)
        return self.made[groups]

    def _rule(self, groups: Sequence[int]) -> _Ruling:
        voices: dict[int, list[Copy]] = {}
        winner = None
        for copy, group in _voices(self.held, groups):
            said = voices.setdefault(group, [])
            said.append(copy)
            if winner is None and len(said) >= self.quorum and self._settles(said):
                winner = group
        if winner is not None:
            pairs = zip(self.held, groups, strict=True)
            rejected = tuple((copy.task, copy.host) for copy, group in pairs if group != winner)
            return _Ruling(() if self.before else _tasks(voices[winner]), rejected)
        if self.before:
            return _Ruling()
        if len(set(groups)) == 1 and not self.faith.checked:
            (said,) = voices.values()
            if any(copy.trusted for copy in said):
                return _Ruling(trusted=_tasks(said))
        return self._want(list(voices.values()), len(set(groups)) > 1)

    def _settles(self, said: Sequence[Copy]) -> bool:
        """Doubted hosts alone settle nothing."""
        return not self.faith.trusts or not all(copy.doubted for copy in said)

    def _want(self, groups: Sequence[Sequence[Copy]], disputed: bool) -> _Ruling:
        spoken = {copy.account for copy in self.held}
        named = {item.account for item in self.hoped} - spoken - {None}
        unnamed = sum(item.account is None for item in self.hoped)
        if self.faith.trusts and self._waits(disputed):
            return _Ruling()
        if self.faith.trusts and not self.held:
            short = 1
        else:
            best = max(map(len, groups), default=0)
            short = max(0, self.quorum - best - len(named) - unnamed)
            if not short and not unnamed and not self._hopeful(groups, spoken):
                short = 1
        if short and len(self.held) + len(self.hoped) + short > self.most_copies:
            return _Ruling(exhausted=True)
        return _Ruling(wanted=short)

    def _waits(self, disputed: bool) -> bool:
        """Whether what is under way shall be awaited first.

        That of a trusted host may be enough. And nobody learns where the spots are by being asked
        for a second copy while the first is made.
        """
        if not self.held:
            return bool(self.hoped)
        return not disputed and not self.faith.checked and any(p.trusted for p in self.hoped)

    def _hopeful(self, groups: Sequence[Sequence[Copy]], spoken: set[int]) -> bool:
        """Whether a group may settle with those under way, all of whom are known."""
        coming = [p for p in self.hoped if p.account not in spoken]
        if not self.faith.trusts or any(not item.doubted for item in coming):
            return True
        need = self.quorum - len({item.account for item in coming})
        return any(len(said) >= need and self._settles(said) for said in groups)


def _tasks(said: Sequence[Copy]) -> tuple[int, ...]:
    return tuple(sorted(copy.task for copy in said))


def _voices(held: Sequence[Copy], groups: Sequence[int]) -> Iterator[tuple[Copy, int]]:
    """The first copy of each account with its group, in the order in which they came."""
    spoken: set[int] = set()
    for copy, group in zip(held, groups, strict=True):
        if copy.account not in spoken:
            spoken.add(copy.account)
            yield copy, group


K = TypeVar("K", bound=Hashable)


@dataclass
class _Ledger(Generic[K]):
    """What is said of which events; neighbours of which the same is said become one."""

    runs: dict[K, list[list[int]]] = field(default_factory=dict)

    def note(self, first: int, last: int, said: K) -> None:
        """Say this of ``[first, last)``, which lies above all of which it was said before."""
        runs = self.runs.setdefault(said, [])
        if runs and runs[-1][1] == first:
            runs[-1][1] = last
        else:
            runs.append([first, last])

    def all(self) -> list[tuple[int, int, K]]:
        """Everything said, in the order of events."""
        told = [(a, b, said) for said, runs in self.runs.items() for a, b in runs]
        return sorted(told, key=lambda item: item[:2])


@dataclass
class _Findings:
    """A verdict in the making."""

    settled: _Ledger[tuple[int, ...]] = field(default_factory=_Ledger)
    rejected: _Ledger[tuple[int, int]] = field(default_factory=_Ledger)
    shortage: _Ledger[int] = field(default_factory=_Ledger)
    exhausted: _Ledger[None] = field(default_factory=_Ledger)
    trusted: _Ledger[tuple[int, ...]] = field(default_factory=_Ledger)

    def note(self, first: int, last: int, ruling: _Ruling) -> None:
        """This was ruled for these events, which lie above all noted before."""
        if ruling.agreeing:
            self.settled.note(first, last, ruling.agreeing)
        for copy in ruling.rejected:
            self.rejected.note(first, last, copy)
        if ruling.wanted:
            self.shortage.note(first, last, ruling.wanted)
        if ruling.exhausted:
            self.exhausted.note(first, last, None)
        if ruling.trusted:
            self.trusted.note(first, last, ruling.trusted)

    def verdict(self, known: Sequence[Rejected]) -> Verdict:
        """The verdict, without the rejections that are known."""
        return Verdict(
            tuple(Settled(a, b, tasks[0], tasks) for a, b, tasks in self.settled.all()),
            tuple(
                Rejected(a, b, task, host)
                for start, end, (task, host) in self.rejected.all()
                for a, b in _told(known, task).missing(start, end)
            ),
            tuple(Shortage(a, b, copies) for a, b, copies in self.shortage.all()),
            tuple((a, b) for a, b, _ in self.exhausted.all()),
            tuple(Settled(a, b, tasks[0], tasks) for a, b, tasks in self.trusted.all()),
        )


def _told(known: Sequence[Rejected], task: int) -> Intervals:
    return Intervals((item.first, item.last) for item in known if item.task == task)
