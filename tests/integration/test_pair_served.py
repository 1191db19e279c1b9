"""A person at a terminal pairs a machine: the same story with the fake server and with the real."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.agent_process import AgentProcess
from tests.kit.pairing_worlds import Fake, Real, World
from tests.kit.terminal_driver import Person

PATIENCE_S = 60.0
WORKS = ("--slots", "2", "--poll-s", "1")


@pytest.fixture(params=[Fake, Real], ids=["fake", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    made = AgentProcess(tmp_path / "state")
    yield made
    made.kill_all()


def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody announces."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.05)


def words_of(shown: str) -> str:
    """The three words that stand big on the screen."""
    found = re.findall(r"\|   ((?:[A-Z] )*[A-Z]) *\|$", shown, re.M)
    assert len(found) == 3, shown
    return " ".join(word.replace(" ", "").lower() for word in found)


def pair(agent: AgentProcess, world: World, *options: str, context: bool = False) -> Person:
    """Type the PIN and have it confirmed; the person still sits there."""
    person = agent.at_terminal("pair", "--server", world.url, *options)
    pin = world.begin(context)
    person.sees("PIN: ")
    person.types(f"{pin[:2]} {pin[2:4]}-{pin[4:]}\r")
    words = words_of(person.sees("confirm there"))
    world.confirm(words)
    return person


def test_a_machine_is_paired_by_pin_and_works_until_it_is_taken_away(
    world: World, agent: AgentProcess
) -> None:
    with pair(agent, world, *WORKS) as person:
        person.sees("of ann")
        until(world.finished)
        assert world.hosts() == 1
        shown = agent.status()
        assert (shown["account"], shown["context"], shown["limits"]) == ("ann", None, "")
        world.limit(1)
        until(lambda: agent.status().get("limits") == "1 cores")
        until(lambda: agent.status().get("slots") == 1)
        world.unmanage()
        assert person.wait(PATIENCE_S) == 14
        assert "To pair it anew: run `windfall-agent pair`" in person.shown
        assert "wfh_" not in person.shown
        assert person.modes() == person.before
    assert not list(agent.state.glob("identity.json")) + list(agent.state.glob("keys.json"))
    assert agent.call("run").returncode == 3


def test_a_machine_that_shows_a_code_is_paired_on_the_web(
    world: World, agent: AgentProcess
) -> None:
    with agent.at_terminal("pair", "--server", world.url, "--code", "--no-run") as person:
        part = person.sees("confirm there")
        code = re.search(r"((?:[A-Z-]  ){8}[A-Z])", part)
        assert code is not None
        world.type_code(code[1].replace("  ", ""))
        world.confirm(words_of(part))
        person.sees("of ann")
        assert person.wait() == 0
    assert world.hosts() == 1
    assert agent.call("check", "--server", world.url).returncode == 0


def test_what_the_owner_refuses_is_said_and_another_pin_may_be_typed(
    world: World, agent: AgentProcess
) -> None:
    with agent.at_terminal("pair", "--server", world.url, "--no-run") as person:
        for at in range(2):
            pin = world.begin()
            person.sees("PIN: ")
            person.types(f"{pin}\r")
            words = words_of(person.sees("confirm there"))
            if at:
                world.confirm(words)
                continue
            until(world.seen)
            world.reject()
            person.sees("the pairing was refused")
        person.sees("of ann")
        assert person.wait() == 0
    assert world.hosts() == 1


def test_a_context_comes_with_the_pairing_and_again_when_its_owner_says_so(
    world: World, agent: AgentProcess
) -> None:
    with pair(agent, world, *WORKS, context=True) as person:
        person.sees("with context Batch, revision 3")
        until(lambda: "applied" in world.outcome())
        until(lambda: agent.status().get("context") == "Batch, revision 3")
        assert agent.call("recontextualize").returncode == 0
        world.recontextualize()
        until(lambda: "applied" in world.outcome())
        person.types("\x03")
        person.wait()
    assert (agent.state / "context" / "context.json").stat().st_mode & 0o777 == 0o600


def test_a_service_without_an_owner_waits_and_begins_once_the_machine_is_paired(
    world: World, agent: AgentProcess
) -> None:
    agent.start("--unpaired", "wait", "--poll-s", "1")
    until(lambda: agent.status().get("state") == "unpaired")
    with pair(agent, world) as person:
        person.sees("The agent begins to work now.")
        assert person.wait() == 0
    until(world.finished)
    world.unmanage()
    until(lambda: agent.status().get("state") == "unpaired")
    assert not (agent.state / "identity.json").exists()
    assert "its owner has taken this machine away" in agent.log.read_text()
