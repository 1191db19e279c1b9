"""What a site gave: by month, account and machine; who may see it; benchmarks; CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.domain.rollup import DAY, Kind, Measure
from tests.integration.test_doors import WORD, doors, give_password
from tests.kit.command_line import run
from tests.kit.gifts import amount, gave
from tests.kit.house import House
from tests.kit.surfer import Surfer

NOVEMBER, DECEMBER = (int(datetime(2025, month, 1, tzinfo=UTC).timestamp()) for month in (11, 12))


@dataclass
class Farm:
    """A site with machines of two accounts that gave something, and a browser."""

    found: House
    browser: Surfer
    hosts: dict[str, int]


@pytest.fixture
async def farm(tmp_path: Path) -> AsyncIterator[Farm]:
    """Two machines of an institute, one of another, at a site; one elsewhere."""
    async with doors(tmp_path) as (found, browser):
        hosts = {}
        places = (("n1", "desy", "zeuthen"), ("n2", "desy", "zeuthen"), ("=n3", "ifj", "zeuthen"),
                  ("n4", "ifj", "krakow"))  # fmt: skip
        for name, account, site in places:
            made = await found.token(account, site=site, role="institute")
            status, said = await found.enrol(made["token"], name)
            assert status == 201
            hosts[name] = said["host"]
        for number, host in enumerate(hosts.values(), 1):
            facts = amount(number, number)
            await gave(found, Kind.HOST, str(host), NOVEMBER, facts)
            await gave(found, Kind.HOST, str(host), DECEMBER - DAY, facts)
            site = places[number - 1][2]
            await gave(found, Kind.SITE, site, NOVEMBER, facts)
            await gave(found, Kind.HOST, str(host), DECEMBER, {Measure.EVENTS_VALIDATED: 1})
        await give_password(found, "admin")
        yield Farm(found, browser, hosts)


async def november(farm: Farm) -> Any:
    """What programs are told."""
    return await farm.found.told("/sites/zeuthen/giving?month=2025-11")


async def test_a_month_is_told_by_account_and_machine_of_the_site_alone(farm: Farm) -> None:
    found = await november(farm)
    assert [(one["name"], one["given"]["events"]) for one in found["machines"]] == [
        ("n1", 2), ("n2", 4), ("=n3", 6),
    ]  # fmt: skip
    accounts = {one["name"]: (one["machines"], one["given"]) for one in found["accounts"]}
    assert set(accounts) == {"desy", "ifj"}
    machines, given = accounts["desy"]
    assert (machines, given["cpu_h"], given["wall_h"], given["credit"]) == (2, 6.0, 12.0, 21_600.0)
    [month] = found["months"]
    assert (month["month"], month["given"]["events"]) == ("2025-11", 6)


async def test_benchmark_hours_are_told_where_a_benchmark_is_known(farm: Farm) -> None:
    assert all(not one["given"]["hs06_share"] for one in (await november(farm))["machines"])
    path = f"/hosts/{farm.hosts['n1']}/benchmark"
    for body, status in (
        ({"name": "hs06", "value": 40}, 204),
        ({"name": "hs07", "value": 40}, 400),
        ({"name": "hs06", "value": 0}, 400),
    ):
        assert (await farm.found.manage("PUT", path, body))[0] == status, body
    body = {"name": "hepscore23", "value": 1}
    assert (await farm.found.manage("PUT", "/hosts/999/benchmark", body))[0] == 404
    found = await november(farm)
    [n1, n2, _] = [one["given"] for one in found["machines"]]
    assert (n1["hs06_h"], n1["hs06_share"]) == (20.0, 1.0)  # 2 hours, 4 cores, 40 HS06
    assert (n2["hs06_h"], n2["hs06_share"]) == (0.0, 0.0)
    desy = next(one["given"] for one in found["accounts"] if one["name"] == "desy")
    assert (desy["hs06_h"], round(desy["hs06_share"], 3)) == (20.0, 0.333)
    await farm.browser.log_in("admin", WORD)
    shown = (await farm.browser.get("/sites/zeuthen/giving?month=2025-11")).text
    assert "of 33 % of the CPU" in shown
    assert "unknown" in shown


async def test_csv_has_a_line_for_each_machine_and_no_formulas(farm: Farm, tmp_path: Path) -> None:
    await farm.browser.log_in("admin", WORD)
    answer = await farm.browser.get("/sites/zeuthen/giving.csv?month=2025-11")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["machine"], row["cpu_hours"], row["hs06_hours"]) for row in rows] == [
        ("n1", "2.0", "unknown"), ("n2", "4.0", "unknown"), ("'=n3", "6.0", "unknown"),
    ]  # fmt: skip
    (tmp_path / "token").write_text(farm.found.admin)
    door = ("--server", farm.found.url, "--token-file", tmp_path / "token")
    command = ("site", "giving", "zeuthen", "--month", "2025-11")
    said = await asyncio.to_thread(run, *command, "--csv", *door)
    assert [line.split(",")[3:6] for line in said.out.splitlines()[1:3]] == [
        ["n1", "2", "2.0"], ["n2", "4", "4.0"],
    ]  # fmt: skip
    assert "'=n3" in said.out
    assert "2025-11 by account:" in (await asyncio.to_thread(run, *command, *door)).out
    said = await asyncio.to_thread(
        run, "host", "benchmark", str(farm.hosts["n2"]), "--hepscore23", "60", *door
    )
    assert said.out == f"host {farm.hosts['n2']} has 60 hepscore23\n"


async def test_a_site_is_told_to_operators_its_institutes_and_its_admins(farm: Farm) -> None:
    found = farm.found
    await found.manage("POST", "/accounts", {"name": "vera", "role": "volunteer"})
    for account, status in (("desy", 200), ("vera", 403)):
        token = await found.token(account, kind="api")
        answer = await found.answer("GET", "/api/v1/sites/zeuthen/giving", None, token["token"])
        assert answer.status == status, account
    token = await found.token("desy", kind="api")
    answer = await found.answer("GET", "/api/v1/sites/krakow/giving", None, token["token"])
    assert answer.status == 403
    assert (await found.manage("GET", "/sites/nowhere/giving"))[0] == 404
    assert (await found.manage("GET", "/sites/zeuthen/giving?month=Nov"))[0] == 400
