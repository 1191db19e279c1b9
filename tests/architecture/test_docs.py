"""The documents say what the program does: settings, commands, exit codes, first steps."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from server.cli import exits
from server.cli.root import windfall
from server.settings import rules, sections
from tests.architecture.sources import ROOT
from tools import draw_commands

DRAWN = {
    "draw_settings": "settings.md",
    "draw_commands": "commands.md",
    "draw_contexts": "context-parts.md",
}
COMMANDS = list(draw_commands.walk(windfall, "windfall"))


def test_every_setting_says_what_it_means() -> None:
    for key, rule, default in rules():
        assert rule.meaning.endswith("."), f"{key} has no sentence"
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            assert rule.least is not None, f"{key} has no least value"
            assert rule.most is not None, f"{key} has no greatest value"
            assert rule.unit or key.endswith(".port"), f"{key} has no unit"


def test_the_page_of_settings_names_every_one() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    for section in sections():
        assert f"## [{section}]" in page
    missing = [key for key, _, _ in rules() if f"| `{key.partition('.')[2]}` |" not in page]
    assert missing == []


@pytest.mark.parametrize("tool", DRAWN)
def test_a_drawn_page_is_as_the_program_says(tool: str) -> None:
    command = [sys.executable, "-m", f"tools.{tool}", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", DRAWN)
def test_an_outdated_page_is_found(tool: str, tmp_path: Path) -> None:
    old = tmp_path / "page.md"
    name = DRAWN[tool]
    old.write_text((ROOT / "docs" / name).read_text(encoding="utf-8") + "more\n")
    command = [sys.executable, "-m", f"tools.{tool}", "--check", "--page", str(old)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"run python -m tools.{tool}" in done.stdout


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_and_its_options_have_help(name: str, command: click.Command) -> None:
    assert (command.help or "").strip(), f"{name} has no help"
    assert (command.get_short_help_str() or "").strip(), f"{name} has no short help"
    silent = [p.opts for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == []
    assert any("--json" in p.opts for p in command.params), f"{name} has no --json"


def test_every_group_has_help() -> None:
    groups = [c for c in windfall.commands.values() if isinstance(c, click.Group)]
    assert groups
    assert [group.name for group in groups if not group.help] == []


def test_every_fault_ends_with_a_code_of_the_table() -> None:
    known = {code for code, _ in exits.EXITS}
    faults = [kind for kind in vars(exits).values() if _is_fault(kind)]
    used = {kind.exit_code for kind in faults}
    assert used <= known
    assert known - used == {0}
    assert len({kind.code for kind in faults}) == len(faults)


def _is_fault(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, exits.Fault)


def test_help_and_page_have_the_table_of_exit_codes() -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    told = windfall.get_help(click.Context(windfall, info_name="windfall"))
    for code, meaning in exits.EXITS:
        assert f"| {code} | {meaning} |" in page
        assert f"{code}  {meaning}" in told


def test_there_is_a_changelog_with_what_is_not_yet_released() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "keepachangelog.com" in text
    assert "## [Unreleased]" in text


def test_the_readme_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "windfall " in text
    assert "windfall-agent" in text


LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_relative_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    found = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in found if not (page.parent / link).exists()] == []


def test_a_link_that_leads_nowhere_would_be_found() -> None:
    text = CODE.sub("", "[a](b.md#c) [d](e.md) `[f](g.md)` [h](https://example.org/i)")
    assert LINK.findall(text) == ["b.md", "e.md", "https://example.org/i"]


def test_every_decision_has_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [page.name.partition("-")[0] for page in pages]
    assert numbers == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page, number in zip(pages, numbers, strict=True):
        assert re.match(rf"# 0*{int(number)}\b", page.read_text(encoding="utf-8")), page.name
