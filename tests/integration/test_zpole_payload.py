"""The Z-pole payload on real pipes: any split gives the same bytes, and the physics is right."""

from __future__ import annotations

import hashlib
import math
import subprocess
from pathlib import Path

import pyhepmc
import pytest

from server.services import formats
from tests.kit.pipe_driver import PipeDriver, python
from tools.payloads.zpole import payload

COMMAND = python("zpole", "payload.py")


def test_any_split_gives_the_same_bytes(tmp_path: Path) -> None:
    expected = b"".join(payload.record(5, number) for number in range(950))
    for granule, ranges in (
        (1, [(0, 950)]),
        (1, [(333, 950), (0, 1), (200, 333), (1, 200)]),
        (10, [(400, 950), (0, 400)]),
    ):
        with PipeDriver(COMMAND, outdir=tmp_path, seed=5, granule=granule) as driver:
            taken = driver.run(ranges)
        assert not taken.failed
        assert taken.joined() == expected


def test_the_bytes_are_the_same_on_every_machine() -> None:
    text = b"".join(payload.record(1, number) for number in range(1000))
    assert hashlib.sha256(text).hexdigest() == (
        "8d70e93caabcf85c6eb7772a69a41fde819cb226af983c5b4022fcd0b0f8ac2e"
    )


def test_a_range_that_is_trimmed_ends_there_and_the_next_is_asked_for(tmp_path: Path) -> None:
    with PipeDriver(COMMAND, outdir=tmp_path) as driver:
        driver.wait("HELLO")
        driver.wait("NEXT")
        driver.say("RANGE 0 10000000")
        last = driver.wait("EVENT").interval[1]
        driver.say("TRIM 5000")
        while (message := driver.hear()) is not None and message.kind == "EVENT":
            last = message.interval[1]
        assert last == 5000
        assert message is not None
        assert message.kind == "NEXT"


def test_a_range_is_left_at_once_when_the_agent_says_end(tmp_path: Path) -> None:
    with PipeDriver(COMMAND, outdir=tmp_path) as driver:
        driver.wait("HELLO")
        driver.wait("NEXT")
        driver.say("RANGE 0 10000000")
        driver.wait("EVENT")
        driver.say("END")
        while (message := driver.hear()) is not None:
            assert message.interval[1] < 5000
        assert driver.process.wait(60) == 0


def test_the_events_read_back_and_conserve_momentum(tmp_path: Path) -> None:
    hepmc3 = formats.find("hepmc3")
    path = tmp_path / "events.hepmc"
    records = [payload.record(3, number) for number in range(50)]
    path.write_bytes(hepmc3.header + b"".join(records) + hepmc3.footer)
    seen = 0
    with pyhepmc.open(path) as file:
        for event in file:
            assert event.event_number == seen
            beams = [p for p in event.particles if p.status == 4]
            muons = [p for p in event.particles if p.status == 1]
            assert [p.pid for p in beams] == [11, -11]
            assert [p.pid for p in muons] == [13, -13]
            k, x, y, z = payload.scatter(3, seen)
            e = payload.SCAN[k] / 2
            assert muons[0].momentum == pytest.approx((e * x, e * y, e * z, e), rel=1e-11)
            for axis in range(4):
                before, after = (sum(p.momentum[axis] for p in side) for side in (beams, muons))
                assert math.isclose(before, after, abs_tol=1e-9)
            seen += 1
    assert seen == 50


def test_the_check_passes_on_the_real_generator() -> None:
    done = subprocess.run(
        [*COMMAND, "--check", "30000"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "largest of 14 pulls" in done.stdout


def test_the_check_fails_on_a_generator_that_mistakes_forward_for_backward(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = payload.scatter

    def wrong(seed: int, number: int) -> tuple[int, float, float, float]:
        k, x, y, z = right(seed, number)
        return k, x, y, -z

    monkeypatch.setattr(payload, "scatter", wrong)
    assert payload.main(["--check", "20000"]) == 1


def test_events_are_printed_on_request(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    subprocess.run([*COMMAND, "7", "9", "4"], check=True)
    assert capfdbinary.readouterr().out == payload.record(4, 7) + payload.record(4, 8)
