"""Counting different ones without keeping them."""

from __future__ import annotations

import random

import pytest

from server.domain.sketch import K, Sketch


def seen(number: int, seed: int) -> Sketch:
    """A sketch of so many different hashes."""
    chance, made = random.Random(seed), Sketch()
    for _ in range(number):
        made.add(chance.getrandbits(64))
    return made


def test_few_are_counted_exactly_however_often_and_in_whatever_order_they_come() -> None:
    values = [random.Random(7).getrandbits(64) for _ in range(3)] * 2
    made = Sketch()
    assert [made.add(value) for value in values][:1] == [True]
    for number in (0, 1, K - 1):
        assert seen(number, 5).count() == number
    assert Sketch(reversed([5, 5, 9])).to_bytes() == Sketch([9, 5]).to_bytes()
    assert not Sketch([5]).add(5)


@pytest.mark.parametrize("number", [K + 1, 5_000, 50_000])
def test_many_are_counted_within_a_tenth(number: int) -> None:
    assert abs(seen(number, 11).count() - number) < number * 0.1


def test_a_sketch_goes_on_after_it_was_kept() -> None:
    whole, first = seen(5_000, 3), Sketch()
    chance = random.Random(3)
    for _ in range(2_000):
        first.add(chance.getrandbits(64))
    second = Sketch.from_bytes(first.to_bytes())
    for _ in range(3_000):
        second.add(chance.getrandbits(64))
    assert second.to_bytes() == whole.to_bytes()
    assert len(second.to_bytes()) == 8 * K
