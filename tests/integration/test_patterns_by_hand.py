"""Operators read, try and change patterns by the command line, against a whole server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_logs_read import SEGFAULT, fail, toy
from tests.kit.command_line import Said, run
from tests.kit.house import House, house


class Desk:
    """An operator at a terminal, who has a token of an operator and no more."""

    def __init__(self, found: House, place: Path) -> None:
        self.found, self.place, self.token = found, place, place / "token"

    async def say(self, *args: str | Path, answers: str | None = None) -> Said:
        """Run a command."""
        door = ("--server", self.found.url, "--token-file", self.token)
        return await asyncio.to_thread(run, *args, *door, answers=answers)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A server, and somebody who operates it."""
    async with house(tmp_path) as found:
        made = Desk(found, tmp_path)
        token = await found.token("olga", role="operator", kind="api")
        made.token.write_text(token["token"])
        yield made


async def test_the_table_comes_with_patterns_in_their_order(desk: Desk) -> None:
    rows = (await desk.say("pattern", "list", "--json")).json()
    assert [row["rank"] for row in rows] == sorted(row["rank"] for row in rows)
    assert all(row["built_in"] and row["enabled"] and not row["changed_by"] for row in rows)
    assert "segfault" in (await desk.say("pattern", "list")).out
    assert "Break" in (await desk.say("pattern", "show", "segfault")).out


async def test_a_pattern_is_tried_on_a_log_before_it_is_saved(desk: Desk) -> None:
    log = desk.place / "run.log"
    log.write_text("one\ntwo\nno geometry for run 7\nthree\n" + SEGFAULT)
    said = await desk.say("pattern", "test", "--log", log)
    assert said.out.startswith("segfault (payload, retry-elsewhere), line 7:")
    tried = ("pattern", "test", "mine", "--regex", "no geometry", "--kind", "input", "--log", log)
    lines = (await desk.say(*tried)).out.splitlines()
    assert lines[0] == "mine (input, retry-elsewhere), line 3:"
    assert "> no geometry for run 7" in lines
    assert any(line.startswith("  segfault, line 7") for line in lines)
    assert "mine" not in (await desk.say("pattern", "list")).out
    said = await desk.say("pattern", "test", "--log", "-", "--word", "memory", answers="")
    assert said.out.startswith("memory-limit (memory, retry-with-more-memory)")


async def test_a_pattern_is_tried_on_the_logs_of_a_production(desk: Desk) -> None:
    await toy(desk.found)
    await fail(desk.found, await desk.found.join("ada"), "ada is lost\n")
    lease = await fail(desk.found, await desk.found.join("bob"), "bob is lost\n")
    there = ("--production", "toy-run")
    said = await desk.say("pattern", "test", "mine", "--regex", "bob is lost", *there)
    assert said.out.splitlines() == [
        "2 logs read, 1 match a pattern.",
        f"task {lease.task}: unknown -> mine (retry-elsewhere): bob is lost",
    ]
    said = await desk.say("pattern", "test", "mine", "--regex", "eve is lost", *there)
    assert "Nothing would be read otherwise." in said.out
    said = await desk.say("production", "failures", "toy-run")
    assert "(no pattern matches)" in said.out
    assert "bob is lost" in said.out


async def test_patterns_are_added_changed_and_removed(desk: Desk) -> None:
    add = ("pattern", "add", "mine", "no geometry", "--kind", "input", "--most", "4")
    assert (await desk.say(*add)).code == 0
    assert (await desk.say(*add)).code == 4
    said = await desk.say("pattern", "edit", "mine", "--off", "--note", "seen in 2016")
    assert said.out == "pattern mine: input, retry-elsewhere, off\n"
    found = (await desk.say("pattern", "show", "mine", "--json")).json()
    assert (found["most"], found["note"], found["changed_by"]) == (4, "seen in 2016", "olga")
    assert (await desk.say("pattern", "remove", "mine")).code == 0
    assert (await desk.say("pattern", "remove", "mine")).code == 6


async def test_a_built_in_pattern_is_switched_off_and_comes_back(desk: Desk) -> None:
    said = await desk.say("pattern", "remove", "segfault")
    assert (said.code, "switch it off instead" in said.err) == (4, True)
    await desk.say("pattern", "edit", "segfault", "--off")
    await toy(desk.found)
    await fail(desk.found, await desk.found.join("ada"), SEGFAULT)
    assert "segfault" not in (await desk.say("production", "failures", "toy-run")).out
    assert (await desk.say("pattern", "remove", "segfault")).code == 0
    found = (await desk.say("pattern", "show", "segfault", "--json")).json()
    assert (found["enabled"], found["changed_by"]) == (True, "")


async def test_a_faulty_pattern_is_refused_with_thing_rule_and_cure(desk: Desk) -> None:
    for regex, told in (
        ("(", "RE2 does not take the expression"),
        ("[a-z]{1,900}z", "use smaller repetitions, or two patterns"),
        ("a*", "say what is in it"),
    ):
        said = await desk.say("pattern", "add", "mine", regex)
        assert (said.code, told in said.err) == (4, True), said
        said = await desk.say("pattern", "test", "mine", "--regex", regex, "--log", "-", answers="")
        assert (said.code, told in said.err) == (4, True), said


async def test_patterns_travel_as_a_file_all_or_none(desk: Desk) -> None:
    file = desk.place / "patterns.json"
    await desk.say("pattern", "add", "mine", "no geometry\t\x1b\\[31m")
    await desk.say("pattern", "edit", "segfault", "--most", "5")
    assert (await desk.say("pattern", "export", "-o", file)).code == 0
    kept = json.loads(file.read_text())["patterns"]
    assert [row["name"] for row in kept] == ["segfault", "mine"]
    await desk.say("pattern", "remove", "mine")
    assert (await desk.say("pattern", "import", file)).out == "2 patterns taken in\n"
    assert (await desk.say("pattern", "show", "mine", "--json")).json()["regex"][
        -6:
    ] == "\x1b\\[31m"
    kept[1]["name"], kept[0]["regex"] = "another", "("
    file.write_text(json.dumps({"patterns": kept}))
    assert (await desk.say("pattern", "import", file)).code == 4
    assert (await desk.say("pattern", "show", "another")).code == 6
    file.write_text("[]")
    assert (await desk.say("pattern", "import", file)).code == 3


async def test_patterns_are_for_operators_and_not_for_volunteers(desk: Desk) -> None:
    token = await desk.found.token("vera", kind="api")
    desk.token.write_text(token["token"])
    said = await desk.say("pattern", "list")
    assert said.code == 4
    assert (await desk.say("pattern", "add", "mine", "x")).code == 4


async def test_what_a_host_wrote_does_not_command_the_terminal(desk: Desk) -> None:
    await toy(desk.found)
    await fail(desk.found, await desk.found.join("ada"), "\x1b[2J\x1b]0;gone\x07 bad_alloc\n")
    said = await desk.say("production", "failures", "toy-run")
    assert "bad_alloc" in said.out
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out + said.err
