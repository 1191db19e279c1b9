"""The agent as a process against a server that speaks the wire: work, death, refusal, farewell."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess, Start
from tests.kit.fake_server import FakeServer
from tests.kit.waiting import until
from vmagent.guard import family
from vmagent.wire import codec, jws, messages


def whole(server: FakeServer) -> dict[int, bytes]:
    return {i: b"event %d of 7;" % i for i in range(server.events)}


def test_a_production_is_made_and_every_task_reported(start: Start) -> None:
    server, agent = start(events=500, unit=100)
    process = agent.start("--exit-when-idle", "0.5")
    assert process.wait(60) == 0
    assert server.records == whole(server)
    assert {r.outcome for r in server.reports.values()} == {"delivered"}
    assert len(server.reports) == 5
    assert not list((agent.state / "tasks").iterdir())


def test_the_class_of_a_manifest_is_told_before_work_is_given(start: Start) -> None:
    server, agent = start(events=100)
    server.wants_probe = True
    process = agent.start("--exit-when-idle", "0.5")
    server.wait_for(server.complete)
    assert list(server.classes) == [server.manifest]
    assert process.wait(60) == 0
    again = agent.start("--exit-when-idle", "0.2")
    assert again.wait(90) == 0
    assert server.seen.count("POST /classes") == 1, "a class is found once on a host"


def test_nothing_finished_is_lost_when_the_agent_is_killed(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=60, unit=60)
    process = agent.start("--flush-s", "0.1")
    server.wait_for(lambda: len(server.records) >= 10)
    with server.lock:
        server.deaf = True
    spool = agent.state / "tasks" / "1" / "frames"
    until(lambda: spool.stat().st_size >= 200)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    spooled = spool.stat().st_size
    with server.lock:
        held = len(server.records)
        server.deaf = False
        asked = server.seen.count("POST /work")
    assert spooled
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: bool(server.reports))
    assert server.records == whole(server)
    assert server.duplicates == 0, "what the server holds is not sent again"
    assert server.seen.count("POST /work") <= asked + 2
    assert held < 60
    assert server.reports[1].outcome == "delivered"


@pytest.mark.parametrize(("sandbox", "processes"), [("off", 2), ("require", 4)])
def test_no_payload_outlives_a_killed_agent(start: Start, sandbox: str, processes: int) -> None:
    if sandbox == "require" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    server, agent = start(scripts.SLOW, events=10_000, unit=10_000)
    process = agent.start("--flush-s", "0.1", "--sandbox", sandbox)
    server.wait_for(lambda: bool(server.records))
    left = family(process.pid)
    assert len(left) == processes, "guard and payload, and in a sandbox bwrap twice"
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))


def test_a_lease_that_was_lost_meanwhile_is_dropped(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=60, unit=60)
    process = agent.start("--flush-s", "0.1")
    server.wait_for(lambda: len(server.records) >= 5)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    with server.lock:
        server.tasks[1] = replace(server.tasks[1], state="withdrawn")
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: 2 in server.reports)
    assert 1 not in server.reports
    assert server.records == whole(server)


def test_a_stop_lets_the_current_event_finish_and_gives_the_rest_back(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=10_000, unit=10_000)
    process = agent.start("--flush-s", "0.2")
    server.wait_for(lambda: len(server.records) >= 5)
    assert agent.call("stop").returncode == 0
    assert process.wait(60) == 0
    assert server.reports[1].outcome == "returned"
    assert not (agent.state / "tasks" / "1").exists(), "everything finished was sent"
    assert server.tasks[1].held == [(0, len(server.records))]


def test_the_second_stop_is_at_once_and_keeps_the_spool(start: Start) -> None:
    server, agent = start(scripts.HANG, events=100, unit=100)
    process = agent.start("--flush-s", "0.2", "--grace", "600")
    server.wait_for(lambda: len(server.records) >= 3)
    process.send_signal(signal.SIGTERM)
    agent_log_says(agent, "stopping")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0  # long before the grace is over
    assert (agent.state / "tasks" / "1" / "lease.json").exists()


def agent_log_says(agent: AgentProcess, text: str) -> None:
    until(lambda: text in agent.log.read_text(), agent.log.read_text)


def test_a_drain_command_finishes_the_work_in_hand(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=1000, unit=50)
    process = agent.start("--flush-s", "0.2")
    server.wait_for(lambda: len(server.records) >= 3)
    server.command("drain")
    assert process.wait(60) == 0
    assert server.reports[1].outcome == "delivered"
    assert len(server.records) == 50


def test_an_old_command_is_not_obeyed_again_after_a_restart(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=60, unit=30)
    server.command("drain")
    assert agent.start().wait(90) == 0
    agent.start("--flush-s", "0.2")
    server.wait_for(server.complete)


def test_a_shrinking_lease_trims_the_running_range(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=10_000, unit=10_000)
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: len(server.records) >= 3)
    with server.lock:
        server.tasks[1] = replace(server.tasks[1], last=40)
    server.wait_for(lambda: 1 in server.reports)
    assert server.reports[1].outcome == "delivered"
    assert {i for i in server.records if i < 40} == set(range(40))


def test_a_busy_server_gets_its_frames_later(start: Start) -> None:
    server, agent = start(events=200, unit=100)
    server.busy = [503, 429, 507, 500, 503]
    process = agent.start("--exit-when-idle", "1.5")
    server.wait_for(server.complete)
    assert not server.busy
    assert process.wait(60) == 0


def test_frames_nobody_wants_end_their_task_and_the_agent_goes_on(start: Start) -> None:
    server, agent = start(events=100, unit=50)
    with server.lock:
        server.frame_answer = (410, "production-over")
    agent.start("--flush-s", "0.1")
    agent_log_says(agent, "production-over")
    with server.changed:
        server.frame_answer = None
        for task in server.tasks:
            server.tasks[task] = replace(server.tasks[task], state="aborted", held=[])
    server.wait_for(server.complete)
    assert server.records == whole(server)


def test_a_revoked_host_stops_and_keeps_its_spool(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=1000, unit=1000)
    process = agent.start("--flush-s", "0.1")
    server.wait_for(lambda: len(server.records) >= 3)
    with server.lock:
        server.revoked = True
    assert process.wait(60) == 5
    assert (agent.state / "tasks" / "1" / "lease.json").exists()
    assert "revoke" in agent.log.read_text() or "does not believe" in agent.log.read_text()


def test_a_payload_that_crashes_is_reported_with_the_event_it_died_of(start: Start) -> None:
    server, agent = start(scripts.CRASH, events=100, unit=50)
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: 1 in server.reports)
    report = server.reports[1]
    assert (report.outcome, report.reason) == ("failed", "crashed")
    assert [(f.first, f.last, f.word) for f in report.failures] == [(5, 6, "crashed")]
    assert "the fifth" in report.log
    assert sorted(server.records)[:5] == [0, 1, 2, 3, 4]


def test_two_agents_never_share_a_state_folder(start: Start) -> None:
    server, agent = start(scripts.SLOW, events=1000, unit=1000)
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: len(server.records) >= 1)
    assert agent.start().wait(90) == 4
    until(lambda: agent.status()["tasks"][0]["phase"] == "running")


def _resigned(reply: messages.AskReply, server: FakeServer, **changes: Any) -> messages.AskReply:
    lease = replace(codec.decode(reply.leases[0], messages.Lease), **changes)
    texts = [codec.encode(lease).decode()]
    return replace(reply, leases=texts, proof=server.keys.prove(texts))


REFUSED: list[tuple[str, Callable[[messages.AskReply, FakeServer], messages.AskReply]]] = [
    ("unsigned", lambda reply, server: replace(reply, proof=None)),
    (
        "unsigned",
        lambda reply, server: replace(
            reply, proof=server.keys.prove(reply.leases, Ed25519PrivateKey.generate())
        ),
    ),
    (
        "altered",
        lambda reply, server: replace(
            reply, leases=[reply.leases[0].replace('"first":0', '"first":50')]
        ),
    ),
    ("expired", lambda reply, server: _resigned(reply, server, until=server.now() - 10)),
    ("replayed", lambda reply, server: _resigned(reply, server, ask="anotherquestion")),
    ("foreign", lambda reply, server: _resigned(reply, server, host=2)),
    ("unreadable", lambda reply, server: _resigned(reply, server, first=10, last=10)),
    ("foreign", lambda reply, server: _resigned(reply, server, last=150)),
]


@pytest.mark.parametrize(("word", "tamper"), REFUSED)
def test_a_lease_not_to_be_believed_is_refused_by_name_and_the_agent_goes_on(
    start: Start,
    word: str,
    tamper: Callable[[messages.AskReply, FakeServer], messages.AskReply],
) -> None:
    server, agent = start(events=100, unit=50)

    def once(reply: messages.AskReply) -> messages.AskReply:
        if not reply.leases:
            return reply
        server.tamper = lambda untouched: untouched
        return tamper(reply, server)

    server.tamper = once
    agent.start("--flush-s", "0.1")
    agent_log_says(agent, f"word={word}")
    with server.lock:
        refused = server.tasks.pop(1)
    assert not refused.held
    with server.changed:
        server.tasks[99] = replace(refused, task=99, first=0, last=0, state="returned")
    server.wait_for(server.complete)
    assert server.records == whole(server)


def test_an_altered_manifest_is_refused_and_its_task_given_back(start: Start) -> None:
    server, agent = start(events=100, unit=50)
    good = server.manifest_text
    head, value, signature = good.split(".")
    evil = jws.unb64(value).replace(b'"main.py"', b'"evil.py"')
    with server.lock:
        server.manifest_text = f"{head}.{jws.b64(evil)}.{signature}"
        server.manifest = jws.digest(server.manifest_text)
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: 1 in server.reports)
    assert server.reports[1].outcome == "returned"
    assert server.reports[1].reason == "refused-altered"
    with server.changed:
        server.manifest_text, server.manifest = good, jws.digest(good)
    server.wait_for(server.complete)


def test_an_altered_bundle_never_runs(start: Start) -> None:
    server, agent = start(events=50, unit=50)
    good = server.bundle
    with server.lock:
        server.bundle = good[:-1] + bytes([good[-1] ^ 1])
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: 1 in server.reports)
    assert server.reports[1].reason == "refused-altered"
    assert not server.records
    with server.changed:
        server.bundle = good
    server.wait_for(server.complete)


def test_a_new_work_key_is_found_when_a_lease_is_signed_with_it(start: Start) -> None:
    server, agent = start(events=50, unit=50)
    with server.lock:
        server.keys.work = Ed25519PrivateKey.generate()
        server.keys.statements.append(server.keys.state("work", server.keys.work))
    agent.start("--flush-s", "0.1")
    server.wait_for(server.complete)
    assert "GET /keys" in server.seen


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_a_day_off_does_no_harm(start: Start, hours: int) -> None:
    server, agent = start(events=50, unit=50)
    server.time_off = hours * 3600.0
    agent.start("--flush-s", "0.1")
    server.wait_for(lambda: bool(server.complete() and server.reports))
    assert server.records == whole(server)
    assert {report.outcome for report in server.reports.values()} == {"delivered"}


def test_a_false_server_cannot_slip_in_its_own_key(tmp_path: Path) -> None:
    server = FakeServer(scripts.GOOD).start()
    agent = AgentProcess(tmp_path / "state")
    other = FakeServer(scripts.GOOD)
    done = agent.call("join", "--server", server.url, "--token-file", "-", stdin=other.token)
    assert done.returncode == 8
    assert "the first key is foreign" in done.stderr
    assert not (agent.state / "identity.json").exists()
    for one in (server, other):
        one.server_close()
    server.shutdown()


def test_check_says_what_is_in_the_way(tmp_path: Path) -> None:
    server = FakeServer(scripts.GOOD).start()
    agent = AgentProcess(tmp_path / "state")
    fine = agent.call("check", "--server", server.url)
    assert fine.returncode == 0, fine.stdout
    assert not agent.state.exists(), "to look changes nothing"
    assert "clock" in fine.stdout
    server.shutdown()
    server.server_close()
    away = agent.call("check", "--server", server.url)
    assert away.returncode == 1
    assert "FAIL  server" in away.stdout
    plain = agent.call("check", "--server", "http://example.org")
    assert plain.returncode == 1
    assert "must be https" in plain.stdout


def test_the_probe_command_needs_no_server(tmp_path: Path) -> None:
    from tests.kit.fake_server import pack

    (tmp_path / "bundle.tar.gz").write_bytes(pack({"main.py": scripts.GOOD}))
    manifest = replace(scripts.manifest(events=1000), payload="")
    (tmp_path / "manifest.json").write_bytes(codec.encode(manifest))
    agent = AgentProcess(tmp_path / "state")
    command = ["-m", "vmagent", "probe", "--manifest", "manifest.json"]
    arguments = [agent.program[0], *command, "--payload", "bundle.tar.gz", "--json"]
    first = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, check=True, env=agent.env()
    )
    second = subprocess.run(
        arguments, cwd=tmp_path, capture_output=True, text=True, check=True, env=agent.env()
    )
    found = json.loads(first.stdout)
    assert len(found["class"]) == 64
    assert found["class"] == json.loads(second.stdout)["class"]
    assert found["bytes_per_event"] == pytest.approx(13.5, abs=1)
    assert found["seconds_per_event"] > 0
