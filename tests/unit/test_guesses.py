"""What guessing comes to against the real rules, on a virtual clock with fixed dice."""

from __future__ import annotations

from server.domain.pairing import Rules
from tools.guesses import ATTACKS, Bounds, run


def test_one_address_and_one_network_are_looked_at_a_few_times_in_ten_minutes() -> None:
    alone, network = (run(attack, 60_000, 10, seed=3) for attack in ATTACKS[:2])
    # Ten minutes of 6000 guesses each: 60,000 guesses last for one window.
    assert alone.looked_at == 5
    assert network.looked_at == 30
    assert (alone.locks, network.locks) == (0, 0)


def test_many_addresses_at_once_lock_the_door_after_a_hundred() -> None:
    found = run(ATTACKS[2], 60_000, 10, seed=3)
    assert (found.looked_at, found.locks) == (101, 1)


def test_a_patient_crowd_is_never_locked_and_finds_what_chance_gives_it() -> None:
    found = run(ATTACKS[3], 20_000, 200, seed=3)
    assert (found.looked_at, found.locks) == (20_000, 0)
    # 200 open PINs are one in 5000: four are expected; the dice are set.
    assert 1 <= found.right <= 12


def test_a_right_guess_counts_against_its_address_as_a_wrong_one() -> None:
    bounds = Bounds(Rules())
    for _ in range(5):
        assert bounds.takes("a", "n", 100.0)
        bounds.wrong("a", "n", 100.0, right=True)
    assert not bounds.takes("a", "n", 100.0)
    assert bounds.takes("b", "n", 100.0)
    assert bounds.takes("a", "n", 701.0)
