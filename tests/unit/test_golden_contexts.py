"""Rendered contexts are as they were, unless somebody meant them to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from contexts.check import check
from contexts.render.targets import TARGETS
from tools import golden_contexts


def test_the_samples_are_as_the_program_renders_them() -> None:
    assert golden_contexts.faults() == [], "run python -m tools.golden_contexts"


def test_a_changed_missing_or_strange_sample_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden_contexts, "FOLDER", tmp_path)
    golden_contexts.write()
    assert golden_contexts.faults() == []
    (tmp_path / "volunteer/mime/user-data").write_text("other")
    (tmp_path / "volunteer/iso/rendered.json").unlink()
    (tmp_path / "stranger").write_text("")
    assert golden_contexts.faults() == [
        "volunteer/mime/user-data differs",
        "volunteer/iso/rendered.json is missing",
        "stranger belongs to nothing",
    ]


@pytest.mark.parametrize("name", list(golden_contexts.CONTEXTS))
def test_a_sample_has_no_fault_and_all_targets(name: str) -> None:
    assert check(golden_contexts.CONTEXTS[name][1]) == []
    folders = {path.name for path in (golden_contexts.FOLDER / name).iterdir()}
    assert folders == {*TARGETS, "mime-epilogue"}
