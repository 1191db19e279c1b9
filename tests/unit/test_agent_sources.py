"""What the agent reads of site, cloud, owner and clocks: real HTTP and folders, clocks by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.places import Places
from vmagent import errors, farewell, fetch, mjf, orderfile, owner, spot, throttle, waking
from vmagent.errors import CannotWork
from vmagent.settings import Settings
from vmagent.wishes import DRAIN, REST, STOP, SUSPEND

UNIX = 1_900_000_000.0


@pytest.fixture
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.close()


def folder(path: Path, **files: str) -> str:
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return str(path)


@pytest.mark.parametrize("over_http", [False, True])
def test_features_are_read_from_a_folder_and_from_an_address(
    tmp_path: Path, places: Places, over_http: bool
) -> None:
    files = {"shutdowntime_job": f"{UNIX + 900:.0f}\n", "allocated_cpu": "3", "cpu_limit_secs": "7"}
    place = folder(tmp_path / "job", **files)
    if over_http:
        places.files = {f"/job/{name}": text for name, text in files.items()}
        place = f"{places.url}/job"
    granted = mjf.Features(None, place, lambda: UNIX).look()
    assert granted == mjf.Granted(job_ends=UNIX + 900, cores=3, cpu_s=7.0)


def test_garbage_is_unknown_and_older_names_are_understood(tmp_path: Path) -> None:
    place = folder(
        tmp_path / "job",
        shutdowntime_job="tomorrow",
        wall_limit_secs="nan",
        cpu_limit_secs="-5",
        max_rss_bytes="\x00\xff",
        allocated_CPU="2",
        jobstart_secs="1e300",
    )
    (tmp_path / "job" / "grace_secs_job").mkdir()
    assert mjf.Features(None, place, lambda: UNIX).look() == mjf.Granted(cores=2)


def test_a_site_that_is_away_keeps_what_it_said(places: Places) -> None:
    places.files["/m/shutdowntime"] = f"{UNIX + 60:.0f}"
    features = mjf.Features(f"{places.url}/m", None, lambda: UNIX)
    assert features.look().machine_ends == UNIX + 60
    places.away = True
    assert features.look().machine_ends == UNIX + 60
    places.away = False
    places.files.clear()
    assert features.look().machine_ends is None, "a shutdown that is called off"


@pytest.mark.parametrize(
    ("machine", "job", "hs06", "hepscore23"),
    [
        ({"hs06": "320\n", "total_cpu": "16"}, {}, 20.0, 0.0),
        ({"hs06": "320", "log_cores": "32"}, {}, 10.0, 0.0),
        ({"hepscore23": "2917.2", "total_cpu": "256"}, {}, 0.0, 11.395),
        ({"hs06": "320", "total_cpu": "16"}, {"hs06_job": "90", "allocated_cpu": "4"}, 22.5, 0.0),
        ({}, {"hs06_job": "90", "hepscore23_job": "8e1", "allocated_CPU": "4"}, 22.5, 20.0),
        # Nobody knows of how many cores that share is; what is said of the machine is left.
        ({"hs06": "320", "total_cpu": "16"}, {"hs06_job": "90"}, 20.0, 0.0),
        ({"hs06": "320"}, {"hs06_job": "90"}, 0.0, 0.0),
        ({"hs06": "1600", "total_cpu": "16"}, {}, 100.0, 0.0),
        ({"hs06": "1600.1", "total_cpu": "16"}, {}, 0.0, 0.0),
        ({"hs06": "320", "total_cpu": "16"}, {"hs06_job": "900", "allocated_cpu": "4"}, 20.0, 0.0),
        *(
            ({"hs06": odd, "hepscore23": "32", "total_cpu": "16"}, {}, 0.0, 2.0)
            for odd in ("", "-320", "0", "nan", "inf", "1e300", "3_20", "320 HS06", "12,5", "\0")
        ),
        ({"hs06": "320", "total_cpu": "none"}, {}, 0.0, 0.0),
        ({"hs06": "320", "total_cpu": "0"}, {}, 0.0, 0.0),
        ({"hs06": "320", "total_cpu": "1e-9"}, {}, 0.0, 0.0),
        ({"hs06": "9" * 65_537, "total_cpu": "16"}, {}, 0.0, 0.0),
        ({}, {}, 0.0, 0.0),
    ],
)
def test_a_core_does_what_the_site_says_of_job_or_machine(
    tmp_path: Path, machine: dict[str, str], job: dict[str, str], hs06: float, hepscore23: float
) -> None:
    places = folder(tmp_path / "machine", **machine), folder(tmp_path / "job", **job)
    features = mjf.Features(*places, lambda: UNIX)
    features.look()
    assert features.benchmarks == {"hs06": hs06, "hepscore23": hepscore23}


def test_benchmarks_are_read_again_and_kept_while_the_site_is_away(places: Places) -> None:
    places.files |= {"/m/total_cpu": "4", "/m/hs06": "40"}
    features = mjf.Features(f"{places.url}/m", None, lambda: UNIX)
    places.away = True
    features.look()
    assert features.benchmarks == {}, "nothing is said of a place that never answered"
    for away, power, seen in ((False, "40", 10.0), (True, "60", 10.0), (False, "60", 15.0)):
        places.away, places.files["/m/hs06"] = away, power
        features.look()
        assert features.benchmarks == {"hs06": seen, "hepscore23": 0.0}
    assert mjf.Features(None, None, lambda: UNIX).benchmarks == {"hs06": 0.0, "hepscore23": 0.0}


def test_each_limit_of_the_site_becomes_an_end_in_our_ticks() -> None:
    granted = mjf.Granted(UNIX + 100, UNIX + 200, UNIX + 300, cpu_s=50.0)
    found = mjf.readings(granted, now=10.0, unix=UNIX, cpu_used=20.0, slots=3)
    assert [(one.reason, one.by, one.then) for one in found] == [
        ("machine-shutdown", 110.0, STOP),
        ("job-shutdown", 210.0, STOP),
        ("wall-limit", 310.0, STOP),
        ("cpu-limit", 20.0, STOP),
    ]


def test_the_site_can_only_lower_what_the_settings_allow() -> None:
    settings = Settings(slots=4, memory_mb=2000)
    assert mjf.fit(settings, mjf.Granted(cores=2, memory_bytes=1e9)).slots == 2
    assert mjf.fit(settings, mjf.Granted(memory_bytes=1e9)).memory_mb == 953
    assert mjf.fit(settings, mjf.Granted(cores=8, memory_bytes=1e12)) == settings


def cloud(places: Places, drain: bool = True) -> spot.Spot:
    return spot.Spot(places.url, lambda: UNIX, drain)


@pytest.mark.parametrize(("v1", "v2"), [(True, True), (False, True), (True, False)])
def test_a_spot_interruption_is_read_with_a_token_or_without(
    places: Places, v1: bool, v2: bool
) -> None:
    places.v1, places.v2 = v1, v2
    assert cloud(places).look(5.0) == []
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(UNIX + 120))
    places.files["/latest/meta-data/spot/instance-action"] = (
        f'{{"action": "terminate", "time": "{when}"}}'
    )
    (found,) = cloud(places).look(5.0)
    assert (found.reason, found.kind, found.by) == ("spot-interruption", DRAIN, 125.0)


def test_a_notice_that_cannot_be_read_is_a_notice_all_the_same(places: Places) -> None:
    places.files["/latest/meta-data/spot/instance-action"] = "what?"
    (found,) = cloud(places).look(5.0)
    assert found.by == 5.0 + spot.NOTICE_S


def test_a_recommendation_to_move_is_followed_if_wanted(places: Places) -> None:
    places.files["/latest/meta-data/events/recommendations/rebalance"] = "{}"
    assert [one.kind for one in cloud(places).look(5.0)] == [DRAIN]
    assert cloud(places, drain=False).look(5.0) == []


def test_a_token_of_another_machine_is_renewed(places: Places) -> None:
    service = cloud(places)
    service.look(1.0)
    places.token, places.v1 = "another", False
    assert service.look(2.0) == []


def test_a_metadata_service_that_is_away_is_no_notice(places: Places) -> None:
    places.away = True
    with pytest.raises(fetch.Away):
        cloud(places).look(1.0)


@pytest.mark.parametrize(("vendor", "found"), [("Amazon EC2\n", True), ("QEMU", False)])
def test_the_firmware_tells_where_the_machine_stands(
    tmp_path: Path, vendor: str, found: bool
) -> None:
    folder(tmp_path / "class/dmi/id", sys_vendor=vendor)
    assert spot.here(tmp_path) is found


@pytest.mark.parametrize(
    ("supplies", "battery"),
    [
        ({}, False),
        ({"AC": {"type": "Mains", "online": "1"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        (
            {
                "AC": {"type": "Mains", "online": "0"},
                "BAT0": {"type": "Battery", "status": "Discharging"},
            },
            True,
        ),
        (
            {
                "AC": {"type": "Mains", "online": "1"},
                "BAT0": {"type": "Battery", "status": "Discharging"},
            },
            False,
        ),
        ({"mouse": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
    ],
)
def test_a_machine_on_battery_is_known(
    tmp_path: Path, supplies: dict[str, dict[str, str]], battery: bool
) -> None:
    for name, files in supplies.items():
        folder(tmp_path / "sys/class/power_supply" / name, **files)
    settings = Settings(on_battery="pause")
    found = owner.Owner(settings, tmp_path).look(1.0)
    assert [one.reason for one in found] == ["on-battery"] * battery


def machine(root: Path, cpu: int = 0, free_kb: int = 8_000_000) -> Path:
    folder(
        root / "proc", stat=f"cpu {cpu} 0 0 0 0 0 0 0 0 0\n", meminfo=f"MemAvailable: {free_kb} kB"
    )
    return root


def test_short_memory_suspends_and_soon_gives_back(tmp_path: Path) -> None:
    rules = owner.Owner(Settings(free_memory_mb=1000), machine(tmp_path, free_kb=500_000))
    (found,) = rules.look(1.0)
    assert (found.kind, found.reason, found.patience_s) == (SUSPEND, "memory-short", 30.0)
    machine(tmp_path)
    assert rules.look(2.0) == []


def test_what_other_programs_use_is_seen_and_what_we_use_is_not(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    rules = owner.Owner(Settings(busy_cores=0.5), machine(tmp_path))
    assert rules.look(100.0) == []
    machine(tmp_path, cpu=20 * ticks)
    (found,) = rules.look(110.0)  # two cores, for ten seconds
    assert (found.kind, found.reason) == (SUSPEND, "machine-busy")
    begun = owner.own_cpu()
    while owner.own_cpu() - begun < 0.5:
        sum(range(10_000))
    used = owner.own_cpu() - begun
    machine(tmp_path, cpu=int((20 + used) * ticks))
    assert rules.look(120.0) == []


def test_a_terminal_that_was_typed_at_is_somebody_at_the_machine(tmp_path: Path) -> None:
    tty = Path(folder(tmp_path / "dev" / "pts", **{"0": ""})) / "0"
    rules = owner.Owner(Settings(idle_s=600.0), machine(tmp_path))
    (found,) = rules.look(1.0)
    assert found.reason == "owner-active"
    os.utime(tty, (time.time() - 1000, time.time()))
    assert rules.look(2.0) == []
    (tmp_path / "proc" / "interrupts").write_text("  1:  9  3  IO-APIC  1-edge  i8042\n")
    assert [one.reason for one in rules.look(3.0)] == ["owner-active"], "a key was hit"


def test_outside_its_hours_it_rests_and_inside_it_knows_when_they_end(tmp_path: Path) -> None:
    now = time.localtime()
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[now.tm_wday]
    other = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(now.tm_wday + 3) % 7]
    (found,) = owner.Owner(Settings(hours=f"{other} 0-24"), tmp_path).look(1.0)
    assert (found.kind, found.reason) == (REST, "outside-hours")
    (found,) = owner.Owner(Settings(hours=f"{day} 0-24"), tmp_path).look(1.0)
    assert found.by is not None
    assert (found.then, 0 < found.by - 1.0 <= 86_400) == (REST, True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("stop", STOP), ("", STOP), ("drain please", DRAIN), ("Suspend\n", SUSPEND), ("\x00", STOP)],
)
def test_a_stop_file_says_what_is_to_be_done(tmp_path: Path, text: str, kind: str) -> None:
    place = tmp_path / "order"
    assert orderfile.read(place, tmp_path) == []
    place.write_text(text)
    assert [one.kind for one in orderfile.read(place, tmp_path)] == [kind]


class Clocks:
    """Clocks moved by hand."""

    def __init__(self) -> None:
        self.now = waking.Now(100.0, 100.0, UNIX)

    def go(self, monotonic: float, slept: float = 0.0, jumped: float = 0.0) -> None:
        now = self.now
        boot = monotonic + slept
        self.now = waking.Now(now.monotonic + monotonic, now.boot + boot, now.wall + boot + jumped)


@pytest.mark.parametrize(
    ("moves", "word"),
    [
        ({"monotonic": 1.0}, None),
        ({"monotonic": 5.0, "jumped": 0.3}, None),
        ({"monotonic": 1.0, "slept": 3600.0}, "slept"),
        ({"monotonic": 1.0, "jumped": 7200.0}, "clock-jumped"),
        ({"monotonic": 1.0, "jumped": -7200.0}, "clock-jumped"),
        ({"monotonic": 90.0}, "stalled"),
    ],
)
def test_sleep_jumps_and_stalls_are_told_apart(moves: dict[str, float], word: str | None) -> None:
    clocks = Clocks()
    watch = waking.Waking(lambda: clocks.now)
    clocks.go(**moves)
    found = watch.look()
    assert (found.word if found else None) == word
    clocks.go(1.0)
    assert watch.look() is None, "and told once"


def test_a_new_address_is_noticed_and_none_is_waited_out() -> None:
    watch = waking.Waking(lambda: waking.Now(0.0, 0.0, 0.0))
    assert watch.moved(("10.0.0.1", None)) is None
    assert watch.moved((None, None)) is None
    assert watch.moved(("10.0.0.1", None)) is None
    moved = watch.moved(("192.168.1.7", None))
    assert moved is not None
    assert (moved.word, moved.away_s) == ("address-changed", 0.0)
    assert len(waking.addresses()) == 2


@pytest.mark.parametrize("percent", [1, 25, 50, 99, 100])
def test_payloads_run_for_their_share_of_the_time(percent: int) -> None:
    at, ran = 0.0, 0.0
    while at < 100.0:
        step = min(throttle.next_turn(at, percent), 100.0 - at) + 1e-9
        ran += step if throttle.runs(at, percent) else 0.0
        at += step
    assert ran == pytest.approx(percent, abs=0.01)


@pytest.mark.parametrize(
    ("code", "reason", "worked", "number"),
    [
        (0, "sigterm", True, 100),
        (0, "machine-shutdown", False, 100),
        (0, "", True, 200),
        (0, "", False, 300),
        (5, "", True, 400),
        (1, "", True, 700),
    ],
)
def test_every_end_has_its_number(code: int, reason: str, worked: bool, number: int) -> None:
    said = farewell.message(code, reason, worked)
    assert said.startswith(f"{number} ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (errors.NotJoined("x"), 500),
        (errors.Locked("x"), 500),
        (errors.TokenRefused(401, "token-revoked", ""), 400),
        (errors.ProtocolUnknown("2"), 600),
        (errors.NetworkDown("x"), 700),
        (MemoryError(), 700),
    ],
)
def test_every_failed_start_has_its_number(error: Exception, number: int) -> None:
    assert farewell.message_of(error).startswith(f"{number} ")


def test_the_last_word_is_left_in_a_folder_or_put_to_an_address(
    tmp_path: Path, places: Places
) -> None:
    farewell.leave(str(tmp_path), "100 asked")
    assert (tmp_path / "shutdown_message").read_text() == "100 asked"
    farewell.leave(f"{places.url}/out/", "300 no work")
    assert places.put == {"/out/shutdown_message": "300 no work"}
    places.away = True
    farewell.leave(f"{places.url}/out/", "300 no work")
    farewell.leave(str(tmp_path / "missing"), "300 no work")


def test_all_faults_of_the_settings_are_told_together() -> None:
    wrong = {"hours": "noon", "spot": "maybe", "on_battery": "perhaps", "cpu_percent": 101}
    with pytest.raises(CannotWork) as told:
        Settings(**wrong, job_outputs="relative/folder", idle_s=0.0)  # type: ignore[arg-type]
    for name in (*wrong, "job_outputs", "idle_s"):
        assert f"--{name.replace('_', '-')} is " in str(told.value)
    assert replace(Settings(), hours="22-6").hours == "22-6"
