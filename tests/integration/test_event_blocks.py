"""Blocks in forked children, with a generator that remembers what it must not; no Pythia needed."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.kit.pipe_driver import ROOT, PipeDriver
from tests.kit.waiting import until

# Every event tells how many were made before it in the same process: the leak that some of
# Pythia's processes have, made visible in each event.
LEAKY = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import evp
from tools.payloads.pythia8 import payload

made = []

def generate(number):
    made.append(number)
    if str(number) == sys.argv[2]:
        os.abort()
    time.sleep(float(sys.argv[3]))
    return b"" if number % 50 == 7 else b"event %d after %d\\n" % (number, len(made) - 1)

payload.run(evp.Channel("leaky"), generate)
"""


def leaky(folder: Path, dies_at: int = -1, seconds: float = 0.0) -> list[str]:
    """The command of a payload around the leaky generator."""
    script = folder / "leaky.py"
    script.write_text(LEAKY)
    return [sys.executable, str(script), str(ROOT), str(dies_at), str(seconds)]


def event(number: int, block: int = 100) -> bytes:
    """What a generator that starts every block afresh makes."""
    return b"" if number % 50 == 7 else b"event %d after %d\n" % (number, number % block)


def wait_for_nobody(driver: PipeDriver) -> None:
    """Until no process of the payload is left."""
    until(lambda: not driver.processes(), lambda: f"{driver.processes()} still run")


@pytest.mark.parametrize(
    ("granule", "ranges"),
    [
        (1, [(0, 250)]),
        (1, [(0, 1), (1, 99), (99, 250)]),
        (1, [(249, 250), (120, 130), (0, 120), (130, 249)]),
        (10, [(130, 250), (0, 10), (10, 130)]),
        (30, [(60, 250), (0, 60)]),
    ],
)
def test_an_event_does_not_depend_on_what_was_made_before_its_block(
    tmp_path: Path, granule: int, ranges: list[tuple[int, int]]
) -> None:
    with PipeDriver(leaky(tmp_path), outdir=tmp_path, granule=granule, block=100) as driver:
        taken = driver.run(ranges)
    block = 120 if granule == 30 else 100
    assert taken.joined() == b"".join(event(number, block) for number in range(250))
    assert sorted(taken.records) == list(range(0, 250, granule))
    assert not taken.failed


def test_a_block_whose_generator_dies_fails_from_there_and_the_others_come(tmp_path: Path) -> None:
    with PipeDriver(leaky(tmp_path, dies_at=130), outdir=tmp_path, block=100) as driver:
        taken = driver.run([(0, 250)])
    assert [(last, word) for _, last, word in taken.failed] == [(200, "block-died")]
    first = taken.failed[0][0]
    assert 100 <= first <= 130
    assert sorted(taken.records) == [*range(first), *range(200, 250)]


def test_events_beyond_the_last_seed_are_refused(tmp_path: Path) -> None:
    with PipeDriver(leaky(tmp_path), outdir=tmp_path, seed=899_999_999 - 150) as driver:
        taken = driver.run([(0, 120), (120, 200)])
    assert sorted(taken.records) == list(range(150))
    assert taken.failed == [(150, 200, "seeds-used-up")]


def test_a_block_that_is_trimmed_ends_there_with_its_child(tmp_path: Path) -> None:
    with PipeDriver(leaky(tmp_path, seconds=0.01), outdir=tmp_path, block=1000) as driver:
        driver.wait("HELLO")
        driver.wait("NEXT")
        driver.say("RANGE 0 1000000")
        last = driver.wait("EVENT").interval[1]
        driver.say("TRIM 40")
        while (message := driver.hear()) is not None and message.kind == "EVENT":
            last = message.interval[1]
        assert last == 40
        assert message is not None
        assert message.kind == "NEXT"
        assert driver.processes() == {driver.process.pid}


@pytest.mark.parametrize("how", ["END", "agent dies", "SIGTERM", "SIGKILL"])
def test_it_ends_quickly_in_the_middle_of_an_event_and_leaves_no_child(
    tmp_path: Path, how: str
) -> None:
    # Events of an hour: whoever waits for one of them does not end.
    with PipeDriver(leaky(tmp_path, seconds=3600), outdir=tmp_path) as driver:
        driver.wait("HELLO")
        driver.wait("NEXT")
        driver.say("RANGE 0 1000000")
        until(lambda: len(driver.processes()) >= 2, lambda: "no block was begun")
        if how == "END":
            driver.say("END")
        elif how == "agent dies":
            driver.hang_up()
        else:
            driver.process.send_signal(signal.Signals[how])
        assert driver.hear(within=2.0) is None
        wait_for_nobody(driver)
        expected = 0 if how in ("END", "agent dies") else -signal.Signals[how]
        assert driver.process.wait(2) == expected
