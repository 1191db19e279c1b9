"""Tables for spreadsheets: numbers stay numbers, and nothing in them is run."""

from __future__ import annotations

import csv
import io

import pytest

from server.domain.spreadsheet import as_csv


@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        "+1",
        "-1+cmd|' /C calc'!A0",
        "-",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "-1e-05x",
        "\n=1",
        "\uff1d1+1",
        "\uff20SUM(A1)",
    ],
)
def test_a_name_that_a_spreadsheet_would_run_begins_with_an_apostrophe(name: str) -> None:
    text = as_csv([["host", name], [name, 1]])
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [["host", f"'{name}"], [f"'{name}", "1"]]


def test_numbers_and_plain_words_stay_as_they_are() -> None:
    row = [0, -3, -0.5, "-3", "-0.25", "-1e-05", "a=b", 'it\'s, "so"', "", None]
    assert as_csv([row]) == '0,-3,-0.5,-3,-0.25,-1e-05,a=b,"it\'s, ""so""",,\r\n'
