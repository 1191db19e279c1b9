"""Payloads that are not Python, and the production files that come with all of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from server.domain import definition
from server.services import formats
from tests.kit.pipe_driver import PAYLOADS, PipeDriver

DICE = ["sh", str(PAYLOADS / "shell" / "payload.sh")]
CIRCLE = PAYLOADS / "legacy" / "payload.sh"


def points(folder: Path, first: int, last: int) -> bytes:
    """What the legacy program leaves for a range."""
    out = folder / f"{first}-{last}"
    out.mkdir()
    facts = {"EVP_FIRST": first, "EVP_LAST": last, "EVP_SEED": 2**63, "EVP_OUTDIR": out}
    subprocess.run(
        ["sh", str(CIRCLE)],
        check=True,
        env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in facts.items()}},
    )
    (left,) = out.iterdir()
    return left.read_bytes()


def test_plain_sh_speaks_the_pipe_and_any_split_gives_the_same_lines(tmp_path: Path) -> None:
    takes = []
    for ranges in ([(0, 60)], [(25, 60), (0, 1), (1, 25)]):
        with PipeDriver(DICE, outdir=tmp_path, seed=9) as driver:
            takes.append(driver.run(ranges).joined())
    assert takes[0] == takes[1]
    throws = [[int(word) for word in line.split()] for line in takes[0].splitlines()]
    assert [number for number, _, _ in throws] == list(range(60))
    assert {face for throw in throws for face in throw[1:]} == {1, 2, 3, 4, 5, 6}


def test_plain_sh_takes_no_harm_from_a_trim(tmp_path: Path) -> None:
    with PipeDriver(DICE, outdir=tmp_path) as driver:
        driver.wait("HELLO")
        driver.wait("NEXT")
        driver.say("RANGE 0 5")
        driver.say("TRIM 3")
        events = [driver.wait("EVENT").interval for _ in range(5)]
        assert events == [(k, k + 1) for k in range(5)]
        driver.wait("NEXT")
        driver.say("END")
        assert driver.hear() is None
        assert driver.process.wait(60) == 0


def test_a_legacy_program_gives_the_same_lines_however_its_ranges_are_cut(tmp_path: Path) -> None:
    whole = points(tmp_path, 0, 20_000)
    assert whole == points(tmp_path, 0, 100) + points(tmp_path, 100, 20_000)
    inside = [line.split()[3] == b"1" for line in whole.splitlines()]
    assert len(inside) == 20_000
    assert 4 * sum(inside) / len(inside) == pytest.approx(3.1416, abs=0.05)


@pytest.mark.parametrize("name", ["legacy", "pythia8", "shell", "zpole"])
def test_the_production_file_of_a_payload_is_taken_as_it_is(name: str) -> None:
    folder = PAYLOADS / name
    read = definition.parse((folder / "production.toml").read_text())
    formats.find(read.format)
    program = read.payload.command[-1]
    assert (folder / program).is_file()


def test_the_card_in_the_production_file_is_the_card_beside_it() -> None:
    folder = PAYLOADS / "pythia8"
    read = definition.parse((folder / "production.toml").read_text())
    assert read.inputs["CARD"] == (folder / "pp158.cmnd").read_text()
