"""The rules of pairing: states, PINs, codes, words and who must wait."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter

import pytest

from server.domain import pairing, spoken
from server.domain.errors import BadInput, IllegalMove
from server.domain.pairing import LIVE, MOVES, PairState, Rules, Tries

SECRET = b"s" * 32


def test_nothing_is_delivered_that_was_not_confirmed() -> None:
    into = {state for (state, _), after in MOVES.table.items() if after is PairState.DELIVERED}
    assert into == {PairState.CONFIRMED}
    before = {state for (state, _), after in MOVES.table.items() if after is PairState.CONFIRMED}
    assert before == {PairState.CLAIMED}


@pytest.mark.parametrize("state", sorted(MOVES.finals))
def test_a_pairing_that_is_over_stays_over(state: PairState) -> None:
    for cause in {cause for _, cause in MOVES.table}:
        with pytest.raises(IllegalMove):
            MOVES.after(state, cause)


def test_every_live_pairing_can_expire_and_be_cancelled() -> None:
    for state in LIVE:
        assert MOVES.after(state, "expire") is PairState.EXPIRED
        assert MOVES.after(state, "cancel") is PairState.CANCELLED


def test_words_are_2048_and_one_wrong_letter_makes_no_other_word() -> None:
    assert len(set(spoken.WORDS)) == 2**spoken.BITS
    assert all(re.fullmatch("[bdfgklmnprstvz][aeiou][bdfgklmnprstvz][aeiou][bdfgklmnprstvz]", word)
               for word in spoken.WORDS)  # fmt: skip
    gaps = Counter((k, word[:k] + word[k + 1 :]) for word in spoken.WORDS for k in range(5))
    assert max(gaps.values()) == 1


def test_words_are_of_secret_token_and_commitment() -> None:
    mine = spoken.three(SECRET, "token", "c" * 64)
    assert mine == spoken.three(SECRET, "token", "c" * 64)
    others = {
        spoken.three(b"t" * 32, "token", "c" * 64),
        spoken.three(SECRET, "taken", "c" * 64),
        spoken.three(SECRET, "token", "d" * 64),
    }
    assert len(others | {mine}) == 4
    assert set(mine.split()) <= set(spoken.WORDS)


def test_pins_are_uniform_in_every_digit_with_no_rule_in_them() -> None:
    pins = [pairing.pin_of(SECRET, f"handle {n}", 0) for n in range(20_000)]
    assert all(re.fullmatch("[0-9]{6}", pin) for pin in pins)
    for place in range(6):
        counts = Counter(pin[place] for pin in pins)
        # 2000 of each are expected, 42 is one sigma; the secret is fixed, and so is the outcome.
        assert set(counts) == set("0123456789")
        assert max(abs(count - 2000) for count in counts.values()) < 190
    assert pairing.pin_of(SECRET, "handle 1", 0) == pins[1]
    assert pairing.pin_of(SECRET, "handle 1", 1) != pins[1]


def test_a_pin_is_shown_in_pairs_and_a_code_in_fours() -> None:
    assert pairing.pin_shown("859116") == "85 91 16"
    assert pairing.code_shown("BCDFGHJK") == "BCDF-GHJK"


def test_codes_are_of_twenty_letters_that_spell_nothing() -> None:
    assert len(set(pairing.LETTERS)) == 20
    assert not set(pairing.LETTERS) & set("AEIOUY0123456789")
    codes = [pairing.code_of(bytes([a, b])) for a, b in itertools.product(range(64), range(64))]
    assert len(set(codes)) == len(codes)
    assert set("".join(codes)) == set(pairing.LETTERS)


@pytest.mark.parametrize("typed", ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "bc-df-gh-jk"])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert pairing.read_code(typed) == "BCDFGHJK"


@pytest.mark.parametrize("typed", ["", "BCDF-GHJ", "BCDF-GHJKL", "ABCD-EFGH", "BCDF-GHJ1", "ß" * 8])
def test_what_is_no_code_is_refused_with_the_form_it_has(typed: str) -> None:
    with pytest.raises(BadInput, match="BCDF-GHJK"):
        pairing.read_code(typed)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unix", "unix"),
    ],
)
def test_an_address_belongs_to_a_network_that_one_person_may_own(
    address: str, network: str
) -> None:
    assert pairing.network_of(address) == network


def test_who_tried_five_times_in_vain_waits_until_the_first_is_ten_minutes_old() -> None:
    rules = Rules()
    assert pairing.wait_s(Tries(4, 29, 0, 100.0), rules, 130.0) == 0
    assert pairing.wait_s(Tries(5, 5, 0, 100.0), rules, 130.0) == 570.0
    assert pairing.wait_s(Tries(0, 30, 0, 100.0), rules, 699.9) == 1.0


def test_more_than_a_hundred_wrong_pins_a_minute_lock_the_door() -> None:
    assert not pairing.locks(Tries(minute=100), Rules())
    assert pairing.locks(Tries(minute=101), Rules())


def test_a_commitment_is_opened_by_its_own_bytes_alone() -> None:
    right = bytes(range(32))
    commitment = hashlib.sha256(right).hexdigest()
    assert pairing.opens(right, commitment)
    assert not pairing.opens(right[:-1] + b"x", commitment)
    assert not pairing.opens(b"", hashlib.sha256(b"").hexdigest())


def test_who_asks_too_soon_is_told_to_ask_less_often_up_to_a_bound() -> None:
    rules = Rules()
    assert pairing.next_interval(0.0, 5.0, 100.0, rules) == 5.0
    assert pairing.next_interval(100.0, 5.0, 105.0, rules) == 5.0
    interval = 5.0
    for _ in range(100):
        interval = pairing.next_interval(100.0, interval, 100.1, rules)
    assert interval == 60.0
