"""The Pythia payload on real pipes: any split gives the same bytes, which read back whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyhepmc
import pytest

from server.services import formats
from tests.kit.pipe_driver import PAYLOADS, PipeDriver, Taken, python
from tools.payloads.pythia8 import payload

try:
    import pythia8mc  # noqa: F401
except ImportError as error:
    pytest.skip(
        f"pythia8mc cannot be imported ({error}): pip install pythia8mc==8.317.2",
        allow_module_level=True,
    )

pytestmark = pytest.mark.pythia

COMMAND = python("pythia8", "payload.py")
CARD = PAYLOADS / "pythia8" / "pp158.cmnd"
SEED = 40_000
EVENTS = 250


def take(folder: Path, ranges: list[tuple[int, int]], granule: int = 1) -> Taken:
    """What the payload makes of these ranges."""
    with PipeDriver(
        COMMAND, outdir=folder, seed=SEED, granule=granule, block=100, inputs={"CARD": CARD}
    ) as driver:
        return driver.run(ranges)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """All events in one range."""
    return take(tmp_path_factory.mktemp("whole"), [(0, EVENTS)])


@cache
def pythia() -> Any:
    """A generator of our own, to compare with."""
    return payload.generator(str(CARD))


def read(records: bytes, path: Path) -> Iterator[Any]:
    """The events as pyhepmc reads them."""
    hepmc3 = formats.find("hepmc3")
    path.write_bytes(hepmc3.header + records + hepmc3.footer)
    with pyhepmc.open(path) as file:
        yield from file


@pytest.mark.parametrize(
    ("granule", "ranges"),
    [
        (1, [(0, 100), (100, 200), (200, EVENTS)]),
        (1, [(201, EVENTS), (33, 133), (0, 1), (199, 201), (1, 33), (133, 199)]),
        (10, [(130, EVENTS), (0, 130)]),
    ],
)
def test_any_split_gives_the_same_bytes(
    tmp_path: Path, whole: Taken, granule: int, ranges: list[tuple[int, int]]
) -> None:
    taken = take(tmp_path, ranges, granule)
    assert not taken.failed
    assert taken.joined() == whole.joined()


def test_every_event_is_a_record_with_its_number(whole: Taken) -> None:
    assert sorted(whole.records) == list(range(EVENTS))
    for number, record in whole.records.items():
        assert record.startswith(b"E %d 1 " % number)


def test_particles_read_back_as_pythia_made_them(tmp_path: Path, whole: Taken) -> None:
    events = list(read(whole.joined(), tmp_path / "events.hepmc"))
    assert [event.event_number for event in events] == list(range(EVENTS))
    generator = pythia()
    for event in events[:40]:
        generator.rndm.init(1 + SEED + event.event_number)
        assert generator.next()
        made = [
            generator.event[k]
            for k in range(generator.event.size())
            if k in (1, 2) or generator.event[k].isFinal()
        ]
        found = sorted(event.particles, key=lambda particle: int(particle.id))
        assert [p.pid for p in found] == [q.id() for q in made]
        assert [p.status for p in found] == [4, 4, *[1] * (len(made) - 2)]
        for p, q in zip(found, made, strict=True):
            momentum = (q.px(), q.py(), q.pz(), q.e())
            assert p.momentum == pytest.approx(momentum, rel=1e-11, abs=1e-300)
            assert p.generated_mass == pytest.approx(q.m(), rel=1e-11)


def test_four_momentum_is_conserved_from_the_beams_to_the_final_state(
    tmp_path: Path, whole: Taken
) -> None:
    events = list(read(whole.joined(), tmp_path / "events.hepmc"))
    assert len(events) == EVENTS
    for event in events:
        (vertex,) = event.vertices
        assert [p.pid for p in vertex.particles_in] == [2212, 2212]
        assert vertex.particles_in[0].momentum.pz == pytest.approx(158.0)
        assert vertex.particles_in[1].momentum.pz == pytest.approx(0.0, abs=1e-9)
        for axis in range(4):
            before = math.fsum(p.momentum[axis] for p in vertex.particles_in)
            after = math.fsum(p.momentum[axis] for p in vertex.particles_out)
            # Pythia's own sums are off by 1e-5 GeV in one event of some thousand.
            assert before == pytest.approx(after, abs=2e-5)


def test_two_productions_with_neighbouring_seeds_share_no_event(
    tmp_path: Path, whole: Taken
) -> None:
    with PipeDriver(
        COMMAND, outdir=tmp_path, seed=SEED + EVENTS, block=100, inputs={"CARD": CARD}
    ) as driver:
        after = driver.run([(0, 20)])
    bodies = {record.split(b"\n", 1)[1] for record in whole.records.values()}
    assert not bodies & {record.split(b"\n", 1)[1] for record in after.records.values()}


@pytest.mark.parametrize(
    ("card", "seed", "why"),
    [
        ("Beams:eCM = 20.\nSoftQCD:inelastik = on\n", 1, "has a line that Pythia does not take"),
        ("Beams:eCM = 20.\nSoftQCD:inelastic = on\n", 899_999_999, "the offset in Pythia's seeds"),
        ("Beams:eCM = 20.\n", 1, "does not initialize"),
    ],
)
def test_what_cannot_be_generated_is_refused_before_a_range_is_asked_for(
    tmp_path: Path, card: str, seed: int, why: str
) -> None:
    given = tmp_path / "card"
    given.write_text(card)
    with (
        (tmp_path / "log").open("wb") as log,
        PipeDriver(COMMAND, outdir=tmp_path, seed=seed, inputs={"CARD": given}, log=log) as driver,
    ):
        driver.wait("HELLO")
        assert driver.hear() is None
        assert driver.process.wait(60) == 1
    assert why in (tmp_path / "log").read_text()
