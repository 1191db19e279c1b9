"""A host changes its token: two are good until the new one is kept, and never none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.services import retoken
from tests.kit.house import House, house
from vmagent import calls, chores, clock, link, trust
from vmagent.home import Home, Identity

ONE = "/api/v1/machines/self/token"


async def good(found: House, token: str) -> int:
    """What the server says to a question with this token."""
    return int((await found.call("GET", "/api/v1/commands?wait=0", None, token))[0])


async def test_a_host_takes_a_new_token_and_the_old_one_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        _, told = await found.call("POST", ONE, None, ada.token)
        assert [await good(found, token) for token in (ada.token, told["token"])] == [200, 200]
        assert (await found.call("PUT", ONE, None, ada.token))[0] == 204, "that says nothing new"
    async with house(tmp_path) as found:
        assert [await good(found, token) for token in (ada.token, told["token"])] == [200, 200]
        assert (await found.call("PUT", ONE, None, told["token"]))[0] == 204
        assert (await found.call("PUT", ONE, None, told["token"]))[0] == 204
        assert [await good(found, token) for token in (ada.token, told["token"])] == [200, 200]
        registry = found.deps.registry
        registry.retired.update(dict.fromkeys(registry.retired, 0.0))
        await retoken.forget(found.deps)
        status, said, *_ = await found.call("GET", "/api/v1/commands?wait=0", None, ada.token)
        assert (status, said["code"]) == (401, "token-revoked")
        assert await good(found, told["token"]) == 200
    async with house(tmp_path) as found:
        assert [await good(found, token) for token in (ada.token, told["token"])] == [401, 200]
        await found.manage("POST", f"/hosts/{ada.id}/revoke")
        assert await good(found, told["token"]) == 401


async def test_of_two_that_were_fetched_only_the_one_in_use_stays_good(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        lost, kept = [
            (await found.call("POST", ONE, None, ada.token))[1]["token"] for _ in range(2)
        ]
        assert [await good(found, token) for token in (lost, kept)] == [401, 200]
        _, told = await found.call("POST", ONE, None, kept)  # killed before it could say so
        assert [await good(found, token) for token in (kept, told["token"])] == [200, 200]


async def test_killed_at_any_step_it_has_a_token_that_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """By kill -9."""

    def die(*_: object) -> None:
        raise Killed

    async with house(tmp_path / "server") as found:
        ada = await found.join("ada")
        home = Home(tmp_path / "state")
        home.prepare()
        home.join(Identity(found.url, ada.id, ada.token, "ada", "ada"), trust.Pins("", ()))

        def change() -> str:
            identity = home.identity()
            line = link.Link(identity.server, identity.token)
            server = calls.Server(line, clock.ServerClock())
            made: Any = chores.Chores(home, server, "no", lambda _: None)
            try:
                made._do(chores.TOKEN, True)
            except Killed:
                pass
            finally:
                line.close()
            return home.identity().token

        seen = [ada.token]
        for owner, step in ((Home, "renew"), (link.Link, "use"), (calls.Server, "token_kept")):
            with monkeypatch.context() as patch:
                patch.setattr(owner, step, die)
                seen.append(await asyncio.to_thread(change))
            assert await good(found, seen[-1]) == 200, step
        seen.append(await asyncio.to_thread(change))
        assert await good(found, seen[-1]) == 200
        assert len(set(seen)) == 4, "once it died before it kept any"
        assert not found.deps.registry.hosts[ada.id].next_hash
