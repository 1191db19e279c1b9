"""Random histories of asking, sending, ending, judging, failing commits and restarts.

Whatever happens: no account holds two copies of an event, no unit has two classes, what waits in
memory is what waits in the table, and every event that is not settled is on its way.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from server.domain.workunit import UnitState
from server.services.cards import TaskCard
from tests.kit.backroom import Backroom, SpoiltBatch

UNIT, UNITS, QUORUM, MOST_COPIES = 300, 3, 2, 32
ACCOUNTS = ("ada", "bob", "cid", "dan")

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 7), st.integers(1, 3)),
        st.tuples(st.just("send"), st.integers(0, 30), st.integers(0, 9)),
        st.tuples(st.just("end"), st.integers(0, 30), st.sampled_from(("expire", "give-back"))),
        st.tuples(st.just("ask and fail"), st.integers(0, 7), st.integers(1, 3)),
        st.tuples(st.just("late"), st.integers(0, 30), st.integers(0, 9)),
        st.tuples(st.just("beyond"), st.integers(0, 30), st.integers(0, 9)),
        st.tuples(st.just("at once"), st.integers(0, 30), st.integers(0, 30)),
        st.tuples(st.just("judge"), st.just(0), st.just(0)),
        st.tuples(st.just("hasten"), st.integers(0, 7), st.integers(0, 59)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
        st.tuples(st.just("hold"), st.integers(0, 2), st.just(0)),
    ),
    min_size=5,
    max_size=40,
)


class Life:
    """One history."""

    def __init__(self, room: Backroom, klasses: bool) -> None:
        self.room = room
        self.klasses = klasses
        self.hosts: list[int] = []
        self.over: list[TaskCard] = []
        self.production = 0

    async def begin(self) -> None:
        """A production, and two hosts of each of four accounts, in up to two classes."""
        await self.room.open()
        reference = 5 if self.klasses else 0
        self.production = await self.room.produce(
            events=UNIT * UNITS, unit=UNIT, quorum=QUORUM, reference=reference
        )
        for number in range(8):
            # Each class has hosts of every account: no unit can wait for a class that is gone.
            klass = "0123"[number // 4] * 64 if self.klasses else ""
            account = ACCOUNTS[number % 4]
            self.hosts.append(await self.room.join(f"{account}-{number}", account, klass))

    async def step(self, what: str, one: int, two: int | str) -> None:
        """One thing happens."""
        leased = sorted(self.room.deps.registry.tasks.values(), key=lambda card: card.row.id)
        card = leased[one % len(leased)] if leased else None
        if what == "ask":
            await self.room.ask(self.hosts[one], int(two))
        elif what == "ask and fail":
            told = await asyncio.gather(
                self.room.ask(self.hosts[one], int(two)),
                self.room.spoil(),
                self.room.ask(self.hosts[one - 1], int(two)),
                return_exceptions=True,
            )
            assert [type(each) for each in told if isinstance(each, Exception)] == [SpoiltBatch]
        elif what == "send" and card is not None:
            await self.room.send(card, *part(card, int(two)))
        elif what == "end" and card is not None:
            await self.room.end(card, str(two))
            self.over.append(card)
        elif what == "late" and self.over:
            gone = self.over[one % len(self.over)]
            await self.room.send(gone, *part(gone, int(two)))
        elif what == "beyond" and (cut := [each for each in leased if each.lent]):
            trimmed = cut[one % len(cut)]  # its host was not told in time
            await self.room.send(trimmed, *part(trimmed, int(two), trimmed.lent))
        elif what == "at once" and card is not None and self.over:
            gone = self.over[int(two) % len(self.over)]
            await asyncio.gather(
                self.room.send(card, *part(card, 0)),
                self.room.send(gone, *part(gone, one % 10)),
                self.room.ask(self.hosts[one % 8], 2),
                self.room.send(gone, *part(gone, int(two))),
            )
        elif what == "judge":
            await self.room.judge()
        elif what == "hasten":
            await self.hasten(one, int(two))
        elif what == "restart":
            await self.room.stop()
            await self.room.open()
        elif what == "hold":
            await self.hold(one)

    async def hasten(self, fast: int, seconds: int) -> None:
        """Some hosts are known to be fast, others fall silent, and the end-game looks."""
        for host in {self.hosts[fast], self.hosts[(fast + 3) % 8]}:
            self.room.proven(host, self.production, 0.1)
        await self.room.later(seconds, self.hosts[fast])
        await self.room.hasten()
        for _ in range(4):
            await self.room.hasten()
        rushed = len(self.room.deps.line(self.production).rush)
        assert rushed <= QUORUM * UNITS + 4 * len(self.hosts)

    async def hold(self, unit: int) -> None:
        """A unit has too many errors; a manager looks, and lets it go on."""
        deps = self.room.deps
        changed = await self.room.store.write(
            lambda tx: tx.run(
                "UPDATE units SET errors = 1000, dirty = dirty + 1"
                " WHERE production = $1 AND number = $2 AND state = 'open'",
                self.production,
                unit,
            )
        )
        if changed:
            deps.mark(self.production, unit)
            await self.room.judge()
            await self.check()
            await self.room.release(self.production)

    async def check(self) -> None:
        """Everything that must hold at any time."""
        await self.nobody_holds_two_copies()
        await self.memory_is_the_table()
        await self.what_is_not_settled_is_on_its_way()
        await self.no_event_has_too_many_copies()

    async def no_event_has_too_many_copies(self) -> None:
        """However often the end is hastened, of no event there are more copies than allowed."""
        rows = await self.room.rows(
            "SELECT first, last FROM tasks WHERE state IN ('ready', 'leased')"
        )
        rows += await self.room.rows("SELECT first, last FROM frames")
        for event in range(0, UNIT * UNITS, 10):
            assert sum(first <= event < last for first, last in rows) <= MOST_COPIES

    async def nobody_holds_two_copies(self) -> None:
        """Of no event has an account a frame or a lease twice."""
        frames = await self.room.rows("SELECT account, task, first, last FROM frames")
        leases = await self.room.rows(
            "SELECT account, id, first, last FROM tasks WHERE state = 'leased'"
        )
        owned: dict[tuple[int, int], set[int]] = {}
        for account, task, first, last in (*frames, *leases):
            for event in range(first, last, 10):
                owned.setdefault((account, event), set()).add(task)
        assert [key for key, tasks in owned.items() if len(tasks) > 1] == []

    async def memory_is_the_table(self) -> None:
        """What waits in memory waits in the table, alike; what does not is still to be read."""
        line = self.room.deps.line(self.production)
        rows = await self.room.rows("SELECT id, unit, first, last FROM tasks WHERE state = 'ready'")
        memory = {
            waiting.id: (waiting.unit, waiting.first, waiting.last)
            for waiting in (*line.back, *line.fresh)
            if waiting is not None
        }
        assert set(memory) == line.known
        assert line.events == sum(last - first for _, first, last in memory.values())
        assert line.waits == Counter(unit for unit, _, _ in memory.values())
        table = {row[0]: tuple(row[1:]) for row in rows}
        unread = {
            number
            for number in table
            if line.loaded < number <= self.room.deps.registry.found and number not in memory
        }
        assert memory == {number: row for number, row in table.items() if number not in unread}

    async def what_is_not_settled_is_on_its_way(self) -> None:
        """An event not settled has enough copies, leases and ranges that wait, or is judged."""
        units = await self.room.rows("SELECT number, state, dirty FROM units")
        busy = {number for _, number in self.room.deps.dirty}
        settled = await self.room.rows("SELECT first, last FROM settled")
        frames = await self.room.rows("SELECT account, first, last FROM frames")
        tasks = await self.room.rows(
            "SELECT account, first, last FROM tasks WHERE state IN ('ready', 'leased')"
        )
        for number, state, dirty in units:
            if state != UnitState.OPEN or dirty:
                assert state != UnitState.OPEN or number in busy
                continue
            for event in range(number * UNIT, (number + 1) * UNIT, 10):
                if any(a <= event < b for a, b in settled):
                    continue
                spoken = {who for who, a, b in (*frames, *tasks) if a <= event < b and who}
                waiting = sum(1 for who, a, b in tasks if a <= event < b and not who)
                assert len(spoken) + waiting >= QUORUM, (event, spoken, waiting)

    async def finish(self) -> None:
        """Whoever had a lease vanishes; any two accounts can always bring it to its end."""
        ours = [host for host in self.hosts if self.room.host(host).account_name in ACCOUNTS[:2]]
        for card in list(self.room.deps.registry.tasks.values()):
            await self.room.end(card, "expire")
        for _ in range(40):
            self.room.now += 10.0  # what waits for fast hosts does so for a while alone
            await self.room.hasten()
            cards = [card for host in ours for card in await self.room.ask(host, 3)]
            for card in cards:
                for first, last in card.held.missing(card.row.first, card.row.last):
                    await self.room.send(card, first, last)
                await self.room.end(card, "deliver")
        await self.room.judge()
        await self.room.output(self.production, UNITS)


async def test_a_unit_whose_class_has_left_with_nothing_done_goes_to_another(
    tmp_path: Path,
) -> None:
    room = Backroom(tmp_path)
    await room.open()
    await room.produce(events=UNIT, unit=UNIT, reference=5)
    ada = await room.join("ada", "ada", "a" * 64)
    bob = await room.join("bob", "bob", "b" * 64)
    [card, *_] = await room.ask(ada, 1)
    assert await room.ask(bob, 1) == []
    await room.revoke(ada)
    await room.judge()
    assert card.row.unit == 0
    assert await room.ask(bob, 1) != []
    await room.stop()


def part(card: TaskCard, tenth: int, end: int = 0) -> tuple[int, int]:
    """Some events of a lease; borders are multiples of ten, or the lease's own."""
    first, last = card.row.first, end or card.row.last
    start = min(last - 1, first + tenth * (last - first) // 100 * 10)
    return start, min(last, start + 10 * (1 + tenth))


async def live(folder: Path, steps: list[tuple[str, int, int | str]], klasses: bool) -> None:
    """A whole history, checked after each step."""
    life = Life(Backroom(folder), klasses)
    await life.begin()
    try:
        for step in steps:
            await life.step(*step)
            await life.check()
        await life.finish()
        await life.check()
    finally:
        await life.room.stop()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.booleans())
@example([("ask", 0, 3), ("restart", 0, 0), ("ask", 0, 3), ("ask", 4, 3)], False)
@example([("ask", 0, 1), ("end", 0, "expire"), ("judge", 0, 0), ("ask", 0, 3)], True)
def test_whatever_happens_no_range_is_lost_and_nobody_has_two_copies(
    steps: list[tuple[str, int, int | str]], klasses: bool
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="windfall-feeder-"))
    try:
        asyncio.run(live(folder, steps, klasses))
    finally:
        shutil.rmtree(folder)
