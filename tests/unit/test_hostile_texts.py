"""Texts that mean harm to a terminal or to the time of who reads them."""

from __future__ import annotations

import json
import time

import pytest

from server.cli import output
from server.cli.exits import Refused
from server.domain import definition
from server.domain.reading import DOTS_MOST, FAULTS_MOST
from server.domain.tomltext import deepest

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202ereversed\r\x7f"


def harmless(text: str) -> bool:
    return all(sign.isprintable() or sign == "\n" for sign in text)


def test_a_table_shows_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": 1, "name": ESCAPES, "cause": "fail: x\n99  forged  row"}]
    output.tell_rows(rows, ["id", "name", "cause"], "none")
    shown = capsys.readouterr().out
    assert harmless(shown)
    assert len([line for line in shown.splitlines() if "forged" in line]) == 1
    assert shown.splitlines()[-1].strip().startswith("1")


def test_a_time_called_at_reads_as_a_time_and_a_format_does_not() -> None:
    assert output.shown("at", 1_700_000_000.25) == "2023-11-14 22:13:20 UTC"
    assert output.shown("created_at", 1_700_000_000) == "2023-11-14 22:13:20 UTC"
    assert output.shown("format", 1_700_000) == "1 700 000"


def test_facts_lines_and_faults_show_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.tell_facts({"reason": ESCAPES, "more": [ESCAPES], "inner": {ESCAPES: ESCAPES}})
    output.tell({}, f"host {ESCAPES}")
    output.note(ESCAPES)
    Refused(ESCAPES, [ESCAPES]).show()
    told = capsys.readouterr()
    assert harmless(told.out)
    assert harmless(told.err)


def test_json_is_whole_and_shows_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.emit({"name": ESCAPES, "plain": "Ωmega \U0001f600"})
    shown = capsys.readouterr().out
    assert harmless(shown)
    assert json.loads(shown) == {"name": ESCAPES, "plain": "Ωmega \U0001f600"}
    assert "Ωmega \U0001f600" in shown


@pytest.mark.parametrize(
    "text",
    [
        "a." * 20_000 + "b = 1\n",
        "[" + "a." * 20_000 + "b]\n",
        "x = {" + "a . " * 20_000 + "b = 1}\n",
        '"a".' * 20_000 + "b = 1\n",
        "x = " + "[" * 20_000 + "]" * 20_000,
        '"""' + "\\\\" * 20_000,
        "x = " + "9" * 100_000,
        "".join(f"name{number} = 1\n" for number in range(5000)),
    ],
)
def test_a_definition_that_is_a_bomb_is_refused_quickly(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(definition.Faults) as told:
        definition.parse(text)
    assert time.process_time() - begun < 3.0
    assert len(told.value.faults) <= FAULTS_MOST + 1
    assert sum(map(len, told.value.faults)) < 100_000


def test_dots_are_counted_in_keys_alone() -> None:
    assert deepest("a.b.c = 1\n[d . e]\nf = 1.5\n") == 2
    assert deepest('a = "' + "x." * 100 + '"\nb = """\n' + "1.2.3.4.5.6\n" * 9 + '"""') == 0
    assert deepest("# " + "a." * 100 + "\nc = [1.0, 2.0, 3.0, 4.0]\n") == 1
    assert DOTS_MOST > 2
