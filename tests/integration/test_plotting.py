"""Histograms of a production: filled from settled units, each once, by a process beside."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

from server.blobs.memory import MemoryBlobs
from server.domain.physics import Plot
from server.services import plotting
from server.services.close import unit_key
from server.services.plotting import Plotter, Uncounted
from tests.kit.house import Hand, House, house

PLOTS = """
[plots.pt]
title = "Transverse momentum"
quantity = "pt"
low = 0
high = 1
bins = 4
reference = [1, 1, 1, 1]
reference_name = "flat"
"""


def event(number: int) -> bytes:
    """An event with one pion, whose transverse momentum walks over the bins."""
    pt = (number % 4) / 4 + 0.1
    return (f"E {number} 1 1\nU GEV MM\nV -1 0 [1,2]\nP 1 -1 -211 {pt} 0 0 1 0.139 1\n").encode()


def definition(one: House, **changes: Any) -> str:
    """A small production in HepMC3 that asks for a plot."""
    text = one.definition(quorum=1, events=400, unit=100, **changes)
    return text.replace('format = "lines"', 'format = "hepmc3"') + PLOTS


async def work(hand: Hand, leases: int) -> None:
    """Compute so many leases."""
    for _ in range(leases):
        for lease in await hand.leases():
            await hand.work(lease, event, 100)


async def counted(one: House, events: int) -> dict[str, Any]:
    """The plots once so many events are counted."""

    async def look() -> dict[str, Any] | None:
        answer = await one.answer("GET", "/api/v1/productions/toy-run/plots")
        return dict(answer.body) if answer.body["events"] >= events else None

    found = await one.until(look)
    assert isinstance(found, dict)
    return found


async def test_settled_events_are_counted_once_over_restarts_and_shown(tmp_path: Path) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "100"}) as one:
        await one.produce(definition(one))
        hand = await one.join("ann")
        while (await one.show())["settled"] < 200:
            await work(hand, 1)
        before = await counted(one, 200)
        assert before["plots"][0]["counts"] == [before["events"] // 4] * 4
    async with house(tmp_path, **{"plots.cpu_percent": "100"}) as one:
        hand = await one.join("bob")
        while (await one.show())["settled"] < 400:
            await work(hand, 1)
        found = await counted(one, 400)
        assert found["events"] == found["settled"] == 400
        plot = found["plots"][0]
        assert plot["counts"] == [100, 100, 100, 100]
        assert plot["heights"] == plot["reference"] == [1.0, 1.0, 1.0, 1.0]
        assert plot["errors"][0] == pytest.approx(0.1)
        page = await one.answer("GET", "/productions/toy-run")
        assert b"Transverse momentum" in page.body
        assert b"line: flat" in page.body
        drawing = await one.answer("GET", "/productions/toy-run/plots/pt.svg")
        assert drawing.body.startswith(b"<?xml")
        table = await one.answer("GET", "/productions/toy-run/plots/pt.csv")
        assert table.body.decode().splitlines()[1] == "0,0.25,100,1,0.1,1"
        missing = await one.answer("GET", "/productions/toy-run/plots/mass.svg")
        assert missing.status == 404
        assert missing.code == "plot-unknown"


async def test_a_unit_that_cannot_be_read_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "0"}) as one:
        await one.produce(definition(one))
        hand = await one.join("ann")
        while (await one.show())["state"] != "done":
            await work(hand, 1)
        deps = one.deps
        await deps.blobs.put(unit_key(1, 1), b"no zstd at all")
        await deps.blobs.delete(unit_key(1, 2))
        plotter = Plotter(deps, 1.0)
        for _ in range(4):
            await plotter.once()
        found = await plotting.show(deps, "toy-run")
        assert (found.events, found.plots[0].counts) == (200, [50, 50, 50, 50])
        told = [record for record in caplog.records if record.message == "not plotted"]
        assert [getattr(record, "unit", None) for record in told] == [1, 2]
        await plotter.once()
        assert (await plotting.show(deps, "toy-run")).events == 200


async def _with_unit(folder: Path, unit: bytes) -> tuple[Any, str]:
    """What the plotter needs, with one unit, and its key."""
    blobs = MemoryBlobs()
    key = unit_key(1, 0)
    await blobs.put(key, unit)
    return SimpleNamespace(blobs=blobs), key


TELLS = """
import os, sys
print("apple" if "apple" in str(os.environ) else "nothing", file=sys.stderr)
sys.exit(7)
"""
PT = Plot("pt", 0.0, 1.0, 4)


HOSTILE = {
    "no_zstd": b"no zstd at all",
    "a_window_of_gigabytes": bytes.fromhex("28b52ffd00a8") + bytes(1000),
    "no_event_in_megabytes": zstandard.compress(bytes((1 << 26) + (1 << 21))),
    "a_million_empty_events": zstandard.compress(b"\nE " * 1_000_000),
    "one_event_too_many": zstandard.compress(b"".join(map(event, range(101)))),
    "an_event_in_a_line_of_another": zstandard.compress(
        b"".join(map(event, range(100))) + b"A 1 1 x\nE 1 1 1\n"
    ),
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_unit_costs_more_than_its_events_or_adds_others(
    tmp_path: Path, unit: bytes
) -> None:
    deps, key = await _with_unit(tmp_path, unit)
    with pytest.raises(Uncounted):
        await Plotter(deps, 1.0)._count(1, 0, [PT], 100)
    await deps.blobs.put(key, zstandard.compress(b"".join(map(event, range(100)))))
    found = await Plotter(deps, 1.0)._count(1, 0, [PT], 100)
    assert (found.events, found.filled[0].counts) == (100, [25, 25, 25, 25])


async def test_a_program_that_reads_units_sees_no_secret_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDFALL_MAIL_PASSWORD", "apple")
    monkeypatch.setattr(plotting, "PROGRAM", (sys.executable, "-c", TELLS))
    deps, _ = await _with_unit(tmp_path, b"")
    with pytest.raises(Uncounted, match="ended with 7: nothing"):
        await Plotter(deps, 1.0)._count(1, 0, [PT], 100)


SAYS = {
    "without_end": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "nothing": "",
    "no_answer": "print('{}')",
    "other_bins": 'print(\'{"filled":[{"counts":[1]}],"events":1}\')',
    "too_many_events": 'print(\'{"filled":[{"counts":[9,9,9,9]}],"events":101}\')',
}


@pytest.mark.parametrize("program", SAYS.values(), ids=SAYS.keys())
async def test_what_a_program_that_was_broken_says_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(plotting, "PROGRAM", (sys.executable, "-c", program))
    deps, _ = await _with_unit(tmp_path, bytes(1 << 22))
    with pytest.raises(Uncounted):
        await Plotter(deps, 1.0)._count(1, 0, [PT], 100)


async def test_no_more_of_a_unit_is_read_than_its_reader_takes() -> None:
    """It may be larger than the memory of the server."""
    read = 0

    async def endless(_: str) -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(1 << 20)

    deps: Any = SimpleNamespace(blobs=SimpleNamespace(stream=endless))
    with pytest.raises(Uncounted, match="Unknown frame"):
        await Plotter(deps, 1.0)._count(1, 0, [PT], 100)
    assert read < 50


async def test_a_production_without_plots_is_looked_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, **{"plots.cpu_percent": "0"}) as one:
        await one.produce(one.definition(quorum=1, events=100, unit=100))
        hand = await one.join("ann")
        lease = (await hand.leases())[0]
        await hand.work(lease)
        await one.until(lambda: _settled(one))
        await Plotter(one.deps, 1.0).once()
        assert await one.rows("SELECT wanted, units FROM plots") == [(0, 0)]
        assert (await one.answer("GET", "/api/v1/productions/toy-run/plots")).body["plots"] == []


async def _settled(one: House) -> bool:
    return bool((await one.show())["settled"] == 100)
