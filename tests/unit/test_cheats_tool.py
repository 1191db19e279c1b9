"""The tool that measures what cheats get in measures what can be counted by hand."""

from __future__ import annotations

import json

import pytest

from server.domain.policy import Policy
from tools.cheating.__main__ import main
from tools.cheating.boinc import Boinc
from tools.cheating.lies import CHEATS
from tools.cheating.pool import Pool
from tools.cheating.scene import Scene

BY_NAME = {cheat.name: cheat for cheat in CHEATS}
ADAPTIVE = Policy(quorum=2, adaptive=True, spot_checks=0.1, trust_events=500)


def scene(cheat: str, share: float, seed: int = 1) -> Scene:
    return Scene(20, 200, 100, share, BY_NAME[cheat], seed)


@pytest.mark.parametrize("cheat", [cheat.name for cheat in CHEATS])
def test_where_nobody_cheats_nothing_is_wrong_and_trust_saves_copies(cheat: str) -> None:
    plain, ours = Pool(scene(cheat, 0), Policy(2)).run(), Pool(scene(cheat, 0), ADAPTIVE).run()
    for found in (plain, ours, Boinc(scene(cheat, 0)).run()):
        assert (found.wrong, found.stuck, found.blamed) == (0, 0, 0)
    assert plain.copies == 2 * 200 * 100
    assert ours.copies < 0.9 * plain.copies


def test_where_all_cheat_alike_everything_is_wrong_and_counted() -> None:
    assert Pool(scene("collude", 1.0), Policy(2)).run().wrong == 200 * 100
    assert Boinc(scene("collude", 1.0)).run().wrong == 200 * 100


def test_what_is_altered_rarely_is_one_in_a_thousand() -> None:
    rare = BY_NAME["rare"].lie
    assert 900 < sum(rare(event, 1) is not None for event in range(1_000_000)) < 1100


def test_collusion_gets_less_past_trust_than_past_a_quorum() -> None:
    total = {"quorum": 0, "adaptive": 0, "boinc": 0}
    for seed in range(3):
        told = scene("collude", 0.2, seed)
        total["quorum"] += Pool(told, Policy(2)).run().wrong
        total["adaptive"] += Pool(told, ADAPTIVE).run().wrong
        total["boinc"] += Boinc(told).run().wrong
    assert total["adaptive"] < total["quorum"]
    assert total["adaptive"] < total["boinc"]


def test_the_same_seed_gives_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for _ in range(2):
        asked = ["--hosts", "8", "--units", "16", "--unit", "50", "--cheat", "sleeper", "--json"]
        assert main(asked) == 0
        found = json.loads(capsys.readouterr().out)
        found.pop("seconds")
        told.append(found)
    assert told[0] == told[1]
    assert {cell["cheat"] for cell in told[0]["cells"]} == {"sleeper"}
