"""How each kind of fault is done to a world, and how what it hit gets going again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.chaoses import shim
from tools.chaoses.ledger import Ledger
from tools.chaoses.proxy import Spoil
from tools.chaoses.schedule import Fault
from tools.chaoses.world import Agent, Server, copy_tree, gone
from tools.demonstration.stage import StageFailed, end

HOUR_NS = 3600 * 10**9
PATIENCE_S = 4.0  # for a process to come to the call before which it is to die

Say = Callable[[str, str], None]
Deed = Callable[["Chaos", Fault], Awaitable[str | None]]


@dataclass(eq=False)
class Chaos:
    """A world under faults. ``counts`` has only faults that took effect."""

    server: Server
    agents: list[Agent]
    ledger: Ledger
    folder: Path
    production: str
    say: Say
    next_agent: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    backups: list[tuple[float, Path]] = field(default_factory=list)
    upgrades: int = 0

    def happened(self, kind: str, what: str) -> None:
        """Count a fault that took effect."""
        self.counts[kind] += 1
        self.say(kind, what)

    async def do(self, fault: Fault) -> None:
        """Do one fault to its victim, one at a time for each victim."""
        kind = fault.kind
        if kind.where == "line":
            self._spoil(fault)
            return
        lock = self.lock if kind.where == "server" else self.agents[fault.victim].lock
        async with lock:
            what = await DEEDS[kind.name](self, fault)
        if what is not None:
            self.happened(kind.name, what)

    def _spoil(self, fault: Fault) -> None:
        line = self.agents[fault.victim].line
        assert line is not None  # noqa: S101  agents under test have one
        if fault.kind.name == "away":
            seconds = 0.5 + 3 * fault.draw
            line.go_away(seconds)
            self.happened("away", f"{line.name} for {seconds:.1f} s")
        else:
            line.spoils.append(Spoil(fault.kind.name, fault.draw))

    async def server_back(self) -> None:
        """Start the server again, and hold it to what was acknowledged."""
        await self._start()
        await self.hold()

    async def _start(self) -> None:
        if self.server.control is not None:
            self.server.control.calm()
        await self.server.start()

    async def server_put_back(self, taken: float) -> str:
        """Start the server on the database of then; what it need not hold any more."""
        void, gone = self.ledger.forget_after(taken), 0
        await self._start()
        for agent in self.agents:
            assert agent.line is not None  # noqa: S101  agents under test have one
            gone += await asyncio.to_thread(self.ledger.forgive, agent.line, self._asker(agent))
        return f"{void} acknowledgements void, {gone} older events gone with their segments"

    async def hold(self, most: int = 40) -> None:
        """Ask the server for what it acknowledged; see `ledger`."""
        for agent in self.agents:
            assert agent.line is not None  # noqa: S101  agents under test have one
            lost = await asyncio.to_thread(self.ledger.hold, agent.line, self._asker(agent), most)
            if lost:
                self.say("LOST", f"{agent.name}: {lost} acknowledged events")

    def _asker(self, agent: Agent) -> Callable[[int], dict[str, object] | None]:
        token = agent.token

        def ask(task: int) -> dict[str, object] | None:
            for _ in range(20):
                try:
                    return self.server.get(f"tasks/{task}", token)
                except StageFailed as error:
                    if ": 404 " in str(error):
                        return None
                    time.sleep(0.3)
            raise StageFailed(f"the server does not tell of task {task}")

        return ask

    async def backup(self) -> None:
        """Make a backup, as an operator's timer would."""
        async with self.lock:
            begun, path = time.monotonic(), self.folder / f"backup-{len(self.backups)}.db"
            with contextlib.suppress(StageFailed):
                await asyncio.to_thread(self.server.command, "db", "backup", path)
                self.backups.append((begun, path))

    async def doom(self, thing: Server | Agent, fault: Fault, mode: int) -> str | None:
        """Arm the shim of a process and wait until it is dead; None if it was not alive."""
        control, process = thing.control, thing.process
        if control is None or process is None or process.poll() is not None:
            return None
        calls = 1 + int(fault.draw * 60)
        control.arm(calls, mode, seed=fault.mode)
        if not await gone(process, PATIENCE_S):
            control.put("countdown", 1)
            if not await gone(process, PATIENCE_S):
                control.calm()
                return None
        if not control.died:
            return None
        undone = f", {control.get('undone')} undone" if mode else ""
        return f"before call {calls}{undone}"


async def kill_server(chaos: Chaos, fault: Fault) -> str | None:
    """SIGKILL at any moment."""
    process = chaos.server.process
    assert process is not None  # noqa: S101  it was started
    process.kill()
    await gone(process, 10)
    await chaos.server_back()
    return "and started again"


async def crash_server(chaos: Chaos, fault: Fault) -> str | None:
    """Death between two system calls, or with the loss of what was not synced."""
    power = fault.kind.name.startswith("power")
    mode = (shim.POWER, shim.POWER_SOME)[fault.mode % 2] if power else shim.KILL
    told = await chaos.doom(chaos.server, fault, mode)
    if not chaos.server.alive:
        await chaos.server_back()
    return told


async def full_server(chaos: Chaos, fault: Fault) -> str | None:
    """No space for a while; counted if something was refused."""
    return await _full(chaos.server, fault)


async def _full(thing: Server | Agent, fault: Fault) -> str | None:
    control = thing.control
    if control is None or not thing.alive:
        return None
    before, seconds = control.get("refused"), 1 + 3 * fault.draw
    control.put("full", 1)
    await asyncio.sleep(seconds)
    control.put("full", 0)
    refused = control.get("refused") - before
    return f"{seconds:.1f} s, {refused} writes refused" if refused else None


async def locked(chaos: Chaos, fault: Fault) -> str | None:
    """Another process holds the database's lock, for longer than the server waits at times."""
    seconds = 1 + 6 * fault.draw
    holder = await asyncio.create_subprocess_exec(
        *chaos.server.database.holder(seconds), stdout=subprocess.PIPE
    )
    assert holder.stdout is not None  # noqa: S101  it is a pipe
    held = await holder.stdout.readline()
    await holder.wait()
    return f"{seconds:.1f} s" if held else None


async def kill_database(chaos: Chaos, fault: Fault) -> str | None:
    """PostgreSQL dies under the server, which goes on."""
    crashed = await asyncio.to_thread(chaos.server.database.crash)
    return "and started again" if crashed else None


async def clock(chaos: Chaos, fault: Fault) -> str | None:
    """The wall clock jumps and stays so; a later jump may bring it back."""
    on_server = fault.kind.where == "server"
    control = chaos.server.control if on_server else chaos.agents[fault.victim].control
    if control is None:
        return None
    hours = 0.0 if fault.mode % 3 == 0 and control.get("offset_ns") else 12 * (fault.draw - 0.5)
    control.put("offset_ns", int(hours * HOUR_NS))
    return f"to {hours:+.1f} h"


async def restore(chaos: Chaos, fault: Fault) -> str | None:
    """Kill the server, put the database back to a backup, start it again."""
    if not chaos.backups:
        return None
    taken, path = chaos.backups[int(fault.draw * len(chaos.backups))]
    server = chaos.server
    assert server.process is not None  # noqa: S101  it was started
    server.process.kill()
    await gone(server.process, 10)
    await asyncio.to_thread(server.database.put_back, path, server.command)
    # Younger backups tell of a future that did not come: their task ids are not ours.
    chaos.backups = [backup for backup in chaos.backups if backup[0] <= taken]
    told = await chaos.server_put_back(taken)
    return f"{time.monotonic() - taken:.0f} s back, {told}"


async def upgrade_server(chaos: Chaos, fault: Fault) -> str | None:
    """SIGTERM; the next release, which brings one migration more; db upgrade; start.

    In one case of two the upgrade is killed first, and done again.
    """
    server = chaos.server
    target = chaos.folder / f"release-{chaos.upgrades + 1}"
    tree = await asyncio.to_thread(copy_tree, target)
    migrations = sorted((server.tree / "server" / "db" / "migrations").glob("*.sql"))
    folder = tree / "server" / "db" / "migrations"
    for path in migrations:
        shutil.copy(path, folder)
    number = len(migrations) + 1
    (folder / f"{number:04}_next_release.sql").write_text(
        f"-- The next release: a table, an index, and a column.\n-- oldest: {number}\n\n"
        f"CREATE TABLE chaos_{number} (id {{id}}, note TEXT NOT NULL);\n"
        f"CREATE INDEX chaos_{number}_notes ON chaos_{number} (note);\n"
        f"ALTER TABLE hosts ADD COLUMN chaos_{number} TEXT NOT NULL DEFAULT '';\n"
    )
    await server.stop()
    server.tree, chaos.upgrades = tree, chaos.upgrades + 1
    killed = fault.mode % 2 == 0 and await asyncio.to_thread(_kill_upgrade, chaos, fault)
    done = await asyncio.to_thread(server.command, "db", "upgrade")
    await chaos.server_back()
    how = ", the first try killed" if killed else ""
    return f"to schema {number}{how}" if done["applied"] or killed else None


def _kill_upgrade(chaos: Chaos, fault: Fault) -> bool:
    control, preload = chaos.server.control, chaos.server.shim
    if control is None or preload is None:
        return False
    control.arm(1 + int(fault.draw * 30), shim.POWER, fault.mode)
    with contextlib.suppress(StageFailed, ValueError):
        chaos.server.command("db", "upgrade", extra=control.environment(preload))
    died: bool = control.died
    control.calm()
    return died


async def kill_agent(chaos: Chaos, fault: Fault) -> str | None:
    """SIGKILL of the agent and all below it."""
    agent = chaos.agents[fault.victim]
    if not agent.alive:
        return None
    agent.kill()
    return await _agent_back(agent, fault, "")


async def _agent_back(agent: Agent, fault: Fault, told: str) -> str:
    agent.kill()  # what an agent leaves when it dies goes with its machine
    await asyncio.sleep(fault.draw)
    agent.start()
    return f"{agent.name} {told}".strip()


async def crash_agent(chaos: Chaos, fault: Fault) -> str | None:
    """Death between two system calls, or with the loss of what was not synced."""
    agent = chaos.agents[fault.victim]
    power = fault.kind.name.startswith("power")
    mode = (shim.POWER, shim.POWER_SOME)[fault.mode % 2] if power else shim.KILL
    told = await chaos.doom(agent, fault, mode)
    if not agent.alive:
        await _agent_back(agent, fault, "")
    return None if told is None else f"{agent.name} {told}"


async def kill_payload(chaos: Chaos, fault: Fault) -> str | None:
    """SIGKILL of the payload alone."""
    agent = chaos.agents[fault.victim]
    found = agent.payloads()
    if not found:
        return None
    try:
        os.kill(found[int(fault.draw * len(found))], signal.SIGKILL)
    except ProcessLookupError:
        return None
    return agent.name


async def full_agent(chaos: Chaos, fault: Fault) -> str | None:
    """No space for a while; counted if something was refused."""
    agent = chaos.agents[fault.victim]
    told = await _full(agent, fault)
    if not agent.alive:
        await _agent_back(agent, fault, "")
    return None if told is None else f"{agent.name} {told}"


async def clone(chaos: Chaos, fault: Fault) -> str | None:
    """A copy of the state folder, as of a virtual machine's image, runs beside the first."""
    agent = chaos.agents[fault.victim]
    copy = chaos.folder / f"{agent.name}-clone"
    shutil.rmtree(copy, ignore_errors=True)
    with contextlib.suppress(shutil.Error, OSError):
        await asyncio.to_thread(
            shutil.copytree, agent.state, copy, symlinks=True, ignore=shutil.ignore_patterns("work")
        )
    if not (copy / "identity.json").exists():
        return None
    twin = agent.launch(copy)
    seconds = 4 + 6 * fault.draw
    ended = await gone(twin, seconds)
    code = twin.poll()
    if not ended:
        end(twin)
    told = f"the copy ended with {code}" if ended else "both ran"
    if agent.process is not None and not agent.alive:
        told = f"the first was told to go, and ended with {agent.process.returncode}"
        await _agent_back(agent, fault, "")
    return f"{agent.name}, {told}"


async def upgrade_agent(chaos: Chaos, fault: Fault) -> str | None:
    """SIGTERM, then the next release of the agent on the same state folder."""
    agent = chaos.agents[fault.victim]
    if agent.process is None or not agent.alive:
        return None
    agent.process.terminate()
    if not await gone(agent.process, 15):
        agent.kill()
        agent.start()
        raise StageFailed(f"{agent.name} did not end on SIGTERM")
    code = agent.process.returncode
    agent.program = chaos.next_agent
    agent.start()
    return f"{agent.name}, ended with code {code}"


DEEDS: dict[str, Deed] = {
    "kill-server": kill_server,
    "crash-server": crash_server,
    "power-server": crash_server,
    "full-server": full_server,
    "locked": locked,
    "kill-database": kill_database,
    "clock-server": clock,
    "restore": restore,
    "upgrade-server": upgrade_server,
    "kill-agent": kill_agent,
    "crash-agent": crash_agent,
    "power-agent": crash_agent,
    "kill-payload": kill_payload,
    "full-agent": full_agent,
    "clock-agent": clock,
    "clone": clone,
    "upgrade-agent": upgrade_agent,
}
