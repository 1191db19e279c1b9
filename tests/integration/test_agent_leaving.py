"""Whoever says that an agent must go: nothing that was finished is lost, and the site is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_server import FakeServer
from tests.kit.places import Places
from tests.kit.waiting import until


@dataclass
class Scene:
    """A server, a site, an agent; and the agent's process once it works."""

    server: FakeServer
    places: Places
    agent: AgentProcess
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def work(self, *options: str) -> subprocess.Popen[bytes]:
        """Start, until the first events are there."""
        outputs = ("--job-outputs", f"{self.places.url}/out", "--features-s", "0.2")
        self.process = self.agent.start("--flush-s", "0.1", "--grace", "2", *outputs, *options)
        self.server.wait_for(lambda: len(self.server.records) >= 3)
        return self.process

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what nobody tells."""
        until(condition, lambda: self.agent.log.read_text()[-3000:])

    def stands_still(self) -> bool:
        """Whether no event comes for the better part of a second."""
        held = len(self.server.records)
        for _ in range(40):
            time.sleep(0.02)
            if len(self.server.records) != held:
                return False
        return True

    def state(self) -> str:
        """What the agent says that it does."""
        return str(self.agent.status()["state"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    server, places = FakeServer(scripts.SLOW, events=100_000, unit=100_000).start(), Places()
    agent = AgentProcess(tmp_path / "state")
    agent.join(server)
    # Who runs these tests under nohup would have agents that are deaf to it, too.
    deaf = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield Scene(server, places, agent, tmp_path)
    signal.signal(signal.SIGHUP, deaf)
    agent.kill_all()
    server.close()
    places.close()


def by_signal(number: signal.Signals) -> Callable[[Scene], None]:
    def send(scene: Scene) -> None:
        assert scene.process is not None
        scene.process.send_signal(number)

    return send


def by_site(scene: Scene) -> None:
    scene.places.files["/job/shutdowntime_job"] = str(time.time() + 5)


def by_folder(scene: Scene) -> None:
    (scene.folder / "features").mkdir()
    (scene.folder / "features" / "shutdowntime").write_text(str(time.time() + 5))


def by_cloud(scene: Scene) -> None:
    scene.places.files["/latest/meta-data/spot/instance-action"] = json.dumps(
        {"action": "terminate", "time": time.strftime("%FT%TZ", time.gmtime(time.time() + 14))}
    )


def by_file(scene: Scene) -> None:
    (scene.folder / "order").write_text("stop\n")


def by_server(scene: Scene) -> None:
    scene.server.command("stop", grace_s="1")


def by_command(scene: Scene) -> None:
    assert scene.agent.call("finish").returncode == 0


OPTIONS: dict[Callable[[Scene], None], tuple[str, ...]] = {
    by_site: ("--job-features", "{site}/job"),
    by_folder: ("--machine-features", "{folder}/features"),
    by_cloud: ("--spot", "{site}"),
    by_file: ("--stop-file", "{folder}/order"),
}


@pytest.mark.parametrize(
    ("tell", "reason"),
    [
        (by_server, "server-stop"),
        (by_signal(signal.SIGUSR1), "sigusr1"),
        (by_signal(signal.SIGTERM), "sigterm"),
        (by_signal(signal.SIGINT), "sigint"),
        (by_signal(signal.SIGHUP), "sighup"),
        (by_command, "sigusr1"),
        (by_site, "job-shutdown"),
        (by_folder, "machine-shutdown"),
        (by_cloud, "spot-interruption"),
        (by_file, "stop-file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_has_to_go_sends_what_is_finished_and_gives_the_rest_back(
    scene: Scene, tell: Callable[[Scene], None], reason: str
) -> None:
    words = {"site": scene.places.url, "folder": str(scene.folder)}
    process = scene.work(*(word.format(**words) for word in OPTIONS.get(tell, ())))
    tell(scene)
    assert process.wait(60) == 0, scene.agent.log.read_text()[-3000:]
    report = scene.server.reports[1]
    assert (report.outcome, report.reason) == ("returned", "stopped")
    assert not list((scene.agent.state / "tasks").iterdir()), "nothing is left unsent"
    made = sorted(scene.server.records)
    assert made == list(range(len(made))), "and nothing is missing in between"
    assert scene.places.put["/out/shutdown_message"] == f"100 Asked to end: {reason}"


def test_a_second_signal_is_at_once_and_keeps_the_spool(scene: Scene) -> None:
    process = scene.work()
    with scene.server.lock:
        scene.server.deaf = True
    process.send_signal(signal.SIGINT)
    scene.until(lambda: "stopping" in scene.agent.log.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    with scene.server.lock:
        scene.server.deaf = False
    assert list((scene.agent.state / "tasks").iterdir())


def test_a_drain_ends_after_the_work_in_hand(scene: Scene) -> None:
    scene.server.events, scene.server.unit = 60, 30
    process = scene.work()
    assert scene.agent.call("drain").returncode == 0
    assert process.wait(60) == 0
    first, *later = scene.server.reports.values()
    assert first.outcome == "delivered"
    # What was leased while it was told was either in hand, and is delivered, or is given back.
    assert {report.outcome for report in later} <= {"delivered", "returned"}
    delivered = 1 + sum(report.outcome == "delivered" for report in later)
    assert len(scene.server.records) == 30 * delivered


def test_who_is_suspended_by_hand_makes_nothing_until_it_is_resumed(scene: Scene) -> None:
    scene.work()
    assert scene.agent.call("suspend").returncode == 0
    scene.until(lambda: scene.state() == "suspended")
    shown = scene.agent.call("status").stdout
    assert "suspended (owner-suspended)" in shown
    scene.until(scene.stands_still)  # what was finished before is sent
    held = len(scene.server.records)
    time.sleep(1.0)  # fifty events, if it were working
    assert len(scene.server.records) == held
    scene.server.wait_for(lambda: ("suspended", "owner-suspended") in scene.server.moods)
    assert scene.agent.call("resume").returncode == 0
    scene.server.wait_for(lambda: len(scene.server.records) > held + 3)


def test_outside_its_hours_it_gives_its_leases_back_and_stays(scene: Scene) -> None:
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    other = days[(time.localtime().tm_wday + 3) % 7]
    process = scene.agent.start("--hours", f"{other} 0-24", "--exit-when-idle", "60")
    scene.until(lambda: scene.state() == "resting")
    assert process.poll() is None
    assert scene.agent.status()["why"] == "outside-hours"


def test_a_switched_off_farm_rests_says_so_and_works_again(scene: Scene) -> None:
    process = scene.work()
    scene.server.command("stop", stay="1", grace_s="1")
    scene.server.wait_for(lambda: scene.server.released == [1])
    assert scene.server.reports[1].outcome == "returned"
    assert process.poll() is None
    scene.until(lambda: scene.state() == "resting")
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    scene.agent.start("--flush-s", "0.1")
    scene.until(lambda: scene.state() == "resting")
    held = len(scene.server.records)
    scene.server.command("resume")
    scene.server.wait_for(lambda: len(scene.server.records) > held)


def test_it_asks_only_for_the_time_that_is_left(scene: Scene) -> None:
    scene.work("--lifetime-s", "300")
    left = [ask.seconds_left or 0.0 for ask in scene.server.questions]
    assert max(left) <= 300 - 9, "less the farewell: 2 s grace, 2 s to be killed, 5 s to send"
    assert min(left) > 300 - 100, "and less the time until it asked"


def test_it_asks_for_nothing_when_too_little_is_left(scene: Scene) -> None:
    scene.agent.start("--lifetime-s", "20", "--grace", "2")
    scene.until(lambda: scene.state() == "idle")
    time.sleep(1.5)
    assert not scene.server.questions


def test_payloads_stand_still_for_their_share_of_the_time(scene: Scene) -> None:
    scene.work("--cpu-percent", "30")
    for _ in range(2):  # 1.4 s of every two, in which fifty events a second would come
        scene.until(scene.stands_still)
        scene.until(lambda: not scene.stands_still())


def test_an_agent_that_was_to_outlive_its_terminal_does(scene: Scene) -> None:
    scene.agent.program = ["nohup", *scene.agent.program]
    process = scene.work()
    process.send_signal(signal.SIGHUP)
    held = len(scene.server.records)
    scene.server.wait_for(lambda: len(scene.server.records) > held + 5)
    assert process.poll() is None


# The same agent, but for how long it must have stood still before that counts as a sleep.
LIGHT_SLEEPER = """
from vmagent import presence, waking
waking.STALLED_S = presence.UNSURE_S = 1.0
from vmagent.__main__ import main
main()
"""


@pytest.mark.parametrize("lost", [True, False])
def test_an_agent_that_was_away_asks_for_its_leases_before_it_goes_on(
    scene: Scene, lost: bool
) -> None:
    scene.agent.program = [sys.executable, "-c", LIGHT_SLEEPER]
    process = scene.work()
    process.send_signal(signal.SIGSTOP)
    with scene.server.lock:
        state = scene.server.tasks[1]
        if lost:
            scene.server.tasks[1] = replace(state, state="expired")
        beats = len(scene.server.moods)
    time.sleep(3.0)  # more than what it takes for granted
    process.send_signal(signal.SIGCONT)
    scene.server.wait_for(lambda: len(scene.server.moods) > beats)
    scene.until(lambda: "woke" in scene.agent.log.read_text())
    scene.until(lambda: "leases-known" in scene.agent.log.read_text())
    if lost:
        scene.server.wait_for(lambda: 2 in scene.server.tasks)
        assert 1 not in scene.server.reports
    held = len(scene.server.records)
    scene.server.wait_for(lambda: len(scene.server.records) > held + 5)


def test_an_agent_that_cannot_begin_says_so_to_its_site(scene: Scene) -> None:
    stranger = AgentProcess(scene.folder / "other")
    stranger.state.mkdir(mode=0o700)
    process = stranger.start("--job-outputs", f"{scene.places.url}/out")
    assert process.wait(60) == 3
    assert scene.places.put["/out/shutdown_message"].startswith("500 ")
