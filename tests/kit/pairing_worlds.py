"""Worlds in which a machine is paired: a fake server, and the real one with its owner's API."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeVar

from server.services.desk import Chosen, Rendering
from tests.kit.fake_server import FakeServer
from tests.kit.house import House, house
from tests.kit.payload_scripts import GOOD
from tests.kit.vm import Owner, owner
from vmagent.wire.pairing import MachineContext, MachineLimits

T = TypeVar("T")
CONTEXT = "22b13425ef7244c4b7de60dbbca64728"
USER_DATA = "[amiconfig]\nplugins=cernvm\n[windfall-agent]\ncpu-percent=90\n"
PATIENCE_S = 60.0


class World(Protocol):
    """What the owner does, and what he sees. ``begin`` answers with a PIN."""

    url: str

    def begin(self, context: bool = False) -> str:
        """A PIN; with a context or without."""

    def confirm(self, words: str) -> None:
        """Agree to the machine that shows these words."""

    def seen(self) -> bool:
        """Whether the owner sees a machine."""

    def reject(self) -> None:
        """None of the machines is mine."""

    def type_code(self, code: str) -> None:
        """Type a machine's code."""

    def hosts(self) -> int:
        """How many hosts were made by pairing."""

    def finished(self) -> bool:
        """Whether all events of the production are there."""

    def limit(self, cores: int) -> None:
        """Allow so many cores."""

    def recontextualize(self) -> None:
        """Give the machine its context anew."""

    def outcome(self) -> str:
        """What became of the context, as the owner sees it."""

    def unmanage(self) -> None:
        """Take the machine away."""

    def close(self) -> None:
        """The end."""


class Fake:
    """The fake server."""

    def __init__(self, _: Path) -> None:
        self.server = FakeServer(GOOD, events=40).start()
        self.url, self._desk = self.server.url, self.server.desk

    def begin(self, context: bool = False) -> str:
        """A PIN."""
        if context:
            self._desk.context = MachineContext(CONTEXT, 3, "Batch", USER_DATA)
        self._desk.pins.add("859116")
        return "859116"

    def confirm(self, words: str) -> None:
        """Agree."""
        self.server.wait_for(lambda: bool(self._desk.claims()))
        self._desk.confirm()

    def seen(self) -> bool:
        """Whether a machine said the PIN."""
        return bool(self._desk.claims())

    def reject(self) -> None:
        """Refuse."""
        self._desk.reject()

    def type_code(self, code: str) -> None:
        """The only code there is."""
        assert code == "BCDF-GHJK"

    def hosts(self) -> int:
        """Hosts made."""
        return len(self._desk.hosts())

    def finished(self) -> bool:
        """Whether all events are there."""
        return self.server.complete()

    def limit(self, cores: int) -> None:
        """Allow so many cores."""
        self._desk.limits = MachineLimits(cores)
        self.server.command("limits")

    def recontextualize(self) -> None:
        """Give it its context anew."""
        self._desk.reports.clear()
        self.server.command("recontextualize")

    def outcome(self) -> str:
        """What the machine said last."""
        return self._desk.reports[-1].outcome if self._desk.reports else ""

    def unmanage(self) -> None:
        """Take it away."""
        with self.server.changed:
            self.server.unmanaged = True
            self.server.changed.notify_all()

    def close(self) -> None:
        """The end."""
        self.server.shutdown()
        self.server.server_close()


class Shelf:
    """One context for everybody."""

    async def choose(self, account: int, context: str, revision: int) -> Chosen:
        """It."""
        return Chosen(context, revision or 3, "Batch")

    async def render(self, context: str, revision: int, host: int) -> Rendering:
        """It."""
        return Rendering(context, revision, "Batch", USER_DATA)

    async def names(self, wanted: Any) -> dict[str, str]:
        """Its name."""
        return dict.fromkeys(wanted, "Batch")

    async def offered(self, account: int) -> list[Chosen]:
        """It."""
        return [Chosen(CONTEXT, 3, "Batch")]


class Real:
    """The server itself, in a thread of its own; its owner uses the API."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._made = house(folder / "server")
        self._house: House = self._do(self._made.__aenter__())
        self._house.deps.desk.contexts = Shelf()
        self.url = self._house.url
        text = self._house.definition(events=40, unit=40, quorum=1, reference=2)
        script = GOOD.replace("of %d;", "of %d\\n").encode()
        self._do(self._house.produce(text, script))
        self._owner: Owner = self._do(owner(self._house, "ann"))
        self._handle = ""

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        found = self._do(self._owner.ask(method, path, body))
        assert found.status < 300, (path, found)
        return found.body

    def _machine(self) -> dict[str, Any]:
        (found,) = self._ask("GET", "/machines")["machines"]
        return dict(found)

    def begin(self, context: bool = False) -> str:
        """A PIN."""
        made = self._do(self._owner.begin(**({"context_id": CONTEXT} if context else {})))
        self._handle = made["id"]
        return str(made["pin"])

    def confirm(self, words: str) -> None:
        """Agree to the machine with these words."""

        async def agree() -> None:
            async def seen() -> bool:
                return bool((await self._owner.look(self._handle))["machines"])

            await self._house.until(seen)
            assert (await self._owner.confirm(self._handle, words)).status == 200

        self._do(agree())

    def seen(self) -> bool:
        """Whether a machine said the PIN."""
        return bool(self._do(self._owner.look(self._handle))["machines"])

    def reject(self) -> None:
        """Refuse."""
        self._ask("POST", f"/pairings/{self._handle}/reject")

    def type_code(self, code: str) -> None:
        """Type a code."""
        self._handle = self._ask("POST", "/pairings/code", {"code": code})["id"]

    def hosts(self) -> int:
        """Hosts in the database."""
        ((count,),) = self._do(self._house.rows("select count(*) from hosts"))
        return int(count)

    def finished(self) -> bool:
        """Whether all events are there."""
        return bool(self._machine()["events_done"] == 40)

    def limit(self, cores: int) -> None:
        """Allow so many cores."""
        wanted = {"cores": cores, "memory_mb": 0, "hours": "", "network": True}
        self._ask("PUT", f"/machines/{self._machine()['id']}/limits", wanted)

    def recontextualize(self) -> None:
        """Give it its context anew."""
        self._ask("POST", f"/machines/{self._machine()['id']}/recontextualize", {})

    def outcome(self) -> str:
        """What its owner sees."""
        return str(self._machine()["context_state"])

    def unmanage(self) -> None:
        """Take it away."""
        self._ask("POST", f"/machines/{self._machine()['id']}/unmanage")

    def close(self) -> None:
        """The end."""
        self._do(self._made.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()
