"""The agent as a process when reference events cannot be made, and how soon it goes when idle."""

from __future__ import annotations

import json

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import Start
from tests.kit.waiting import until
from vmagent.wire import statements

DIES_SLOWLY = """
import sys, time
time.sleep(1.5)
print("no licence file /opt/lic", file=sys.stderr)
sys.exit(3)
"""


def test_a_bad_production_is_told_and_a_good_one_is_done(start: Start) -> None:
    server, agent = start(events=300, unit=50)
    server.wants_probe = True
    bad = server.offer(DIES_SLOWLY)
    agent.start("--slots", "2", "--flush-s", "0.1")
    server.wait_for(lambda: server.complete() and bad in server.failed)
    report = server.failed[bad]
    assert (report.failed, report.digest) == ("crashed", "0" * 64)
    assert "no licence file" in report.log
    assert list(server.classes) == [server.manifest]
    assert server.seen.count("POST /work") < 40, "not in a circle, while the probe takes its time"
    said = agent.log.read_text()
    assert "word=crashed" in said
    assert "no licence file /opt/lic" in said
    until(lambda: agent.status()["failed_probes"] == {bad: "crashed"})
    assert "no reference events here, crashed" in agent.call("status").stdout


def test_a_manifest_that_is_refused_is_told_by_its_word(start: Start) -> None:
    server, agent = start(events=100)
    server.wants_probe = True
    bad = server.offer(scripts.GOOD, environment={"EVP_SEED": "1"})
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: server.complete() and bad in server.failed)
    assert server.failed[bad].failed == "refused-unreadable"
    assert "environment: EVP_SEED begins with" in server.failed[bad].log


def test_a_probe_that_hangs_is_told_when_its_silence_is_over(start: Start) -> None:
    server, agent = start(events=50)
    server.wants_probe = True
    bad = server.offer(scripts.HANG, limits=statements.Limits(silence_s=1.0))
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: server.complete() and bad in server.failed)
    assert server.failed[bad].failed == "hung"


def test_a_failure_that_did_not_get_through_is_told_later_without_a_second_try(
    start: Start,
) -> None:
    server, agent = start(events=50)
    server.wants_probe = True
    tries = agent.state.parent / "tries"
    bad = server.offer(f"open({str(tries)!r}, 'a').write('x'); raise SystemExit(1)")
    server.classes_away = 1
    agent.start("--flush-s", "0.1", "--sandbox", "off")  # for the payload leaves a note
    server.wait_for(lambda: bad in server.failed)
    assert server.classes_away == 0
    assert tries.read_text() == "x"
    server.wait_for(server.complete)


@pytest.mark.parametrize("word", ["stop", "drain"])
@pytest.mark.parametrize("way", ["signal", "server"])
def test_an_idle_agent_waits_for_no_grace(start: Start, word: str, way: str) -> None:
    server, agent = start(events=20, unit=20)
    process = agent.start("--flush-s", "0.1", "--grace", "600")
    server.wait_for(lambda: server.complete() and bool(server.reports))
    until(lambda: agent.status()["state"] == "idle")
    if way == "signal":
        assert agent.call(word).returncode == 0
    else:
        server.command(word)
    assert process.wait(60) == 0
    shown = json.loads(agent.call("status", "--json").stdout)
    assert (shown["state"], shown["running"], shown["tasks"]) == ("stopped", False, [])


def test_a_stop_ends_a_probe_that_hangs_and_tells_no_fault_of_it(start: Start) -> None:
    server, agent = start(events=20)
    server.wants_probe = True
    bad = server.offer(scripts.HANG)
    process = agent.start("--flush-s", "0.1", "--grace", "600")
    until(lambda: agent.status().get("probing") == [bad])
    server.command("stop")
    assert process.wait(60) == 0  # a probe is given no grace
    assert not server.failed


def test_a_suspended_agent_says_so(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=1000, unit=1000)
    agent.start("--flush-s", "0.1")
    until(lambda: agent.status()["state"] == "working")
    server.command("suspend")
    until(lambda: agent.status()["state"] == "suspended")
    server.command("resume")
    until(lambda: agent.status()["state"] == "working")
    assert agent.call("drain").returncode == 0
    until(lambda: agent.status()["state"] == "draining")
