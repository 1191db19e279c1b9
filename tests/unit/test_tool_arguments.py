"""What is wrong on the command line of a tool is said in two lines, before anything is begun."""

from __future__ import annotations

import sys

import pytest

from tools import guesses
from tools.benches import __main__ as bench
from tools.chaoses import __main__ as chaos
from tools.cheating import __main__ as cheats
from tools.demonstration import __main__ as demo
from tools.fleets import __main__ as fleet
from tools.realvm import __main__ as realvm
from tools.simulation import __main__ as simulate

MAINS = {"tools/bench": bench.main, "tools/chaos": chaos.main, "tools/cheats": cheats.main,
         "tools/demo": demo.main, "tools/fleet": fleet.main, "python -m tools.realvm": realvm.main,
         "python -m tools.guesses": guesses.main,
         "tools/simulate": simulate.main}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tools/bench dispatch --slices 0", "--slices: 0 is too few; give a whole number from 1"),
        ("tools/bench ingest --folder /proc/x", "--folder: /proc/x cannot be a folder"),
        ("tools/bench all", "invalid choice: 'all'"),
        ("tools/chaos --seconds -1", "--seconds: -1 is not above 0"),
        ("tools/chaos --events -5", "--events: '-5' is no whole number"),
        ("tools/chaos --faults rain", "no such fault: rain; there are"),
        ("tools/chaos --agents 1", "--agents: at least 2"),
        ("tools/cheats --hosts 0", "--hosts: 0 is too few"),
        ("tools/cheats --png /proc/x/y.png", "--png: /proc/x/y.png cannot be written"),
        ("tools/demo --agents 1", "--agents: at least 4"),
        ("tools/demo --wrong", "unrecognized arguments: --wrong"),
        ("tools/fleet --agents 0", "--agents: 0 is too few"),
        *(
            (
                f"tools/fleet --history={word} --folder x",
                f"--history: {word!r} is no number of days from 1d to 3660d; write it as in 90d",
            )
            for word in ("x", "0d", "9999d", "-5d", "1.5d", "d", "9" * 99 + "d")
        ),
        ("tools/bench pages --slices x", "--slices: 'x' is no whole number"),
        ("tools/bench pages --folder /proc/x", "--folder: /proc/x cannot be a folder"),
        ("tools/bench page", "invalid choice: 'page'"),
        ("tools/fleet --rate -1", "--rate: -1 is not above 0"),
        ("tools/fleet --server http://x --token-file /nowhere", "/nowhere is no file"),
        ("python -m tools.guesses --guesses -5", "--guesses: '-5' is no whole number"),
        ("python -m tools.guesses --open 0", "--open: 0 is too few"),
        ("python -m tools.realvm /nowhere", "seed: /nowhere is no file; name one that is there"),
        ("tools/simulate --hosts many", "--hosts: 'many' is no whole number"),
        ("tools/simulate --policy best", "--policy: invalid choice: 'best'"),
    ],
)
def test_a_wrong_word_is_named_with_its_rule(
    line: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = next(name for name in MAINS if line.startswith(name))
    monkeypatch.setattr(sys, "argv", [program, *line.removeprefix(program).split()])
    with pytest.raises(SystemExit) as ended:
        MAINS[program]()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert told.count("\n") == 2
    assert told.endswith(f"What there is: {program} --help\n")
