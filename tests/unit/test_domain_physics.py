"""Histograms of physics: what is read of events, and what becomes of what is no event."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import physics
from server.domain.physics import Plot, Sheet

PION = 0.13957


def event(number: int, *particles: tuple[int, float, float, float, float, int]) -> bytes:
    """An event with particles (code, px, py, pz, e, status)."""
    lines = [
        f"P {k} -1 {code} {px:.12g} {py:.12g} {pz:.12g} {e:.12g} 0 {status}"
        for k, (code, px, py, pz, e, status) in enumerate(particles, 1)
    ]
    head = f"E {number} 1 {len(particles)}\nU GEV MM\n"
    return (head + "".join(f"{line}\n" for line in lines)).encode()


def pion(
    px: float, pz: float, code: int = -211, status: int = 1
) -> tuple[int, float, float, float, float, int]:
    """A pion in the x-z plane."""
    return (code, px, 0.0, pz, math.sqrt(px * px + pz * pz + PION**2), status)


def read(plot: Plot, text: bytes) -> physics.Filled:
    """What a plot has of these events."""
    sheet = Sheet.empty([plot])
    sheet.read([plot], text)
    return sheet.filled[0]


def test_multiplicity_counts_final_particles_that_were_asked_for_once_an_event() -> None:
    text = event(0, pion(1, 0), pion(1, 0, 211), (22, 1, 0, 0, 1, 1)) + event(
        1, pion(1, 0), pion(1, 5, status=4)
    )
    assert read(Plot("multiplicity", 0, 4, 4), text).counts == [0, 1, 1, 0]
    assert read(Plot("multiplicity", 0, 4, 4, (22,)), text).counts == [1, 1, 0, 0]


def test_transverse_momentum_is_across_the_beam() -> None:
    found = read(Plot("pt", 0, 2, 4), event(0, pion(0.3, 9), pion(1.7, -9), pion(2.0, 0)))
    assert (found.counts, found.below, found.above) == ([1, 0, 0, 1], 0, 1)


def test_rapidity_is_that_of_the_centre_of_mass_of_the_beams() -> None:
    beam = (2212, 0.0, 0.0, 158.0, math.sqrt(158**2 + 0.938272**2), 4)
    target = (2212, 0.0, 0.0, 0.0, 0.938272, 4)
    shift = math.atanh(158.0 / (beam[4] + target[4]))
    still = (-211, 0.0, 0.0, PION * math.sinh(shift), PION * math.cosh(shift), 1)
    assert (
        read(Plot("rapidity", -0.5, 0.5, 5, (-211,)), event(0, beam, target, still)).counts[2] == 1
    )
    assert read(Plot("rapidity", -0.5, 0.5, 5, (-211,)), event(0, still)).above == 1


def test_what_flies_along_the_beam_has_an_angle_and_no_pseudorapidity() -> None:
    text = event(0, pion(0, 3), pion(0, -3))
    assert read(Plot("cos_theta", -1, 1, 2), text).above == 1
    assert read(Plot("cos_theta", -1, 1, 2), text).counts == [1, 0]
    found = read(Plot("pseudorapidity", -9, 9, 3), text)
    assert (found.counts, found.below, found.above) == ([0, 0, 0], 1, 1)


def test_the_mass_of_two_back_to_back_is_the_sum_of_their_energies() -> None:
    text = event(0, (13, 0, 3, 0, 45.6, 1), (-13, 0, -3, 0, 45.6, 1), (22, 9, 9, 9, 20, 1))
    assert read(Plot("mass", 91, 91.4, 2, (13, -13)), text).counts == [0, 1]
    assert read(Plot("mass", 0, 1, 2, (15,)), text).counts == [0, 0]


def test_energies_in_mev_are_read_as_such() -> None:
    text = event(0, pion(500, 0)).replace(b"U GEV", b"U MEV")
    assert read(Plot("pt", 0, 1, 2), text).counts == [0, 1]


@pytest.mark.parametrize(
    "line",
    [
        b"P 1 -1 -211 nonsense 0 0 1 0 1",
        b"P 1 -1 -211 1 0 0",
        b"P 1 -1 99999999999999 1 0 0 1 0 1",
        b"\xff\xfe\x00",
    ],
)
def test_lines_that_are_no_particles_are_passed_over(line: bytes) -> None:
    text = event(0, pion(0.5, 0)) + line + b"\n"
    assert read(Plot("pt", 0, 1, 2), text).counts == [0, 1]


def test_what_is_not_a_number_is_counted_outside() -> None:
    text = event(0, (-211, math.nan, 0, 0, 1, 1), (-211, math.inf, 0, 0, 1, 1))
    found = read(Plot("pt", 0, 1, 2), text)
    assert (found.counts, found.below, found.above) == ([0, 0], 0, 2)


@given(st.binary(max_size=400))
def test_no_bytes_stop_the_reader(junk: bytes) -> None:
    text = event(0, pion(0.5, 0)) + junk
    for quantity in physics.QUANTITIES:
        read(Plot(quantity, 0, 1, 2), text)


momenta = st.floats(-50, 50)
events = st.lists(st.lists(st.tuples(momenta, momenta), max_size=4), max_size=6)


@given(events, st.integers(0, 6), st.sampled_from(physics.QUANTITIES))
def test_parts_of_a_unit_come_to_what_the_whole_comes_to(
    made: list[list[tuple[float, float]]], cut: int, quantity: str
) -> None:
    texts = [event(k, *(pion(px, pz) for px, pz in one)) for k, one in enumerate(made)]
    plots = [Plot(quantity, -2, 20, 7)]
    whole, first, second = (Sheet.empty(plots) for _ in range(3))
    whole.read(plots, b"".join(texts))
    first.read(plots, b"".join(texts[:cut]))
    second.read(plots, b"".join(texts[cut:]))
    first.add(second)
    assert first == whole
    assert whole.events == len(made)


@pytest.mark.parametrize(
    ("pid", "charge"),
    [
        *((211, 3), (-211, -3), (411, 3), (511, 0), (521, 3), (310, 0)),
        *((2224, 6), (3334, -3), (-3112, 3), (1000020040, 6)),
        *((11, -3), (-13, 3), (22, 0), (14, 0), (2, 2), (-3, 1), (-24, -3)),
    ],
)
def test_the_charge_of_a_particle_follows_from_its_number(pid: int, charge: int) -> None:
    assert physics.three_charge(pid) == charge
