"""Machines of a cluster find each other, asked for as stock CernVM 4 asks while it boots."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from server.services import clusters
from tests.kit.command_line import Said, run
from tests.kit.house import House, house


async def curl(*args: str, data: str = "") -> str:
    """What curl prints, called as the boot scripts call it."""
    process = await asyncio.create_subprocess_exec(
        "curl", *args, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(data.encode())
    return out.decode()


async def push(house: House, pin: str, key: str, value: str, base: str = "/api/v1") -> str:
    """The head's request of scripts.d/08clustercontext; the status alone is looked at."""
    header = ("-H", "Content-Type:application/json", "-d", "@-")
    where = f"{house.url}{base}/clusters/{pin}/keys"
    status = ("-s", "-o", "/dev/null", "-w", "%{http_code}", "-XPOST")
    said = f'{{ "key": "{key}", "value": "{value}" }}\n'
    return await curl(*status, *header, where, data=said)


async def poll(house: House, pin: str, key: str, base: str = "/api/v1") -> tuple[str, str]:
    """The others' request: text, an empty line, the status; taken apart by head and tail."""
    where = f"{house.url}{base}/clusters/{pin}/keys/{key}"
    said = await curl("-s", "-w", "\n\n%{http_code}", "-XGET", "-H", "Accept:text/plain", where)
    lines = said.split("\n")
    return lines[-1], "\n".join(lines[:-2])


async def board(house: House, account: str = "anna", query: str = "") -> dict[str, Any]:
    """A new board of somebody."""
    token = await house.token(account, kind="api")
    status, made = await house.call("POST", f"/api/v1/clusters{query}", None, token["token"])
    assert status == 201, made
    assert isinstance(made, dict)
    return {**made, "token": token["token"]}


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
async def test_a_stock_head_and_worker_find_each_other(found: House, base: str) -> None:
    pin = (await board(found))["pin"]
    assert re.fullmatch("[a-z0-9]{12}", pin)
    assert (await poll(found, pin, "master_ready", base))[0] == "404"
    assert await push(found, pin, "master_ip", "10.0.2.15", base) == "201"
    assert (await poll(found, pin, "master_ready", base))[0] == "404"
    assert await push(found, pin, "master_ready", "yes", base) == "201"
    assert await poll(found, pin, "master_ready", base) == ("200", "master_ready: yes")
    status, text = await poll(found, pin, "master_ip", base)
    sed = await asyncio.create_subprocess_exec(
        "sed", f"s/###MASTER_IP_PLACEHOLDER###/{text.replace('master_ip: ', '')}/g",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await sed.communicate(b"my_master_ip=###MASTER_IP_PLACEHOLDER###\n")
    assert (status, out) == ("200", b"my_master_ip=10.0.2.15\n")


async def test_values_are_text_by_default_and_json_for_who_asks(found: House) -> None:
    pin = (await board(found))["pin"]
    await push(found, pin, "master_ip", "10.0.2.15")
    where = f"{found.url}/api/v1/clusters/{pin}/keys"
    assert await curl("-s", f"{where}/master_ip") == "master_ip: 10.0.2.15"
    wants = ("-s", "-H", "Accept: application/json")
    entry = {"key": "master_ip", "value": "10.0.2.15"}
    assert json.loads(await curl(*wants, f"{where}/master_ip")) == entry
    assert json.loads(await curl("-s", where)) == [entry]
    assert "text/plain" in await curl("-s", "-i", f"{where}/master_ip")


async def test_a_key_is_made_once_changed_and_taken_away(found: House) -> None:
    made = await board(found)
    keys = f"/api/v1/clusters/{made['pin']}/keys"
    assert await push(found, made["pin"], "slots", "8") == "201"
    assert await push(found, made["pin"], "slots", "9") == "409"
    put = await found.call("PUT", f"{keys}/slots", b'{"key": "slots", "value": "9"}', "")
    assert put == (200, b"slots: 9")
    assert (await found.call("PATCH", f"{keys}/slots", b'{"value": "10"}', ""))[0] == 200
    assert (await found.call("PUT", f"{keys}/slots", b'{"key": "x", "value": "9"}', ""))[0] == 400
    assert (await found.call("PUT", f"{keys}/other", b'{"value": "9"}', ""))[0] == 404
    assert (await found.call("DELETE", f"{keys}/slots", None, ""))[0] == 204
    assert (await found.call("DELETE", f"{keys}/slots", None, ""))[0] == 404
    place = f"/api/v1/clusters/{made['pin']}"
    status, info = await found.call("GET", place, None, "")
    assert (status, info["pin"], info["creation_time"][-1]) == (200, made["pin"], "Z")
    assert (await found.call("DELETE", place, None, ""))[0] == 204
    assert (await found.call("GET", place, None, ""))[0] == 404


async def test_only_signed_in_people_make_boards_and_each_sees_his_own(found: House) -> None:
    made = await board(found, "anna", "?length=24&note=summer%20school")
    assert len(made["pin"]) == 24
    assert (await found.call("POST", "/api/v1/clusters", None, ""))[0] == 401
    assert (await found.call("GET", "/api/v1/clusters", None, ""))[0] == 401
    status, mine = await found.call("GET", "/api/v1/clusters", None, made["token"])
    assert [(each["pin"], each["note"]) for each in mine["clusters"]] == [
        (made["pin"], "summer school")
    ]
    ben = await found.token("ben", kind="api")
    status, theirs = await found.call("GET", "/api/v1/clusters", None, ben["token"])
    assert (status, theirs["clusters"]) == (200, [])
    for length in (11, 65):
        path = f"/api/v1/clusters?length={length}"
        assert (await found.call("POST", path, None, made["token"]))[0] == 400


async def test_an_address_that_tries_pins_is_stopped_and_a_late_machine_is_not(
    found: House,
) -> None:
    pin = (await board(found))["pin"]
    await push(found, pin, "master_ip", "10.0.2.15")
    for number in range(clusters.WRONG_MOST):
        path = f"/api/v1/clusters/{number:012}/keys/master_ip"
        assert (await found.call("GET", path, None, ""))[0] == 404
    late = f"/api/v1/clusters/{0:012}/keys/master_ip"
    assert (await found.call("GET", late, None, ""))[0] == 404
    other = f"/api/v1/clusters/{99:012}/keys/master_ip"
    answer = await found.answer("GET", other, None, "")
    assert (answer.status, answer.code) == (429, "too-many")
    assert int(answer.headers["Retry-After"]) > 0
    right = f"/api/v1/clusters/{pin}/keys/master_ip"
    assert (await found.call("GET", right, None, ""))[0] == 429


async def test_the_addresses_of_one_ipv6_network_try_pins_together(tmp_path: Path) -> None:
    proxied = {"server.behind_proxy": "true", "server.proxies": "127.0.0.1"}
    async with house(tmp_path, **proxied) as made:

        async def tried(number: int, network: int = 1) -> int:
            headers = {"X-Forwarded-For": f"2001:db8:0:{network}::{number + 1:x}"}
            path = f"/api/v1/clusters/{number:012}/keys/master_ip"
            return (await made.answer("GET", path, headers=headers)).status

        assert [await tried(number) for number in range(clusters.WRONG_MOST)] == (
            [404] * clusters.WRONG_MOST
        )
        assert await tried(clusters.WRONG_MOST) == 429
        assert await tried(clusters.WRONG_MOST, network=2) == 404


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("master_ip", "x/e;touch /tmp/owned;s/x"),
        ("master_ip", "10.0.0.1 "),
        ("master_ip", "&"),
        ("other", "two\nlines"),
        ("other", "\x1b[2J"),
        ("../keys", "x"),
        ("", "x"),
        ("k" * 101, "x"),
        ("other", "v" * 1001),
    ],
)
async def test_a_value_that_boot_scripts_could_run_or_nobody_can_hold_is_refused(
    found: House, key: str, value: str
) -> None:
    path = f"/api/v1/clusters/{(await board(found))['pin']}/keys"
    body = json.dumps({"key": key, "value": value}).encode()
    assert (await found.call("POST", path, body, ""))[0] == 400
    assert (await found.call("GET", path, None, ""))[1] == []


async def test_a_board_holds_so_many_keys_and_an_account_so_many_boards(
    found: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "KEYS_MOST", 3)
    monkeypatch.setattr(clusters, "BOARDS_MOST", 2)
    made = await board(found)
    said = [await push(found, made["pin"], f"key{n}", "x") for n in range(4)]
    assert said == ["201", "201", "201", "400"]
    calls = [await found.call("POST", "/api/v1/clusters", None, made["token"]) for _ in range(2)]
    assert [status for status, _ in calls] == [201, 400]


async def test_boards_are_made_and_read_on_the_command_line(found: House, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text((await found.token("anna", kind="api"))["token"])
    door = ("--server", found.url, "--token-file", token)

    async def say(*args: str) -> Said:
        return await asyncio.to_thread(run, "cluster", *args, *door)

    made = await say("create", "--note", "summer school", "--length", "20")
    pin = made.out.strip()
    assert len(pin) == 20
    await push(found, pin, "master_ip", "10.0.2.15")
    assert "10.0.2.15" in (await say("show", pin)).out
    assert [each["note"] for each in (await say("list", "--json")).json()] == ["summer school"]
    assert (await say("remove", pin)).code == 0
    assert (await say("show", pin)).code == 6
    assert (await say("list", "--json")).json() == []


async def test_pins_stand_nowhere_in_the_database(found: House) -> None:
    made = await board(found)
    await push(found, made["pin"], "master_ip", "10.0.2.15")
    data = found.settings.data
    raw = b"".join(path.read_bytes() for path in data.glob("windfall.db*"))
    assert b"10.0.2.15" in raw
    assert made["pin"].encode() not in raw
