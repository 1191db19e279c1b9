"""The server's clock follows the time of day, but neither leaps nor goes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.steady import SLEW, SteadyClock
from tests.kit.house import house

HOUR = 3600.0


@dataclass
class Machine:
    """A machine whose clocks are moved by hand."""

    wall: float = 1_000_000.0
    ticks: float = 50.0

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.ticks += seconds


def clock_of(machine: Machine) -> SteadyClock:
    """The server's clock on this machine."""
    return SteadyClock(lambda: machine.wall, lambda: machine.ticks)


def test_it_starts_with_the_time_of_day_and_goes_with_it() -> None:
    machine = Machine()
    clock = clock_of(machine)
    for _ in range(100):
        assert clock() == pytest.approx(machine.wall)
        machine.go(0.3)


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
def test_a_jump_of_hours_ends_no_lease_and_holds_none_up(jump: float) -> None:
    machine = Machine()
    clock = clock_of(machine)
    begun = clock()
    machine.wall += jump
    for _ in range(120):
        machine.go(1.0)
        clock()
    assert 120 * (1 - SLEW) <= clock() - begun <= 120 * (1 + SLEW)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_what_is_wrong_is_made_good(jump: float) -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.wall += jump
    for _ in range(int(HOUR / SLEW) + 10):
        machine.go(1.0)
        clock()
    assert clock() == pytest.approx(machine.wall)


def test_a_jump_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.wall -= HOUR
    for _ in range(30):
        machine.go(1.0)
        clock()
    assert [record.message for record in caplog.records] == ["the clock jumped"]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e5, 1e5)), max_size=50))
def test_it_never_goes_back(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = clock_of(machine)
    before = clock()
    for passed, jump in steps:
        machine.go(passed)
        machine.wall += jump
        now = clock()
        assert now >= before - 1e-6
        assert now - before <= passed * (1 + SLEW) + 1e-6
        before = now


async def test_a_server_counts_in_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert isinstance(found.deps.clock, SteadyClock)
