"""tools/fleet, small: a fleet on a real server leaves in the middle, comes back, loses nothing."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.kit.house import house
from tools.fleets import __main__ as fleet
from tools.fleets import check, descriptors, payload
from tools.fleets.tally import Tally


def test_a_small_fleet_leaves_comes_back_and_loses_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = "--agents 20 --events 4000 --rate 200 --flush-s 0.1 --unit 500 --seed 5 --release"
    assert fleet.main([*words.split(), "--json"]) == 0, capsys.readouterr().err
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said["released"] == said["agents"] == 20
    assert said["release_p50_s"] <= said["release_p95_s"] <= said["release_max_s"]
    assert 0 < said["confirmed_at_release"] == said["in_hand_after_release"] < 4000
    assert (said["lost"], said["leased_again"], said["output_faults"]) == (0, 0, 0)
    assert said["verified"]


async def test_an_output_that_lacks_doubles_or_alters_an_event_is_found() -> None:
    async def faults(lines: list[bytes]) -> int:
        async def pieces() -> AsyncIterator[bytes]:
            yield zstandard.compress(b"".join(lines))

        return await check.faults(pieces(), 10, 7)

    good = [payload.record(event, 7) for event in range(10)]
    assert await faults(good) == 0
    assert await faults(good[:-1]) > 0
    assert await faults([*good[:4], good[3], *good[4:]]) > 0
    assert await faults([*good[:4], payload.record(4, 8), *good[5:]]) == 1


def test_confirmed_events_that_are_leased_again_are_counted() -> None:
    tally = Tally(100)
    tally.lease(0, 50)
    tally.frame(0, 30)
    tally.lease(20, 60)
    assert (tally.again, tally.done) == (10, 30)


def test_too_few_file_descriptors_are_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    with pytest.raises(descriptors.TooFewDescriptors, match=r"need 2256 .*ulimit -Hn 2256"):
        descriptors.provide(1000)


def test_a_server_of_others_needs_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert fleet.main(["--server", "http://127.0.0.1:1"]) == 2
    assert "--token-file and --release-key" in capsys.readouterr().err


@pytest.mark.parametrize("more", ["", "--folder {} --release", "--folder {} --server http://x"])
def test_history_needs_a_folder_and_nothing_else(
    more: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("x")
    words = f"--history 5d {more.format(tmp_path)} --token-file {key} --release-key {key}"
    assert fleet.main(words.split()) == 2
    told = capsys.readouterr().err
    assert "--history fills a new server's database and does nothing else" in told
    assert "name a --folder" in told


async def looked_at(folder: Path) -> dict[str, Any]:
    """The totals of a pool whose figures hold."""
    async with house(folder) as found:
        _, checked = await found.manage("POST", "/stats/check")
        assert checked == {"ok": True, "discrepancies": []}
        return dict((await found.told("/stats/totals"))["values"])


def test_history_of_a_small_fleet_is_there_to_look_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert fleet.main(f"--history 3d --agents 12 --folder {tmp_path}".split()) == 0
    assert "12 machines and " in capsys.readouterr().err
    assert asyncio.run(looked_at(tmp_path))["events_settled"] > 1000
