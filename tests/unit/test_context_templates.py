"""Templates of contexts: each is whole once the values are given that it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from contexts.check import check, filled
from contexts.part import Machine
from contexts.registry import PARTS
from contexts.templates import TEMPLATES, Template
from tests.kit.contexts import is_harmless

ROLES = {
    "head",
    "worker",
    "squid",
    "xrootd-proxy",
    "desktop",
    "catalogue",
    "monitor",
    "pool",
    "basic",
}


def answered(template: Template) -> dict[str, dict[str, Any]]:
    """The template with the example of every field that it asks for."""
    document = {name: dict(values) for name, values in template.document.items()}
    for path in template.asks:
        name, _, key = path.partition(".")
        field = next(one for one in PARTS[name].fields if one.key == key)
        document.setdefault(name, {})[key] = field.example  # type: ignore[assignment]
    if "proxies" in document.get("repository", {}):
        document["repository"]["mode"] = "list"
    if template.name == "head":
        document["cluster"]["role"] = "head"
    return document


def test_there_is_a_template_for_every_role() -> None:
    assert set(TEMPLATES) >= ROLES
    assert all(name == template.name for name, template in TEMPLATES.items())


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_lacks_at_most_what_it_asks_for(template: Template) -> None:
    assert template.title
    assert template.summary.endswith(".")
    assert {fault.path for fault in check(template.document)} <= set(template.asks)
    assert check(answered(template)) == []


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_part_of_a_template_can_be_made_into_pieces(template: Template) -> None:
    machine = Machine(server="https://pool.example.org", token="wf1.a-token-for-this-test")
    for name, values in filled(answered(template)).items():
        is_harmless(PARTS[name].pieces(values, machine))


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_no_template_brings_a_secret_or_a_script(template: Template) -> None:
    for name, values in template.document.items():
        hidden = {one.key for one in PARTS[name].fields if one.secret or one.runs}
        assert not hidden & set(values), name
