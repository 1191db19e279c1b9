"""Every part of a context: it explains itself, takes its examples, and no value is a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.check import check, filled
from contexts.part import Machine, Part
from contexts.registry import BROKEN, PARTS, unfit
from contexts.schema import TABS, Field, Kind
from tests.kit.contexts import HOSTILE, STEADY, documents_of, is_harmless, mended, part_values

MACHINE = Machine(server="https://pool.example.org", token="wf1.a-token-for-this-test")

FREE = {
    *("general.description", "general.contact"),  # told to people, never to machines
    *("contextualization.before", "contextualization.after"),  # scripts
    *("unknown.sections", "unknown.dropped"),  # kept and shown
}
"""Fields that take texts of ill will; all others refuse every one of them."""
FIELDS = [(part, one) for part in PARTS.values() for one in part.fields]
IDS = [f"{part.name}.{one.key}" for part, one in FIELDS]


def test_no_plug_in_is_broken_here() -> None:
    assert BROKEN == ()


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_a_part_says_what_it_is(part: Part) -> None:
    assert unfit(part) == ""
    assert part.tab in TABS
    assert part.title
    assert part.summary.endswith(".")
    keys = [one.key for one in part.fields]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("part", "one"), FIELDS, ids=IDS)
def test_a_field_says_what_it_is_and_has_an_example_that_passes(part: Part, one: Field) -> None:
    for each in (one, *one.columns):
        assert each.title, each.key
        assert each.help.endswith("."), each.key
        assert each.example is not None, each.key
        assert each.form or not each.pattern, f"{each.key} has a pattern without words"
    alone = {part.name: _without_rules(part)}
    assert check({part.name: {**_needed(part), one.key: one.example}}, alone) == []


def _without_rules(part: Part) -> Part:
    """The part less its rules between fields."""
    return dataclasses.replace(part, rules=lambda values, document: ())  # type: ignore[type-var]


def _needed(part: Part) -> dict[str, Any]:
    return {one.key: one.example for one in part.fields if one.required}


@pytest.mark.parametrize(("part", "one"), FIELDS, ids=IDS)
def test_a_field_refuses_what_is_of_another_kind(part: Part, one: Field) -> None:
    strange: list[Any] = [None, 1.5, {}, {"a": 1}, [None], [[]], [1], object()]
    strange += {Kind.NUMBER: ["1", True], Kind.SWITCH: ["yes", 1]}.get(one.kind, [7, True])
    for value in strange:
        paths = [fault.path for fault in check({part.name: {one.key: value}})]
        assert any(path.startswith(f"{part.name}.{one.key}") for path in paths), repr(value)


@pytest.mark.parametrize(("part", "one"), FIELDS, ids=IDS)
def test_no_hostile_value_of_a_field_reaches_a_shell(part: Part, one: Field) -> None:
    whole = documents_of(part)[part.name]
    for text in HOSTILE:
        for value in _shaped(one, text):
            document = {part.name: {**whole, one.key: value}}
            if check(document) == []:
                assert f"{part.name}.{one.key}" in FREE, f"{text!r} is taken"
                is_harmless(part.pieces(filled(document)[part.name], MACHINE))


def _shaped(one: Field, text: str) -> Iterator[Any]:
    """A text where the field has text: itself, an item, a cell of a row that is else as it was."""
    if one.kind is Kind.LINES:
        yield [text]
    elif one.kind is Kind.ROWS and isinstance(one.example, list):
        for column in one.columns:
            yield [{**dict(one.example[0]), column.key: text}]  # type: ignore[arg-type]
    else:
        yield text


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
@settings(STEADY, max_examples=8)
@given(data=st.data())
def test_whatever_passes_is_one_line_of_text_to_every_shell(
    part: Part, data: st.DataObject
) -> None:
    document = mended({part.name: data.draw(part_values(part))})
    for name, values in filled(document).items():
        if values.get("as_is") is not True:  # a person has said that commands may be in it
            is_harmless(PARTS[name].pieces(values, MACHINE))


def test_the_release_key_of_a_pool_is_given_to_its_own_machines_alone() -> None:
    machine = Machine(server="https://pool.example.org", release_key="0123456789abcdef")
    for said, told in (({}, True), ({"server": "https://other.example.org"}, False)):
        values = filled({"agent": said})["agent"]
        made = PARTS["agent"].pieces(values, machine)
        assert ("WINDFALL_RELEASE_KEY" in made.environment) is told
        assert ("WINDFALL_RELEASE_KEY=0123456789abcdef" in str(made.cloud)) is told
