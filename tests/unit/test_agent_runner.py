"""Payloads in all three modes, and every way to misbehave, as real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kit import payload_scripts as scripts
from vmagent.gap import Job
from vmagent.gather import Gather
from vmagent.intervals import Intervals
from vmagent.process import lay_out_helpers
from vmagent.runner import Outcome, Runner
from vmagent.slots import TaskWork


class Memory:
    """Where a range's events go in these tests."""

    def __init__(self, first: int, last: int, granule: int = 1) -> None:
        self.gather = Gather(first, last, granule, Intervals())
        self.records: dict[int, bytes] = {}
        self.on_add: Any = lambda: None

    def gaps(self) -> list[tuple[int, int]]:
        return self.gather.gaps()

    def add(self, first: int, last: int, records: tuple[bytes, ...]) -> None:
        self.gather.add(first, last, records)
        granule = self.gather.granule
        for k, record in enumerate(records):
            self.records[(first // granule + k) * granule] = record
        self.on_add()

    def fail(self, first: int, last: int, word: str) -> None:
        self.gather.fail(first, last, word)

    def at(self, event: int) -> None:
        self.at_event = event

    def trim(self, last: int) -> None:
        self.gather.trim(last)

    def begin(self) -> None:
        pass

    def room(self) -> bool:
        return True

    def flush(self, force: bool) -> None:
        """Nothing is passed on."""


class Bench:
    """A runner and the means to run scripts in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = Runner(folder / "slot", lay_out_helpers(folder))

    def run(self, script: str, last: int = 10, first: int = 0, **changes: Any) -> Outcome:
        self.work = Memory(first, last, changes.get("granule", 1))
        return self.again(script, **changes)

    def again(self, script: str, **changes: Any) -> Outcome:
        name = str(abs(hash(script)))
        bundle = scripts.bundle(self.folder / "bundles" / name, script)
        job = Job(1, name, scripts.manifest(**changes), bundle, self.work)
        return self.runner.run(job)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.runner.close()


def test_a_payload_makes_every_event_of_its_range(bench: Bench) -> None:
    assert bench.run(scripts.GOOD, last=50, first=40).word == "done"
    assert bench.work.records == {i: b"event %d of 7;" % i for i in range(40, 50)}


def test_a_process_is_kept_from_range_to_range(bench: Bench) -> None:
    script = scripts.GOOD.replace(
        'b"event %d of %d;" % (i, ch.seed)', 'b"%d" % __import__("os").getpid()'
    )
    bench.run(script, last=3)
    first = set(bench.work.records.values())
    bench.run(script, last=9, first=3)
    assert first == set(bench.work.records.values())
    assert len(first) == 1


def test_only_the_gaps_of_a_range_are_made(bench: Bench) -> None:
    bench.work = Memory(0, 30)
    bench.work.gather.done = Intervals([(0, 10), (15, 20)])
    assert bench.again(scripts.GOOD).word == "done"
    assert sorted(bench.work.records) == [*range(10, 15), *range(20, 30)]


def test_skipped_events_are_results_and_failed_ones_are_not(bench: Bench) -> None:
    assert bench.run(scripts.SKIPS_AND_FAILS).word == "done"
    assert bench.work.records[0] == bench.work.records[1] == b""
    assert 2 not in bench.work.records
    assert [(f.first, f.last, f.word) for f in bench.work.gather.failures] == [(2, 3, "no-vertex")]


def test_files_are_taken_in_and_removed(bench: Bench) -> None:
    assert bench.run(scripts.FILES, last=4).word == "done"
    assert bench.work.records == {i: b"file %d" % i for i in range(4)}


def test_the_directory_mode_takes_files_by_their_names(bench: Bench) -> None:
    assert bench.run(scripts.FOLDER, last=15, first=5, mode="directory").word == "done"
    assert bench.work.records == {i: b"folder %d" % i for i in range(5, 15)}


def test_the_command_mode_splits_its_one_file(bench: Bench) -> None:
    ended = bench.run(scripts.COMMAND, last=12, first=2, mode="command", split="lines", granule=2)
    assert ended.word == "done"
    assert bench.work.records == {i: b"line %d\nline %d\n" % (i, i + 1) for i in range(2, 12, 2)}


def test_a_trimmed_range_ends_early_and_the_process_goes_on(bench: Bench) -> None:
    bench.work = Memory(0, 100_000)
    bench.work.on_add = lambda: (
        bench.runner.order(1, "trim", 20) if len(bench.work.records) == 3 else None
    )
    assert bench.again(scripts.SLOW).word == "done"
    assert bench.work.gather.done.covers(0, 20)
    assert not bench.work.gather.done.covers(0, 200)
    assert bench.run(scripts.SLOW, last=203, first=200).word == "done"


def test_finish_lets_the_current_event_end(bench: Bench) -> None:
    bench.work = Memory(0, 100_000)
    bench.work.on_add = lambda: bench.runner.order(1, "finish", 600.0)
    assert bench.again(scripts.SLOW).word == "stopped"  # long before the grace is over
    assert 1 <= len(bench.work.records) < 50


def test_a_payload_that_will_not_finish_is_ended_after_its_grace(bench: Bench) -> None:
    bench.work = Memory(0, 100)
    bench.work.on_add = lambda: (
        bench.runner.order(1, "finish", 0.3) if len(bench.work.records) == 3 else None
    )
    assert bench.again(scripts.HANG).word == "stopped"
    assert sorted(bench.work.records) == [0, 1, 2]


def test_a_payload_that_does_not_talk_is_told_by_a_signal_to_finish(bench: Bench) -> None:
    bench.work = Memory(0, 1000)
    bench.work.on_add = lambda: bench.runner.order(1, "finish", 60.0)
    ended = bench.again(scripts.TOLD_TO_FINISH, mode="directory")
    assert (ended.word, ended.exit) == ("stopped", 0), ended
    assert 1 <= len(bench.work.records) < 1000


def test_after_its_grace_a_payload_may_tidy_up_before_it_is_killed(bench: Bench) -> None:
    bench.work = Memory(0, 100)
    bench.work.on_add = lambda: bench.runner.order(1, "finish", 2.0)
    hangs = scripts.TIDIES_UP.replace("        i += 1", "        time.sleep(600)")
    ended = bench.again(hangs, limits={"silence_s": 60.0})
    assert (ended.word, ended.exit) == ("stopped", 0), ended
    assert "tidied" in ended.log


def test_an_order_for_another_task_is_passed_over(bench: Bench) -> None:
    bench.runner.order(99, "kill")
    assert bench.run(scripts.GOOD).word == "done"


def test_a_paused_payload_is_not_taken_for_hung(bench: Bench) -> None:
    bench.work = Memory(0, 30)
    started = threading.Event()
    bench.work.on_add = started.set

    def pause_and_resume() -> None:
        started.wait(90)
        bench.runner.order(1, "pause")
        time.sleep(1.2)  # longer than the silence that is allowed: what is being tested
        bench.runner.order(1, "resume")

    other = threading.Thread(target=pause_and_resume)
    other.start()
    ended = bench.again(scripts.SLOW, limits={"silence_s": 0.8})
    other.join()
    assert ended.word == "done"
    assert ended.wall_s > 1.2


@pytest.mark.parametrize(
    ("script", "word", "limits"),
    [
        (scripts.CRASH, "crashed", {}),
        (scripts.DIES_AT_ONCE, "crashed", {}),
        (scripts.HANG, "hung", {"silence_s": 0.5}),
        (scripts.GARBAGE, "garbage", {}),
        (scripts.OUTSIDE, "lied", {}),
        (scripts.TWICE, "lied", {}),
        (scripts.LINKS, "lied", {}),
        (scripts.FLOOD, "flooded", {}),
        (scripts.GOOD, "flooded", {"event_bytes": 10}),
        (scripts.MEMORY, "memory", {}),
        (scripts.DISK, "disk", {"silence_s": 20.0}),
        (scripts.BURN, "cpu", {"cpu_s_per_event": 0.3}),
        (scripts.STOPS_SHORT, "output-missing", {}),
    ],
)
def test_misbehaviour_is_told_by_its_word(
    bench: Bench, script: str, word: str, limits: dict[str, Any]
) -> None:
    ended = bench.run(script, limits=limits)
    assert ended.word == word, ended
    assert bench.run(scripts.GOOD).word == "done", "the slot goes on after it"


def test_a_crash_keeps_what_was_finished_and_shows_the_log(bench: Bench) -> None:
    ended = bench.run(scripts.CRASH)
    assert sorted(bench.work.records) == [0, 1, 2, 3, 4]
    assert ended.ready
    assert ended.exit == 1
    assert "the fifth" in ended.log


def test_a_payload_that_dies_before_it_greets_was_never_ready(bench: Bench) -> None:
    ended = bench.run(scripts.DIES_AT_ONCE)
    assert not ended.ready
    assert ended.exit == 3
    assert "no licence" in ended.log


def test_a_daemon_does_not_outlive_its_payload(bench: Bench, tmp_path: Path) -> None:
    note = tmp_path / "daemon.pid"
    ended = bench.run(scripts.DAEMON, environment={"DAEMON_FILE": str(note)})
    assert ended.word == "crashed"
    assert not os.path.exists(f"/proc/{note.read_text()}")


def test_a_payload_sees_a_clean_world(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDFALL_TOKEN", "secret")
    monkeypatch.setenv("SECRET", "secret")
    changes: dict[str, Any] = {"inputs": {"CARD": "Beams:eCM = 91.2"}, "cores": 2, "block": 10}
    bench.run(scripts.SHOWS_ENVIRONMENT, last=1, **changes)
    seen = json.loads(bench.work.records[0])
    env = seen["env"]
    assert "secret" not in json.dumps(env)
    assert not [name for name in env if name.startswith("WINDFALL")]
    assert env["TZ"] == "UTC"
    assert env["PYTHONHASHSEED"] == "0"
    assert env["EVP_CORES"] == "2"
    assert seen["card"] == "Beams:eCM = 91.2"
    assert seen["cwd"].startswith(str(bench.folder / "slot"))
    open_fds = set(seen["fds"]) - {"0", "1", "2", env["EVP_FD_IN"], env["EVP_FD_OUT"]}
    assert len(open_fds) <= 1, "listing the folder opens one itself"
    assert (env["EVP_FD_IN"], env["EVP_FD_OUT"]) == ("3", "4"), "one digit, for old shells"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@pytest.mark.parametrize("way", ["exec 7>&$EVP_FD_OUT 8<&$EVP_FD_IN", "/proc"])
def test_any_shell_finds_its_pipe(bench: Bench, shell: str, way: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    if way == "/proc":
        way = 'exec 7>"/proc/self/fd/$EVP_FD_OUT" 8<"/proc/self/fd/$EVP_FD_IN"'
    script = f"{way}\necho HELLO 1 sh >&7\necho NEXT >&7\nread -r word i j <&8\n"
    script += "printf 'EVENT %d %d 2\\nok' $i $j >&7; echo NEXT >&7; read -r word <&8"
    work, held = Memory(0, 1), scripts.manifest(events=1)
    bundle = scripts.bundle(bench.folder / "b", script)
    manifest = replace(held, command=[shell, "main.py"])
    ended = bench.runner.run(Job(1, "d", manifest, bundle, work))
    assert ended.word == "done", (ended.why, ended.log)
    assert work.records == {0: b"ok"}


def test_the_pipe_is_laid_right_when_its_ends_lie_where_the_other_belongs() -> None:
    code = (
        "import os\n"
        "from vmagent import guard\n"
        "(into, there), (back, out) = os.pipe(), os.pipe()\n"
        "assert (into, there, back, out) == (3, 4, 5, 6)\n"
        "os.dup2(out, 13); os.dup2(into, 14); os.dup2(there, 15); os.dup2(back, 16)\n"
        "os.dup2(13, 3); os.dup2(14, 4)\n"
        "keep = [os.dup2(15, 60), os.dup2(16, 61)]\n"
        "if os.fork() == 0:\n"
        "    guard._lay_pipe(3, 4)\n"
        "    assert sorted(map(int, os.listdir('/proc/self/fd')))[:5] == [0, 1, 2, 3, 4]\n"
        "    os.write(4, os.read(3, 9).upper()); os._exit(0)\n"
        "os.write(60, b'word'); print(os.read(61, 9))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "b'WORD'\n", done.stderr


def test_a_log_of_no_bytes_is_a_small_one(bench: Bench) -> None:
    ended = bench.run("print('x' * 3000); raise SystemExit(1)", limits={"log_bytes": 0})
    assert ended.word == "crashed"
    assert 1000 <= len(ended.log) <= 1100


def test_a_command_that_is_not_there_is_a_crash(bench: Bench) -> None:
    work = Memory(0, 5)
    bundle = scripts.bundle(bench.folder / "b", "")
    manifest = scripts.manifest()
    manifest = type(manifest)(**{**manifest.__dict__, "command": ["./no-such-program"]})
    ended = bench.runner.run(Job(1, "d", manifest, bundle, work))
    assert ended.word == "crashed"
    assert "no-such-program" in ended.log


def suspected(at: int, done: tuple[int, int], granule: int = 1) -> tuple[int, int] | None:
    """What a death is put down to in [100, 200), with this done and this event being made."""
    nothing: Any = None
    gather = Gather(100, 200, granule, Intervals([done]))
    work = TaskWork(1, gather, nothing, nothing, nothing, nothing, nothing)
    if at >= 0:
        work.at(at)
    return work.suspect()


def test_a_death_is_put_down_to_the_event_being_made() -> None:
    assert suspected(137, (100, 120)) == (137, 138)
    assert suspected(137, (100, 120), granule=10) == (130, 140)


def test_a_death_without_a_word_is_put_down_to_the_first_event_that_is_missing() -> None:
    assert suspected(-1, (100, 120)) == (120, 121)
    assert suspected(-1, (100, 120), granule=10) == (120, 130)


@pytest.mark.parametrize("at", [0, 110, 200, 10**18])
def test_an_event_that_is_not_missing_is_not_believed_to_be_made(at: int) -> None:
    assert suspected(at, (100, 120)) == (120, 121)


def test_of_a_death_after_the_last_event_none_is_suspected() -> None:
    assert suspected(150, (100, 200)) is None
