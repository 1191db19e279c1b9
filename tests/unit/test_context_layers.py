"""Layers of a context: who wins, what adds up, and where each value comes from."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contexts.check import check
from contexts.layers import LEVELS, Layer, NoSuchLevel, merge
from contexts.schema import Document
from tests.kit.contexts import STEADY, documents

EXPERIMENT = Layer(
    "experiment", {"repository": {"organisations": ["NA61"], "repositories": ["na61"]}}
)
SITE = Layer(
    "site",
    {
        "repository": {
            "mode": "list",
            "proxies": ["http://squid:3128"],
            "repositories": ["sft", "na61"],
        }
    },
    "site Geneva",
)
ROLE = Layer("role", {"cernvm": {"edition": "Batch"}, "repository": {"organisations": ["None"]}})
USER = Layer("user", {"repository": {"mode": "direct", "proxies": []}, "hostname": {}})


def test_the_higher_layer_wins_and_every_value_says_where_it_comes_from() -> None:
    resolved = merge([EXPERIMENT, SITE, ROLE, USER])
    assert resolved.document == {
        "repository": {
            "organisations": ["None"],
            "repositories": ["na61", "sft"],
            "mode": "direct",
            "proxies": [],
        },
        "cernvm": {"edition": "Batch"},
        "hostname": {},
    }
    assert resolved.origin("repository") == ("experiment",)
    assert resolved.origin("repository.organisations") == ("role",)
    assert resolved.origin("repository.repositories") == ("experiment", "site Geneva")
    assert resolved.origin("repository.mode") == ("user",)
    assert resolved.origin("repository.direct") == ("default",)
    assert resolved.origin("hostname") == ("user",)
    assert check(resolved.document) == []


def test_the_order_in_which_layers_are_given_does_not_matter() -> None:
    layers = [EXPERIMENT, SITE, ROLE, USER]
    whole = merge(layers)
    assert all(merge(order) == whole for order in itertools.permutations(layers))


def test_of_two_layers_of_one_level_the_last_wins() -> None:
    first, last = (Layer("user", {"hostname": {"hostname": name}}, name) for name in ("a", "b"))
    assert merge([first, last]).document == {"hostname": {"hostname": "b"}}
    assert merge([first, last]).origin("hostname.hostname") == ("b",)


def test_nothing_said_on_purpose_takes_away_what_adds_up() -> None:
    none = Layer("user", {"repository": {"repositories": []}})
    resolved = merge([EXPERIMENT, SITE, none])
    assert resolved.document["repository"]["repositories"] == []
    assert resolved.origin("repository.repositories") == ("user",)


def test_rows_that_add_are_known_by_their_first_column() -> None:
    below: Document = {
        "repository": {"extra": [{"name": "a", "server": "one"}, {"name": "b", "server": "b"}]}
    }
    above: Document = {"repository": {"extra": [{"name": "a", "server": "two"}]}}
    merged = merge([Layer("site", below), Layer("user", above)]).document["repository"]["extra"]
    assert merged == [{"name": "a", "server": "two"}, {"name": "b", "server": "b"}]


def test_a_layer_takes_away_a_part_of_lower_ones() -> None:
    without = Layer("user", {}, without=("repository",))
    assert merge([EXPERIMENT, SITE, without]).document == {}
    assert merge([EXPERIMENT, without]).origins == {}
    later = Layer("user", {"repository": {"mode": "direct"}}, without=("repository",))
    assert merge([EXPERIMENT, later]).document == {"repository": {"mode": "direct"}}


def test_a_layer_of_no_level_is_refused() -> None:
    with pytest.raises(NoSuchLevel, match="galaxy is none of experiment, site, role, user"):
        merge([Layer("galaxy", {})])


@settings(STEADY, max_examples=15)
@given(document=documents(), level=st.sampled_from(LEVELS))
def test_one_layer_alone_is_its_own_document(document: Document, level: str) -> None:
    resolved = merge([Layer(level, document)])
    assert resolved.document == document
    said = {f"{name}.{key}" for name, values in document.items() for key in values}
    assert set(resolved.origins) == said | set(document)
    assert set(itertools.chain(*resolved.origins.values())) <= {level}


@settings(STEADY, max_examples=15)
@given(below=documents(), above=documents())
def test_a_value_of_two_layers_is_that_of_one_or_of_both(below: Document, above: Document) -> None:
    resolved = merge([Layer("site", below), Layer("user", above)])
    for name, values in resolved.document.items():
        for key, value in values.items():
            origin = resolved.origin(f"{name}.{key}")
            if origin == ("user",):
                assert value == above[name][key]
            elif origin == ("site",):
                assert value == below[name][key]
            else:
                assert origin == ("site", "user")
                assert isinstance(value, list)
