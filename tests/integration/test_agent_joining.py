"""What a person is told whose machine cannot join, or who asks the program about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from vmagent import __version__


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer(scripts.GOOD).start()
    yield made
    made.close()


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "state")


def test_the_version_is_an_option_too(agent: AgentProcess) -> None:
    assert agent.call("--version").stdout.strip() == __version__
    assert agent.call("version").stdout.strip() == __version__


def test_a_token_file_that_is_not_there_is_no_refusal_of_the_server(
    server: FakeServer, agent: AgentProcess
) -> None:
    done = agent.call("join", "--server", server.url, "--token-file", "/no/such/token")
    assert done.returncode == 2
    assert "no enrolment token to join with: token file /no/such/token" in done.stderr
    assert "does not take" not in done.stderr
    assert server.seen == []


def test_a_machine_without_any_token_is_told_where_to_put_it(
    server: FakeServer, agent: AgentProcess
) -> None:
    done = agent.call("join", "--server", server.url)
    assert done.returncode == 2
    assert "--token-file FILE (- is stdin) or WINDFALL_TOKEN" in done.stderr


@pytest.mark.parametrize(("start", "what"), [("wfa_", "an API token"), ("wfh_", "a host's token")])
def test_a_token_of_another_kind_is_named(
    server: FakeServer, agent: AgentProcess, start: str, what: str
) -> None:
    secret = start + "x" * 43
    done = agent.call("join", "--server", server.url, "--token-file", "-", stdin=secret)
    assert done.returncode == 7
    assert f"This is no enrolment token: it is {what}" in done.stderr
    assert "windfall account token" in done.stderr
    assert secret not in done.stderr
    assert server.seen == [], "it is not sent to anybody"


def test_a_token_of_another_release_key_than_the_one_to_believe_is_not_used(
    server: FakeServer, agent: AgentProcess
) -> None:
    words = ("join", "--server", server.url, "--token-file", "-", "--release-key")
    done = agent.call(*words, "0" * 16, stdin=server.token)
    assert done.returncode == 8
    assert "this machine is to believe 0000000000000000" in done.stderr
    assert server.seen == [], "the token is not sent to anybody"
    done = agent.call(*words, server.keys.kid(server.keys.release), stdin=server.token)
    assert done.returncode == 0, done.stderr


def test_plain_http_behind_an_https_address_is_told_at_once(
    server: FakeServer, agent: AgentProcess
) -> None:
    url = server.url.replace("http:", "https:")
    done = agent.call("join", "--server", url, "--token-file", "-", stdin=server.token)
    assert done.returncode == 6
    assert f"does not speak TLS at this address; name its https:// port: {url}" in done.stderr


def test_a_server_that_is_not_windfall_is_told_at_once(
    server: FakeServer, agent: AgentProcess
) -> None:
    server.html = True
    done = agent.call("join", "--server", server.url, "--token-file", "-", stdin=server.token)
    assert done.returncode == 6
    assert f"is {server.url} Windfall?" in done.stderr
    assert len(server.seen) == 1  # a second try would change nothing
