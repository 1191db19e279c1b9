"""The page on the agent says what the program does: commands, options, exit codes, its folder."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from vmagent.__main__ import _parser
from vmagent.errors import EXIT_CODES, AgentError
from vmagent.settings import Settings

PAGE = (ROOT / "docs/agent.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands below a title."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The table below a title, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command of the program."""
    (verbs,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(verbs.choices)


def test_every_command_stands_in_the_page_and_no_other() -> None:
    assert {row[0].strip("`") for row in rows("Commands")} == set(commands())


@pytest.mark.parametrize("name", [name for name in commands() if name != "run"])
def test_a_command_is_shown_with_its_own_options(name: str) -> None:
    (told,) = (row[1] for row in rows("Commands") if row[0] == f"`{name}`")
    shared = {f"--{one.name.replace('_', '-')}" for one in fields(Settings)} | {"--state", "--help"}
    own = {text for action in commands()[name]._actions for text in action.option_strings}
    assert set(re.findall(r"`(--[a-z-]+)`", told)) - {"--version"} == own - shared - {"-h"}


def test_every_option_of_run_stands_in_the_page_with_its_variable_and_default() -> None:
    table = {row[0].strip("`"): row for row in rows("Options of `run`")}
    assert set(table) == {f"--{one.name.replace('_', '-')}" for one in fields(Settings)}
    for one in fields(Settings):
        row = table[f"--{one.name.replace('_', '-')}"]
        assert row[1] == f"`WINDFALL_{one.name.upper()}`"
        if isinstance(one.default, (int, float)):
            assert re.search(rf"\b{one.default:.0f}\)$", row[2]), row


def test_the_exit_codes_are_the_programs() -> None:
    assert {int(code): says for code, says in rows("Exit codes")} == EXIT_CODES


def test_every_error_ends_with_a_code_of_the_table() -> None:
    kinds, left = set(), [AgentError]
    while left:
        kind = left.pop()
        kinds.add(kind)
        left.extend(kind.__subclasses__())
    assert {kind.code for kind in kinds} | {0, 2} == set(EXIT_CODES)


def test_the_readme_leads_to_the_page() -> None:
    assert "](docs/agent.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_everything_in_the_state_folder_is_named(tmp_path: Path) -> None:
    server = FakeServer(scripts.GOOD, events=20).start()
    server.wants_probe = True
    agent = AgentProcess(tmp_path / "state")
    try:
        agent.join(server)
        server.command("suspend")
        server.command("resume")
        assert agent.start("--exit-when-idle", "0.5").wait(90) == 0
    finally:
        agent.kill_all()
        server.close()
    named = set(re.findall(r"`([a-z.]+)`", "".join(row[0] for row in rows("The state folder"))))
    assert {entry.name for entry in agent.state.iterdir()} <= named
    assert {"identity.json", "keys.json", "classes.json", "tasks", "seq.json"} <= named
