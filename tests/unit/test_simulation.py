"""Small productions on the virtual clock: every policy, every crowd, the rules that always hold."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("simpy", reason="the extra `simulate` is not installed")

from tools.simulation import __main__ as program
from tools.simulation.hosts import Crowd
from tools.simulation.ledger import Broken, Ledger
from tools.simulation.lives import POPULATIONS
from tools.simulation.people import CROWDS, Person
from tools.simulation.run import POLICIES, Figures, Setting, run
from tools.simulation.table import markdown
from tools.simulation.workload import Shape, Workload

SMALL = Setting(Crowd(50), Shape(poison=2), hours=0.3, seed=7, cap=2000.0)


@cache
def small(name: str, crowd: Crowd = SMALL.crowd, seed: int = 7) -> Figures:
    """A run of 50 hosts; `Broken` if a rule was."""
    return run(name, replace(SMALL, crowd=crowd, seed=seed))


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_decides_every_event_once(name: str) -> None:
    figures = small(name)
    assert figures.curve[-1][1] == 1.0, f"seed {figures.seed}"
    assert sum(figures.cpu.values()) == pytest.approx(1.0)
    reached = [at for at in figures.times.values() if at is not None]
    assert reached == sorted(reached)
    assert len(reached) == 4


@pytest.mark.parametrize("population", POPULATIONS)
def test_our_policy_ends_whenever_hosts_come_and_go(population: str) -> None:
    figures = small("windfall", Crowd(50, population))
    assert figures.curve[-1][1] == 1.0, f"seed {figures.seed}"
    assert figures.set_aside_events == 2


@pytest.mark.parametrize("people", CROWDS)
def test_our_policies_end_whoever_computes(people: str) -> None:
    crowd = replace(SMALL.crowd, people=people)
    assert small("windfall-adaptive", crowd).curve[-1][1] == 1.0


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_seed_gives_the_same_figures_and_another_does_not(name: str) -> None:
    assert small(name) == run(name, SMALL)
    assert small(name).curve != small(name, seed=8).curve


@pytest.mark.parametrize("name", ["windfall", "windfall-adaptive"])
def test_honest_hosts_of_two_classes_settle_nothing_wrong_and_reject_nothing(name: str) -> None:
    figures = small(name, Crowd(50, people="honest"))
    assert figures.wrong_events == 0
    assert figures.cpu["rejected"] == 0


def test_a_quorum_lets_nothing_in_of_who_fakes_alone() -> None:
    figures = small("windfall", Crowd(50, people="faker"))
    assert figures.wrong_events == 0
    assert figures.cpu["rejected"] > 0


def test_colluders_agree_on_what_is_wrong_with_their_own_gang_alone() -> None:
    one, two, other = (Person(n, "colluder", "a", n // 2, Random(n)) for n in range(3))
    spoilt = one.digests(0, 500)
    assert spoilt == two.digests(0, 500) != other.digests(0, 500)
    assert 20 < sum(digest != b"" for digest in spoilt) < 100


def test_only_poison_is_set_aside_by_ours_and_whole_jobs_by_plain_ones() -> None:
    assert small("windfall").set_aside_events == SMALL.shape.poison
    assert small("plain-1h").set_aside_events > 10 * SMALL.shape.poison


def test_what_is_streamed_is_not_lost() -> None:
    assert small("windfall").cpu["lost"] < small("windfall-unstreamed").cpu["lost"]


def test_an_event_that_is_settled_twice_is_a_broken_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = Ledger.settle

    def twice(self: Ledger, *facts: float) -> None:
        settle(self, *facts)  # type: ignore[arg-type]
        settle(self, *facts)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "settle", twice)
    with pytest.raises(Broken, match="events of"):
        run("windfall", SMALL)


def test_an_account_with_two_leases_on_an_event_is_a_broken_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from server.domain.line import Line

    def blind(self: Line, waiting: object, *rest: object) -> tuple[int, int]:
        del self, rest
        return waiting.first, waiting.last  # type: ignore[attr-defined]

    monkeypatch.setattr(Line, "_gap", blind)
    with pytest.raises(Broken, match=r"account \d+ has some of"):
        run("windfall", SMALL)


def test_work_is_found_again_from_the_event_that_it_reached() -> None:
    work = Workload(Shape(event_s=2.0, cv=1.0, poison=1), 500, 3)
    assert work.total == pytest.approx(1000, rel=0.2)
    for first, last in ((0, 500), (17, 18), (100, 317)):
        assert work.reached(first, last, work.work(first, last)) == last
        assert work.reached(first, last, 0.0) == first
        half = work.reached(first, last, work.work(first, last) / 2)
        assert work.work(first, half) <= work.work(first, last) / 2
    assert work.crash(work.poison[0], 500) == work.poison[0]
    assert work.crash(work.poison[0] + 1, 500) is None


def test_an_alterer_spoils_about_one_event_in_a_thousand_and_always_the_same() -> None:
    person = Person(5, "alterer", "a", 0, Random(1))
    digests = person.digests(0, 100_000)
    wrong = sum(digest != b"" for digest in digests)
    assert 70 < wrong < 130
    assert person.digests(500, 3500) == tuple(digests[500:3500])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hosts", "0"], "--hosts: 0 is too few; give a whole number from 1 on"),
        (["--hosts", "many"], "--hosts: 'many' is no whole number"),
        (["--hours", "-1"], "--hours: -1 is not above 0"),
        (["--event-s", "long"], "--event-s: 'long' is no number"),
        (["--policy", "best"], "--policy: invalid choice: 'best'"),
    ],
)
def test_a_bad_argument_is_named_with_its_rule(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as told:
        program.main(arguments)
    assert told.value.code == 2
    assert said in capsys.readouterr().err


def test_the_program_prints_a_table_and_json_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, svg = tmp_path / "runs.png", tmp_path / "runs.svg"
    arguments = ["--hosts", "60", "--hours", "0.3", "--seeds", "2", "--quiet", "--json"]
    policies = ["--policy", "windfall", "--policy", "plain-1h"]
    assert program.main([*arguments, *policies, "--png", str(png), "--svg", str(svg)]) == 0
    told = capsys.readouterr()
    runs = json.loads(told.out)["runs"]
    assert [(one["policy"], one["seed"]) for one in runs] == [
        ("windfall", 1), ("plain-1h", 1), ("windfall", 2), ("plain-1h", 2)
    ]  # fmt: skip
    assert told.err.count("\n| windfall") == 1
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()


def test_a_production_that_is_given_up_is_said_to_be() -> None:
    never = replace(small("windfall"), times={"50 %": 1.0, "90 %": 2.0, "99 %": 3.0, "100 %": None})
    assert "| not in time |" in markdown([never])
