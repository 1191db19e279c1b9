"""Events that fail everywhere: who is heard, how many it takes, and what is never set aside."""

from __future__ import annotations

from server.domain.intervals import Intervals
from server.domain.poison import Held, Poison, Told, is_heard, poisoned
from server.domain.trust import Standing

NONE = Intervals()


def told(*accounts: int, first: int = 137, last: int = 138, word: str = "crashed") -> list[Told]:
    return [Told(first, last, account, word) for account in accounts]


def judged(said: list[Told], held: tuple[Held, ...] = (), **more: int) -> list[Poison]:
    granule, most = more.get("granule", 1), more.get("most", 100)
    return poisoned(said, held, NONE, (100, 200), granule, more.get("accounts", 3), most)


def test_three_accounts_set_an_event_aside_and_two_do_not() -> None:
    assert judged(told(1, 2)) == []
    assert judged(told(1, 2, 3)) == [Poison(137, 138, 3, "crashed")]


def test_one_account_has_one_voice_however_often_it_fails() -> None:
    assert judged(told(1, 1, 1, 2, 2, 2)) == []


def test_a_delivered_event_needs_as_many_witnesses_more() -> None:
    copy = (Held(100, 200, 9),)
    assert judged(told(1, 2, 3), copy) == []
    assert judged(told(1, 2, 3, 4, 5), copy) == []
    assert judged(told(1, 2, 3, 4, 5, 6), copy) == [Poison(137, 138, 6, "crashed")]


def test_who_delivered_an_event_after_all_is_no_witness() -> None:
    assert judged(told(1, 2, 3), (Held(130, 140, 3),)) == []


def test_only_what_all_name_is_set_aside() -> None:
    said = [*told(1, first=130, last=150), *told(2, first=137, last=160), *told(3)]
    assert judged(said) == [Poison(137, 138, 3, "crashed")]


def test_whole_granules_are_set_aside_or_nothing() -> None:
    assert judged(told(1, 2, 3), granule=10) == []
    said = told(1, 2, 3, first=130, last=140)
    assert judged(said, granule=10) == [Poison(130, 140, 3, "crashed")]


def test_what_is_settled_stays_settled() -> None:
    past = Intervals([(137, 138)])
    assert poisoned(told(1, 2, 3), (), past, (100, 200), 1, 3, 100) == []


def test_no_more_is_set_aside_than_may_be() -> None:
    said = told(1, 2, 3, first=0, last=10**9)
    assert len(judged(said, most=5)) == 5
    assert judged(said, most=0) == []
    assert len(judged(said, most=10**6)) == 100


def test_nothing_is_set_aside_where_that_is_switched_off() -> None:
    assert judged(told(*range(50)), accounts=0) == []


def test_the_usual_word_is_kept() -> None:
    said = [*told(1, 2), *told(3, word="hung")]
    assert judged(said)[0].word == "crashed"


def test_a_host_is_heard_that_is_believed_and_seldom_wrong() -> None:
    assert is_heard(True, 0, 0)
    assert is_heard(True, 1000, 50)
    assert not is_heard(True, 1000, 51)
    assert not is_heard(True, 0, 1)
    assert not is_heard(False, 1000, 0)


def test_a_doubted_host_is_not_heard_and_a_trusted_one_is() -> None:
    assert not is_heard(True, 1000, 0, Standing.DOUBTED)
    assert is_heard(True, 0, 1, Standing.TRUSTED)
    assert not is_heard(False, 0, 0, Standing.TRUSTED)
