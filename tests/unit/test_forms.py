"""The pieces of pages: labels and errors are tied to their controls, and nothing is believed."""

from __future__ import annotations

from typing import Any

import pytest

from contexts.schema import Field, Kind
from tests.kit.views import HOSTILE
from tests.unit.test_render import Reader, read
from web.render import piece

COLUMNS = (Field("name", "Name"), Field("shell", "Shell", Kind.CHOICE, choices=("bash", "zsh")))
FIELDS = [
    Field("a", "Host name", help="Of the machine.", form="letters, digits, dashes", required=True),
    Field("a", "Script", Kind.TEXT, default=""),
    Field("a", "Slots", Kind.NUMBER, least=1, most=64),
    Field("a", "Switched on", Kind.SWITCH),
    Field("a", "Edition", Kind.CHOICE, choices=("batch", "desktop")),
    Field("a", "Repositories", Kind.LINES, longest=3),
    Field("a", "Users", Kind.ROWS, columns=COLUMNS),
    Field("a", "Password", secret=True),
]


def of(field: Field, value: object = None, **errors: str) -> Reader:
    """A field of a context as it is asked for."""
    return read(piece("of", field, "part.a", value, errors))


def values(reader: Reader, tag: str, name: str) -> list[str]:
    """The values of an attribute."""
    return [value for of_tag, key, value in reader.attributes if (of_tag, key) == (tag, name)]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: str(field.kind))
def test_every_control_has_a_name_that_is_read_out_and_its_error_beside_it(field: Field) -> None:
    reader = read(piece("of", field, "part.a", None, {"part.a": "Too " + HOSTILE}))
    assert field.title in reader.text
    assert "Too " + HOSTILE in reader.text
    assert "script" not in reader.tags
    ids = [value for _, key, value in reader.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    controls = [
        value
        for tag, key, value in reader.attributes
        if key == "id" and tag in ("input", "select", "textarea")
    ]
    labelled = values(reader, "label", "for")
    assert controls
    assert [c for c in controls if c not in labelled and "label" not in reader.tags] == []
    tied = [value for _, key, value in reader.attributes if key == "aria-describedby"]
    assert "f-part.a-error" in tied[0].split()
    assert {one for each in tied for one in each.split()} <= set(ids)


def test_a_field_without_help_or_error_points_at_nothing() -> None:
    reader = of(Field("a", "Edition"))
    assert not [key for _, key, _ in reader.attributes if key.startswith("aria-")]


def test_a_value_is_shown_as_it_is_whatever_it_holds() -> None:
    text = "  #!/bin/sh\n\n\techo </textarea>" + HOSTILE + "\n"
    assert of(FIELDS[1], text).text.count(text) == 1
    assert HOSTILE in values(of(FIELDS[0], HOSTILE), "input", "value")


def test_rows_are_named_as_faults_name_them_and_leave_room_for_more() -> None:
    row = {"name": "anna", "shell": "zsh"}
    reader = of(FIELDS[6], [row], **{"part.a[0].shell": "No such shell."})
    assert values(reader, "input", "name") == [f"part.a[{n}].name" for n in range(3)]
    assert values(reader, "select", "name") == [f"part.a[{n}].shell" for n in range(3)]
    assert "anna" in values(reader, "input", "value")
    assert "No such shell." in reader.text


def test_a_choice_shows_what_is_chosen() -> None:
    choices = [("1", "one"), ("2", "two"), "3"]
    html = piece("choice", "n", "Number", choices, 2)
    assert html.count(" selected") == 1
    assert 'value="2" selected' in html


def test_the_faults_of_a_form_lead_to_their_fields() -> None:
    reader = read(piece("faults", [("part.a", "Too long."), ("", HOSTILE)]))
    assert values(reader, "a", "href") == ["#f-part.a"]
    assert HOSTILE in reader.text
    assert piece("faults", []).strip() == ""


def test_a_time_is_said_without_scripts_and_what_is_left_of_it_with_them() -> None:
    reader = read(piece("countdown", 1_800_000_300, 1_800_000_000.5))
    assert "until 2027-01-15 08:05:00\u00a0UTC" in reader.text
    assert values(reader, "span", "data-left") == ["299.5"]


def test_a_button_of_a_row_says_of_what_it_speaks() -> None:
    shown: Any = read(piece("press", "/x", "token", "Remove", about="context head"))
    assert shown.text.split() == ["Remove", "context", "head"]
    assert values(shown, "form", "method") == ["post"]
    assert "token" in values(shown, "input", "value")


def test_pieces_that_may_hold_others_need_not() -> None:
    shown = read(piece("danger", "Remove it", "3 machines use it.", "/x", "token", "Remove"))
    assert "3 machines use it." in shown.text
    assert values(shown, "form", "action") == ["/x"]
    assert read(piece("fact", "memory", HOSTILE)).text.strip() == "memory" + HOSTILE
