"""Pairing from the command line of a volunteer, as programs do it; the whole story: tests/e2e."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.kit.command_line import Said, run
from tests.kit.house import House
from tests.kit.vm import Owner, Vm


async def typed(person: Owner, folder: Path, *args: str, answers: str | None = None) -> Said:
    """A command of somebody with a token of their own."""
    token = folder / "ada.token"
    token.write_text(person.token)
    token.chmod(0o600)
    environ = {"WINDFALL_SERVER": person.house.url, "WINDFALL_TOKEN_FILE": str(token)}
    return await asyncio.to_thread(run, *args, environ=environ, answers=answers)


async def test_programs_pair_by_code_without_being_asked(
    found: House, ada: Owner, tmp_path: Path
) -> None:
    vm = Vm(found)
    await vm.show_code()
    made = (await typed(ada, tmp_path, "pair", "code", vm.code, "--json")).json()
    wrong = await typed(ada, tmp_path, "pair", "confirm", made["id"], "other words here", "--json")
    assert wrong.code != 0
    assert await vm.status() == "pending"
    said = await typed(ada, tmp_path, "pair", "confirm", made["id"], vm.words, "--json")
    assert said.json()["state"] == "confirmed"
    await vm.in_hand()
    token = (await typed(ada, tmp_path, "machine", "token", "--json")).json()
    assert (await found.enrol(token["token"], "node"))[0] == 201
    rows = (await typed(ada, tmp_path, "machine", "tokens", "--json")).json()
    assert [row["state"] for row in rows] == ["used up"]


async def test_a_no_on_the_terminal_confirms_nothing(
    found: House, ada: Owner, tmp_path: Path
) -> None:
    vm = Vm(found)
    await vm.show_code()
    story = asyncio.create_task(typed(ada, tmp_path, "pair", "code", vm.code, answers="n\n"))

    async def mine() -> Any:
        return (await ada.ask("GET", "/pairings")).body["pairings"]

    [made] = await found.until(mine)
    await ada.ask("DELETE", f"/pairings/{made['id']}")
    said = await story
    assert said.code != 0
    assert (await vm.collect()).status == 410
