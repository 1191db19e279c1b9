"""What is wrong on the agent's command line is named, with what may be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.agent_process import AgentProcess
from vmagent.__main__ import main


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pair --sever x", "pair: there is no --sever (did you mean --server?), x\n"),
        ("check --jsn", "check: there is no --jsn (did you mean --json?)\n"),
        ("run --slots x", "run: argument --slots: invalid int value: 'x'\n"),
        ("run --slots 0", "--slots is 0: give at least 1\n"),
        ("piar", "invalid choice: 'piar' (choose from"),
    ],
)
def test_a_wrong_word_is_named_in_two_lines(
    line: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WINDFALL_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("vmagent.logs.start", lambda level: None)
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in told
    assert told.count("\n") <= 2


def test_a_state_folder_is_the_same_one_from_wherever_it_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["drain", "--state", "here"])
    assert f": {tmp_path / 'here'}\n" in capsys.readouterr().err


def test_an_address_that_is_none_of_a_server_is_a_wrong_option(tmp_path: Path) -> None:
    done = AgentProcess(tmp_path / "state").call("pair", "--server", "ftp://x")
    assert done.returncode == 2
    assert "server ftp://x: must be https (http on loopback only)" in done.stderr
