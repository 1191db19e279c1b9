"""From the PIN to the end of a machine at a real terminal; with a real server: tests/e2e."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_pair_terminal import PIN, finish
from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.terminal_driver import Person, code_of
from vmagent.wire.pairing import MachineContext, MachineLimits

CONTEXT = "22b13425ef7244c4b7de60dbbca64728"
USER_DATA = "[amiconfig]\nplugins=cernvm\n[windfall-agent]\ncpu-percent=90\n"
WORKS = ("--slots", "2", "--poll-s", "1")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer(scripts.GOOD, events=40).start()
    made.desk.pins.add(PIN)
    yield made
    made.close()


def pair(agent: AgentProcess, server: FakeServer, *options: str) -> Person:
    """Type the PIN and have it confirmed; the person still sits there."""
    person = agent.at_terminal("pair", "--server", server.url, *options)
    finish(person, server)
    return person


def unmanage(server: FakeServer) -> None:
    """The owner takes the machine away."""
    with server.changed:
        server.unmanaged = True
        server.changed.notify_all()


def test_a_machine_is_paired_by_pin_and_works_until_it_is_taken_away(
    server: FakeServer, agent: AgentProcess, tmp_path: Path
) -> None:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    with pair(agent, server, *WORKS) as person:
        server.wait_for(server.complete)
        assert len(server.desk.hosts()) == 1
        shown = agent.status()
        assert (shown["account"], shown["context"], shown["limits"]) == ("ann", None, "")
        server.desk.limits = MachineLimits(1)
        server.command("limits")
        person.becomes(lambda: agent.status().get("limits") == "1 cores")
        person.becomes(lambda: agent.status().get("slots") == 1)
        unmanage(server)
        assert person.wait() == 14
        assert "To pair it anew: run `windfall-agent pair`" in person.shown
        assert "wfh_" not in person.shown
        assert person.modes() == person.before
    assert not list(agent.state.glob("identity.json")) + list(agent.state.glob("keys.json"))
    assert agent.call("run").returncode == 3
    assert not list((tmp_path / "root").rglob("windfall.issue")), "no service waits for an owner"


def test_a_machine_that_shows_a_code_is_paired_on_the_web(
    server: FakeServer, agent: AgentProcess
) -> None:
    with agent.at_terminal("pair", "--server", server.url, "--code", "--no-run") as person:
        assert code_of(person.sees("confirm there")) == "BCDF-GHJK"
        server.wait_for(lambda: bool(server.desk.claims()))
        server.desk.confirm()
        person.sees("of ann")
        assert person.wait() == 0
    assert len(server.desk.hosts()) == 1
    assert agent.call("check", "--server", server.url).returncode == 0


def test_what_the_owner_refuses_is_said_and_another_pin_may_be_typed(
    server: FakeServer, agent: AgentProcess
) -> None:
    with agent.at_terminal("pair", "--server", server.url, "--no-run") as person:
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        person.sees("confirm there")
        server.wait_for(lambda: bool(server.desk.claims()))
        server.desk.reject()
        person.sees("the pairing was refused")
        finish(person, server)
        assert person.wait() == 0
    assert len(server.desk.hosts()) == 1


def test_a_context_comes_with_the_pairing_and_again_when_its_owner_says_so(
    server: FakeServer, agent: AgentProcess
) -> None:
    def outcomes() -> list[str]:
        return [one.outcome for one in server.desk.reports]

    server.desk.context = MachineContext(CONTEXT, 3, "Batch", USER_DATA)
    with pair(agent, server, *WORKS) as person:
        person.sees("with context Batch, revision 3")
        server.wait_for(lambda: outcomes() == ["applied"])
        person.becomes(lambda: agent.status().get("context") == "Batch, revision 3")
        assert agent.call("recontextualize").returncode == 0
        server.command("recontextualize")
        server.wait_for(lambda: outcomes() == ["applied"] * 3)
        person.types("\x03")
        person.wait()
    assert (agent.state / "context" / "context.json").stat().st_mode & 0o777 == 0o600


def test_a_service_without_an_owner_waits_and_begins_once_the_machine_is_paired(
    server: FakeServer, agent: AgentProcess
) -> None:
    agent.start("--unpaired", "wait", "--poll-s", "1")
    with agent.at_terminal("pair", "--server", server.url) as person:
        person.becomes(lambda: agent.status().get("state") == "unpaired")
        finish(person, server)
        person.sees("The agent begins to work now.")
        assert person.wait() == 0
        server.wait_for(server.complete)
        unmanage(server)
        person.becomes(lambda: agent.status().get("state") == "unpaired")
    assert not (agent.state / "identity.json").exists()
    assert "its owner has taken this machine away" in agent.log.read_text()
