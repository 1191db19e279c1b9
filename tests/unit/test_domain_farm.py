"""The farm switch as rules: whom it reaches, when a share has left, how far it is."""

from __future__ import annotations

import pytest

from server.domain.errors import BadInput
from server.domain.farm import (
    Answer,
    Mode,
    Scope,
    Stage,
    Target,
    after,
    check_name,
    check_switch,
    stage,
)

NOBODY: list[Answer] = []
HEARD = Answer(1, heard=True, after_s=None)
GONE = Answer(2, heard=True, after_s=0.5)
DEAF = Answer(3, heard=False, after_s=None)


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        (Target(Scope.ALL), {1, 2, 3}),
        (Target(Scope.SITE, 7), {1, 2}),
        (Target(Scope.ACCOUNT, 20), {2, 3}),
        (Target(Scope.HOSTS, 7, frozenset({2})), {2}),
        (Target(Scope.HOST, 3), {3}),
        (Target(Scope.SITE, 0), set()),
    ],
)
def test_a_switch_reaches_its_scope_and_nobody_else(target: Target, reached: set[int]) -> None:
    hosts = [(1, 10, 7), (2, 20, 7), (3, 20, 0)]
    assert {host for host, account, site in hosts if target.reaches(host, account, site)} == reached


def test_a_share_has_left_when_its_last_host_has() -> None:
    answers = [Answer(n, heard=True, after_s=n / 10) for n in range(1, 21)]
    assert after(answers, 0.5) == 1.0
    assert after(answers, 0.95) == 1.9
    assert after(answers, 1.0) == 2.0
    assert after([*answers, HEARD], 1.0) is None
    assert after([], 0.5) is None


@pytest.mark.parametrize(
    ("answers", "now", "found"),
    [
        ([DEAF], 101.0, Stage.ANNOUNCED),
        ([DEAF, HEARD], 101.0, Stage.DRAINING),
        ([GONE, HEARD], 101.0, Stage.DRAINING),
        ([GONE], 101.0, Stage.DRAINED),
        (NOBODY, 101.0, Stage.DRAINED),
        ([GONE, HEARD], 108.0, Stage.OVERDUE),
        ([DEAF], 108.0, Stage.OVERDUE),
        ([GONE], 1e9, Stage.DRAINED),
    ],
)
def test_how_far_a_shutdown_is(answers: list[Answer], now: float, found: Stage) -> None:
    assert stage(Mode.STOP, 100.0, 2.0, now, answers) is found
    assert stage(Mode.ONLINE, 100.0, 2.0, now, answers) is Stage.OPEN


@pytest.mark.parametrize("name", ["", "a b", "-x", "ä", "x" * 65, "a/b"])
def test_what_cannot_be_the_name_of_a_site_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="letters, digits"):
        check_name(name)


def test_every_fault_of_a_switch_is_told() -> None:
    with pytest.raises(BadInput) as caught:
        check_switch("explode", -1.0, "two\nlines")
    assert [fault.split()[0] for fault in caught.value.faults] == ["how", "grace_s", "reason:"]
