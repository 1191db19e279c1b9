"""Pairing at a real terminal: mistakes, troubles and their cures, secrets, killed programs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cryptography
import pytest
import segno

from tests.kit import payload_scripts as scripts
from tests.kit.agent_process import AgentProcess
from tests.kit.fake_pairing import CODE
from tests.kit.fake_server import FakeServer
from tests.kit.terminal_driver import Person
from tests.unit.test_agent_contexts import FAKE, GCM, ID, SECRET
from vmagent.wire.pairing import PINS_LOCKED, MachineContext

PIN = "859116"
NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer(scripts.GOOD, events=20).start()
    made.desk.pins.add(PIN)
    yield made
    made.close()


def at(agent: AgentProcess, server: FakeServer, *options: str, **more: str) -> Person:
    return agent.at_terminal("pair", "--server", server.url, "--no-run", *options, more=more)


def finish(person: Person, server: FakeServer, pin: str = PIN) -> None:
    """Pair after all."""
    person.sees("PIN: ")
    person.types(f"{pin}\r")
    person.sees("confirm there")
    server.wait_for(lambda: bool(server.desk.claims()))
    server.desk.confirm()
    person.sees("of ann")


def test_a_pin_is_corrected_as_it_is_typed_and_shown_in_pairs_once(
    agent: AgentProcess, server: FakeServer
) -> None:
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types("8x590\x7f-11\x1b[D 67\r")
        person.sees("confirm there")
        assert server.desk.asked[-1].pin == "859116"
        server.desk.confirm()
        assert person.wait() == 0
        shown = person.shown
    assert shown.count("859116") == 0, "nothing echoes it a second time"
    assert [line for line in shown.split("\n") if len(line.rpartition("\r")[2]) > 80] == []


def test_a_wrong_pin_is_said_when_it_is_over_and_another_is_asked_for(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.expires_in = 2
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types("123456\r")
        person.sees("or the PIN was not right")
        server.desk.expires_in = 300
        finish(person, server)
        assert person.wait() == 0
    assert len(server.desk.hosts()) == 1


def test_enter_while_waiting_is_another_pin_and_too_few_digits_are_said(
    agent: AgentProcess, server: FakeServer
) -> None:
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types("123456\r")
        person.sees("Waiting for the owner")
        person.types("\r")
        person.sees("PIN: ")
        person.types("8591\r")
        person.sees("A PIN has six digits")
        finish(person, server)
        assert person.wait() == 0
    assert [one.pin for one in server.desk.asked] == ["123456", PIN]


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        ((429, "too-many"), "Too many PINs were tried from this address"),
        ((409, "refused"), "The server refused"),
    ],
)
def test_a_refusal_is_said_with_its_cure_and_may_be_tried_again(
    agent: AgentProcess, server: FakeServer, refusal: tuple[int, str], says: str
) -> None:
    server.desk.refusals.append(refusal)
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        person.sees(says)
        person.sees("Press Enter to try again")
        person.types("\r")
        finish(person, server)
        assert person.wait() == 0


def test_where_pins_are_locked_a_code_is_shown_instead(
    agent: AgentProcess, server: FakeServer
) -> None:
    made = segno.make("https://windfall.example.org/pair/code?code=BCDF-GHJK", micro=False)
    server.desk.qr = ["".join("1" if one else "0" for one in row) for row in made.matrix]
    server.desk.refusals.append((429, PINS_LOCKED))
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        person.sees("somebody has been guessing them")
        person.sees("Press Enter to try again")
        person.types("\r")
        drawn = person.sees("  ".join(CODE))
        assert drawn.count("█") > 50, "the QR code"
        person.sees("confirm there")
        server.desk.confirm()
        assert person.wait() == 0
    assert [one.pin for one in server.desk.asked] == [""]


def test_a_plain_terminal_is_shown_nothing_but_ascii(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.context = MachineContext(ID, 3, "Zürich 粒子\x1b[2J")
    with at(agent, server, TERM="vt220", LANG="C") as person:
        finish(person, server)
        assert person.wait() == 0
        assert person.raw.isascii()
        assert b"\x1b[2J" not in person.raw


def test_what_a_server_says_moves_no_cursor(agent: AgentProcess, server: FakeServer) -> None:
    server.desk.context = MachineContext(ID, 3, "x\x1b[2J\x1b]0;owned\x07")
    with at(agent, server) as person:
        finish(person, server)
        assert person.wait() == 0
        assert b"\x1b" not in person.raw


def test_no_network_has_a_cure_and_ctrl_c_ends(agent: AgentProcess) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with agent.at_terminal("pair", "--server", url) as person:
            person.sees("nothing answers at this port")
            person.sees("Press Enter to try again")
            person.types("\x03")
            assert person.wait() == 1
            assert person.modes() == person.before


def test_a_server_without_tls_and_a_web_server_are_told_apart(
    agent: AgentProcess, server: FakeServer
) -> None:
    secure = server.url.replace("http:", "https:")
    with agent.at_terminal("pair", "--server", secure) as person:
        person.sees("does not speak HTTPS at this address")
        assert person.wait() == 6
    server.html = True
    with at(agent, server) as person:
        person.sees("What answers there is not Windfall.")
        assert person.wait() == 6
    assert server.desk.asked == []


def test_another_release_key_than_the_one_given_ends_it_before_a_pin_is_asked_for(
    agent: AgentProcess, server: FakeServer
) -> None:
    with at(agent, server, "--release-key", "0" * 16) as person:
        person.sees("keys are not to be believed")
        assert person.wait() == 8
        assert "PIN: " not in person.shown
    kid = server.keys.kid(server.keys.release)
    with at(agent, server, "--release-key", kid) as person:
        finish(person, server)
        person.sees(f"release key {kid}")
        assert person.wait() == 0


def test_a_server_that_names_another_key_than_its_list_is_not_believed(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.release = "1" * 16
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        person.sees("confirm there")
        server.desk.confirm()
        person.sees("keys are not to be believed")
        assert person.wait() == 8
    assert not (agent.state / "identity.json").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_is_left_as_it_was_however_the_program_ends(
    agent: AgentProcess, server: FakeServer, number: signal.Signals
) -> None:
    with at(agent, server) as person:
        person.sees("PIN: ")
        assert person.modes() != person.before
        os.kill(person.process.pid, number)
        person.wait()
        person.becomes(lambda: person.modes() == person.before)


def test_without_a_terminal_pins_are_read_line_by_line(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.expires_in = 2
    command = [*agent.program, "--state", str(agent.state), "pair", "--server", server.url]
    told = subprocess.run(
        [*command, "--no-run"],
        input="12 34\n12-34-56\n",
        capture_output=True,
        text=True,
        env=agent.env(),
        timeout=60,
        check=False,
    )
    assert told.returncode == 7
    assert "A PIN has six digits" in told.stdout
    assert "the PIN was not right" in told.stdout
    assert [one.pin for one in server.desk.asked] == ["123456"]


def programs(tmp_path: Path, *names: str) -> dict[str, str]:
    """Programs that write down how they were called, and the variable that names their folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "root").mkdir()
    for name in names:
        (folder / name).write_text(FAKE.format(record=tmp_path / "calls", more=""))
        (folder / name).chmod(0o755)
    return {"WINDFALL_PROGRAMS": str(folder)}


@pytest.mark.parametrize("agrees", [True, False])
def test_a_protected_context_asks_for_its_secret_without_echo_and_for_consent(
    agent: AgentProcess, server: FakeServer, tmp_path: Path, agrees: bool
) -> None:
    server.desk.context = MachineContext(ID, 3, "Secret one", "", json.dumps(GCM))
    with at(agent, server, **programs(tmp_path, "cloud-init")) as person:
        finish(person, server)
        person.sees("Set up this system with the context? (y/N) ")
        person.types("y\r" if agrees else "\r")
        person.sees("Secret of the context")
        person.types("wrong\r")
        person.sees("That is not the secret of this context.")
        person.sees("Secret of the context")
        person.types(f"{SECRET}\r")
        person.sees("applied, through cloud-init" if agrees else "NOT applied")
        assert person.wait() == 0
        assert SECRET not in person.shown
        assert "wrong" not in person.shown
    assert server.desk.reports[-1].outcome == ("applied" if agrees else "kept")
    assert (tmp_path / "calls").exists() is agrees
    kept = [path for path in agent.state.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)


def test_who_has_not_the_secret_now_is_asked_again_by_hand(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.context = MachineContext(ID, 3, "Secret one", "", json.dumps(GCM))
    with at(agent, server) as person:
        finish(person, server)
        person.sees("Secret of the context")
        person.types("\r")
        person.sees("still closed")
        assert person.wait() == 0
    assert server.desk.reports[-1].outcome == "locked"
    with agent.at_terminal("recontextualize") as person:
        person.sees("Secret of the context")
        person.types(f"{SECRET}\r")
        person.sees("NOT applied")
        assert person.wait() == 0
    assert server.desk.reports[-1].outcome == "kept"


def dies_at(server: FakeServer, step: str, victim: Callable[[], int]) -> None:
    """Kill the program at this step, before it is answered; once."""

    def hook(now: str) -> None:
        if now == step:
            server.desk.hook = lambda _: None
            os.kill(victim(), signal.SIGKILL)

    server.desk.hook = hook


@pytest.mark.parametrize("step", ["begin", "begun", "status", "collect"])
def test_a_program_that_is_killed_at_any_step_leaves_one_host_or_none(
    agent: AgentProcess, server: FakeServer, step: str
) -> None:
    with at(agent, server) as person:
        dies_at(server, step, lambda: person.process.pid)
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        if step == "collect":
            person.sees("confirm there")
            server.desk.confirm()
        assert person.wait() == -signal.SIGKILL
        person.becomes(lambda: person.modes() == person.before)
    assert not (agent.state / "identity.json").exists()
    assert agent.call("run").returncode == 3
    with at(agent, server) as person:
        if step in ("begin", "begun"):
            person.sees("PIN: ")
            person.types(f"{PIN}\r")
        else:
            person.sees("The pairing that was begun before goes on.")
        person.sees("confirm there")
        if step != "collect":
            server.desk.confirm()
        person.sees("of ann")
        assert person.wait() == 0
    assert len(server.desk.hosts()) == 1
    assert not (agent.state / "pairing.json").exists()


def test_an_answer_that_is_lost_is_asked_for_again_and_makes_no_second_host(
    agent: AgentProcess, server: FakeServer
) -> None:
    server.desk.lose_answers = 2
    with at(agent, server) as person:
        finish(person, server)
        assert person.wait() == 0
    (asked,) = server.desk.asked
    assert len(asked.collected) == 3
    assert len(server.desk.hosts()) == 1


def test_what_another_has_collected_is_said(agent: AgentProcess, server: FakeServer) -> None:
    server.desk.contacted = True
    with at(agent, server) as person:
        person.sees("PIN: ")
        person.types(f"{PIN}\r")
        person.sees("confirm there")
        server.desk.confirm()
        person.sees("collected by another program")
    assert not (agent.state / "identity.json").exists()


def test_a_console_that_nobody_logs_in_to_goes_on_after_every_mistake(
    agent: AgentProcess, server: FakeServer
) -> None:
    with at(agent, server, "--service") as person:
        person.sees("PIN: ")
        person.types("\x0385\x03")
        person.sees("PIN: ")
        person.types("8591\r")
        person.sees("A PIN has six digits")
        finish(person, server)
        person.sees("systemctl start windfall-agent")
        assert person.wait() == 0
    with at(agent, server, "--service") as person:
        person.sees("This machine is")
        person.sees("No agent runs just now.")
        agent.start("--poll-s", "1")
        person.sees("It is ")
        with server.changed:
            server.unmanaged = True
            server.changed.notify_all()
        assert person.wait() == 0


def test_two_programs_do_not_pair_one_machine_at_once(
    agent: AgentProcess, server: FakeServer
) -> None:
    with at(agent, server) as first, at(agent, server) as second:
        first.sees("PIN: ")
        second.sees("PIN: ")
        first.types(f"{PIN}\r")
        first.sees("confirm there")
        second.types(f"{PIN}\r")
        second.sees("Another windfall-agent works with this folder")
        server.desk.confirm()
        assert first.wait() == 0
        second.types("\r")
        second.sees("This machine is")
        assert second.wait() == 0
    assert len(server.desk.asked) == 1


def test_the_banner_hangs_until_the_machine_has_an_owner(
    agent: AgentProcess, server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "root" / "etc").mkdir(parents=True)
    banner = tmp_path / "root" / "etc" / "issue.d" / "windfall.issue"
    assert agent.call("banner").returncode == 0
    assert "windfall-agent pair" in banner.read_text()
    with at(agent, server, "--service") as person:
        person.sees("PIN: ")
        assert server.url in banner.read_text()
        finish(person, server)
        assert person.wait() == 0
    assert not banner.exists()


def test_the_server_is_the_one_of_the_service_or_is_asked_for(
    agent: AgentProcess, server: FakeServer, tmp_path: Path
) -> None:
    with agent.at_terminal("pair", "--no-run") as person:
        person.sees("Address of the server")
        person.types("ftp://nonsense\r")
        person.sees("That is no address of a server")
        person.types(f"{server.url}\r")
        person.sees("PIN: ")
    service = tmp_path / "root" / "etc" / "default" / "windfall-agent"
    service.parent.mkdir(parents=True)
    service.write_text(f"WINDFALL_SLOTS=1\nWINDFALL_SERVER='{server.url}'\n")
    with agent.at_terminal("pair", "--no-run") as person:
        finish(person, server)
        assert person.wait() == 0


def python_of_others() -> list[str]:
    """A Python with our libraries that another user may start too; empty if there is none."""
    where = str(Path(cryptography.__file__).parents[1])
    path = f"import sys; sys.path.insert(0, {where!r}); import vmagent.__main__ as m"
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run(
                [python, "-c", f"{path}, vmagent.desk, encodings.idna"],
                user=NOBODY,
                env={"PYTHONPATH": str(ROOT)},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return [python, "-c", f"{path}; m.main()"]
    return []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_root_pairs_the_machine_of_an_agent_that_runs_as_another_user(
    server: FakeServer,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # pytest's own folders are closed to others
        program = python_of_others()
        if not program:
            pytest.skip("the Python of these tests is closed to other users")
        agent = AgentProcess(Path(folder) / "state", program)
        agent.state.mkdir(mode=0o700)
        os.chown(agent.state, NOBODY, NOBODY)
        with at(agent, server) as person:
            finish(person, server)
            assert person.wait() == 0
        assert (agent.state / "identity.json").stat().st_uid == NOBODY
