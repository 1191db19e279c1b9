"""A host changes its token: two are good until the new one is kept, and never none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.services import retoken
from tests.kit.house import House, house
from vmagent import calls, chores, clock, errors, link, trust
from vmagent.home import Home, Identity

ONE = "/api/v1/machines/self/token"


async def told(found: House, host: int) -> None:
    """The administrator has the host take another token."""
    status, _ = await found.manage("POST", f"/hosts/{host}/commands", {"name": "new-token"})
    assert status == 201


async def good(found: House, token: str) -> int:
    """What the server says to a question with this token."""
    return int((await found.call("GET", "/api/v1/commands?wait=0", None, token))[0])


async def test_a_host_takes_a_new_token_and_the_old_one_ends(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        status, said = await found.call("POST", ONE, None, ada.token)
        assert (status, said["code"]) == (409, "not-commanded")
        await told(found, ada.id)
        new = (await found.call("POST", ONE, None, ada.token))[1]["token"]
        assert [await good(found, token) for token in (ada.token, new)] == [200, 200]
        assert (await found.call("PUT", ONE, None, ada.token))[0] == 204, "that says nothing new"
    async with house(tmp_path) as found:
        assert [await good(found, token) for token in (ada.token, new)] == [200, 200]
        assert (await found.call("PUT", ONE, None, new))[0] == 204
        assert (await found.call("PUT", ONE, None, new))[0] == 204
        assert [await good(found, token) for token in (ada.token, new)] == [200, 200]
        registry = found.deps.registry
        registry.retired.update(dict.fromkeys(registry.retired, 0.0))
        await retoken.forget(found.deps)
        status, said, *_ = await found.call("GET", "/api/v1/commands?wait=0", None, ada.token)
        assert (status, said["code"]) == (401, "token-revoked")
        assert await good(found, new) == 200
    async with house(tmp_path) as found:
        assert [await good(found, token) for token in (ada.token, new)] == [401, 200]
        await found.manage("POST", f"/hosts/{ada.id}/revoke")
        assert await good(found, new) == 401


async def test_a_host_that_says_twice_at_once_that_it_kept_a_token_keeps_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        await told(found, ada.id)
        new = (await found.call("POST", ONE, None, ada.token))[1]["token"]
        card, registry = found.deps.registry.hosts[ada.id], found.deps.registry
        used = card.next_hash
        await asyncio.gather(*(retoken.take(found.deps, card, used) for _ in range(2)))
        registry.retired.update(dict.fromkeys(registry.retired, 0.0))
        await retoken.forget(found.deps)
        assert [await good(found, token) for token in (ada.token, new)] == [401, 200]
        assert card.hash == used


async def test_of_two_that_were_fetched_only_the_one_in_use_stays_good(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        ada = await found.join("ada")
        await told(found, ada.id)
        lost, kept = [
            (await found.call("POST", ONE, None, ada.token))[1]["token"] for _ in range(2)
        ]
        assert [await good(found, token) for token in (lost, kept)] == [401, 200]
        status, _ = await found.call("POST", ONE, None, kept)  # killed before it could say so
        assert (status, await good(found, kept)) == (409, 200)
        assert not found.deps.registry.hosts[ada.id].next_hash


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
            except (Killed, errors.RequestRefused):
                pass
            finally:
                line.close()
            return home.identity().token

        for owner, step in ((Home, "renew"), (link.Link, "use"), (calls.Server, "token_kept")):
            before = home.identity().token
            await told(found, ada.id)
            with monkeypatch.context() as patch:
                patch.setattr(owner, step, die)
                left = await asyncio.to_thread(change)
            assert await good(found, left) == 200, step
            after = await asyncio.to_thread(change)  # what is owed is done at the next start
            assert after != before, step
            assert await good(found, after) == 200, step
            assert not found.deps.registry.hosts[ada.id].next_hash, step
