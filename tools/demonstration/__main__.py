"""Runs the demonstration; exit status 0 only if every check held."""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tools import plots
from tools.arguments import Parser, count, whole
from tools.demonstration import report
from tools.demonstration.play import Play
from tools.demonstration.stage import ROOT, Machine, Stage, StageFailed, patiently, windfall

LEAST_EVENTS = {"pythia8": 8_000, "zpole": 100_000}  # less is over before it can be disturbed
LIMIT_S = 1800.0
NAMES = ("alma", "bela", "chiara", "mallory")


def main() -> int:
    """The whole play."""
    options = _options()
    console = Console(stderr=options.json)
    stage = Stage(options.output.absolute())
    begun = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        result = _perform(stage, options, console, begun)
        if options.json:
            print(json.dumps(result.as_json()))
        if options.keep:
            console.print(f"\nThe server stays at {stage.url}; Ctrl-C ends it. To log in as admin:")
            console.print(_to_log_in(stage), soft_wrap=True, highlight=False)
            _until_interrupted()
    except StageFailed as error:
        console.print(f"[bold red]the demonstration stopped:[/] {error}")
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    finally:
        stage.close()
    return 1 if result.faults else 0


def _to_log_in(stage: Stage) -> str:
    """The command that gives the administrator a password."""
    command = Path(sys.executable).with_name("windfall")
    token = stage.data / "admin.token"
    return f"{command} account password admin --server {stage.url} --token-file {token}"


def _options() -> argparse.Namespace:
    parser = Parser("tools/demo", description=__doc__)
    parser.add_argument("--events", type=count, help="events to make (50,000; zpole 200,000)")
    parser.add_argument("--agents", type=whole, default=4, help="machines, one a cheat (4)")
    parser.add_argument("--seed", type=whole, default=0, help="seed of the production (0)")
    parser.add_argument("--payload", choices=("pythia8", "zpole"), help="pythia8 where it runs")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="its folder")
    parser.add_argument("--keep", action="store_true", help="let the server run on at the end")
    parser.add_argument("--json", action="store_true", help="one line of JSON at the end")
    options = parser.parse_args()
    options.asked = options.payload is not None
    if options.payload is None:
        options.payload = "pythia8" if importlib.util.find_spec("pythia8mc") else "zpole"
    if options.events is None:
        options.events = 50_000 if options.payload == "pythia8" else 200_000
    least = LEAST_EVENTS[options.payload]
    if options.events < least:
        parser.error(f"--events: at least {least} of {options.payload}, to have time to disturb it")
    if options.agents < len(NAMES):
        parser.error("--agents: at least 4: two honest ones, one to evict, and a cheat")
    return options


def _perform(
    stage: Stage, options: argparse.Namespace, console: Console, begun: float
) -> report.Result:
    if options.payload == "zpole" and not options.asked:
        console.print("Pythia's wheel does not exist for this machine: zpole makes the events.")
    console.print(f"[bold]Windfall[/]: {options.events:,} events, {options.agents} machines")
    stage.prepare()
    stage.start_server()
    console.print(f"server   {stage.url}  (open it in a browser)")
    name = _produce(stage, options, console)
    machines = _machines(stage, options)
    for machine in machines:
        machine.start()
    play = Play(stage, name, random.Random(), console.print)
    view = _watch(play, machines, options.events, console)
    return _conclude(play, machines, view, options, console, begun)


def _produce(stage: Stage, options: argparse.Namespace, console: Console) -> str:
    """Pack, sign and add the payload; sign and create the production."""
    source = ROOT / "tools" / "payloads" / options.payload
    text = (source / "production.toml").read_text()
    unit = max(1000, min(5000, options.events // 20 // 100 * 100))
    for name, value in (("events", options.events), ("unit", unit), ("seed", options.seed)):
        text = re.sub(rf"(?m)^{name} = \d+$", f"{name} = {value}", text, count=1)
    text = text.replace("[policy]\n", "[policy]\nlease_s = 20\n", 1)
    folder = stage.folder / "production"
    shutil.copytree(source, folder / "payload", ignore=shutil.ignore_patterns("__*", "*.toml"))
    definition = folder / "production.toml"
    definition.write_text(text)
    bundle, key = folder / "payload.tar.gz", stage.release_key
    found = dict(re.findall(r'(?m)^(name|version) = "([^"]+)"$', text.partition("[payload]")[2]))
    windfall("payload", "pack", folder / "payload", "-o", bundle)
    windfall(
        "payload", "sign", bundle, "--name", found["name"], "--version", found["version"],
        "--key", key, "-o", folder / "payload.jws",
    )  # fmt: skip
    stage.ask("payload", "add", bundle, "--statement", folder / "payload.jws")
    windfall(
        "production", "sign", definition, "--payload", folder / "payload.jws", "--key", key,
        "-o", folder / "production.jws",
    )  # fmt: skip
    made: dict[str, Any] = stage.ask(
        "production", "create", definition, "--manifest", folder / "production.jws",
        "--bundle", bundle, "--yes",
    )  # fmt: skip
    plan = made["plan"]
    console.print(
        f"plan     {plan['units']} work units, {plan['copies']:,} events to compute,"
        f" {(plan['bytes'] or 0) / 1e6:,.0f} MB, {(plan['core_hours'] or 0) * 3600:,.0f} core"
        " seconds by a probe on this machine"
    )
    return str(made["production"]["name"])


def _machines(stage: Stage, options: argparse.Namespace) -> list[Machine]:
    """Machines of as many owners: one to be killed, one to be evicted, one that cheats."""
    agent = [sys.executable, str(stage.fetch_agent())]
    cheat = [sys.executable, "-m", "tools.cheat"]
    names = [*NAMES[:3], *(f"host{n}" for n in range(5, options.agents + 1))]
    machines = [stage.enlist(name, "honest", agent) for name in names]
    machines.append(stage.enlist(NAMES[3], "cheat", cheat))
    return machines


def _watch(play: Play, machines: list[Machine], events: int, console: Console) -> dict[str, Any]:
    """Until the production is done, with a bar; disturb it on the way."""
    columns = (
        TextColumn("[progress.description]{task.description}"), BarColumn(),
        TextColumn("{task.completed:>9,.0f} of {task.total:,.0f} events"), TimeElapsedColumn(),
        TextColumn("{task.fields[rate]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=False) as progress:
        bar = progress.add_task("settled", total=events, rate="")
        for _ in patiently(LIMIT_S, 0.1):
            view = play.view()
            progress.update(bar, completed=view["settled"], rate=f"{view['events_per_s']:,.0f}/s")
            if view["state"] == "done":
                return view
            if view["state"] not in ("active", "merging"):
                raise StageFailed(f"the production is {view['state']}: {view['reason']}")
            play.disturb(view, machines[0], machines[1])
    raise StageFailed(f"not done after {LIMIT_S:g} s; see {play.stage.folder / 'server.log'}")


def _conclude(
    play: Play,
    machines: list[Machine],
    view: dict[str, Any],
    options: argparse.Namespace,
    console: Console,
    begun: float,
) -> report.Result:
    """Fetch the output, read it back, draw it, and hold everything against what must be."""
    stage, folder = play.stage, play.stage.folder
    output = folder / f"{play.name}.hepmc3.zst"
    stage.ask("production", "output", play.name, "--output", output)
    verified = stage.ask("production", "verify", play.name)
    kind = "pp" if options.payload == "pythia8" else "ee"
    found = plots.summarise(
        output, folder / "histograms.png", folder / "histograms.svg", view["description"], kind
    )
    hosts = {host["name"]: host for host in play.get("hosts")["hosts"]}
    cheats = [m.name for m in machines if m.part == "cheat"]
    seconds = time.monotonic() - begun
    result = report.Result(
        events=options.events,
        unique_events=found.unique,
        in_order=found.in_order and found.complete,
        lost_finished_events=play.lost(),
        reissued_events=view["reissued"],
        recomputed_events=view["recomputed"],
        cheat_rejected=sum(hosts[name]["rejected_events"] for name in cheats),
        cheat_named=[name for name, _ in view["rejected_hosts"]] == cheats,
        disturbed=play.killed is not None and play.evicted is not None,
        verified=bool(verified["ok"]),
        seconds=round(seconds, 1),
        output=str(output),
        digest=view["output"]["digest"],
    )
    fates = [
        (
            m.name,
            m.fate or ("sent altered events" if m.part == "cheat" else "worked undisturbed"),
            hosts[m.name]["delivered_events"],
            hosts[m.name]["rejected_events"],
        )
        for m in machines
    ]
    report.show(console, result, fates)
    report.paths(console, result, folder, seconds)
    return result


def _interrupted(number: int, _: object) -> None:
    """Whatever ends the demonstration ends its processes too."""
    raise KeyboardInterrupt


def _until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    sys.exit(main())
