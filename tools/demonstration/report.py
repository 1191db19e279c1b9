"""What came of the demonstration: checks, a table for people, one line of JSON for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Counts of events, and where the output lies."""

    events: int
    unique_events: int
    in_order: bool
    lost_finished_events: int
    reissued_events: int
    recomputed_events: int
    cheat_rejected: int
    cheat_named: bool
    disturbed: bool
    verified: bool
    seconds: float
    output: str
    digest: str

    @property
    def faults(self) -> list[str]:
        """What is not as it must be; empty if every check held."""
        held = {
            "every event is in the output": self.unique_events == self.events,
            "the events are in order": self.in_order,
            "nothing finished was lost": self.lost_finished_events == 0,
            "the cheat was caught and nobody else named": self.cheat_named,
            "one agent was killed and one evicted in the middle of a range": self.disturbed,
            "the server's own verification agrees": self.verified,
        }
        return [check for check, good in held.items() if not good]

    def as_json(self) -> dict[str, Any]:
        """Everything, with the checks that failed."""
        return {**asdict(self), "faults": self.faults}


def show(console: Console, result: Result, fates: list[tuple[str, str, int, int]]) -> None:
    """The tables at the end. ``fates``: machine, what happened, events agreed, rejected."""
    machines = Table(title="The machines", title_justify="left")
    for head, justify in (("machine", "left"), ("what happened to it", "left"),
                          ("events agreed", "right"), ("rejected", "right")):  # fmt: skip
        machines.add_column(head, justify="left" if justify == "left" else "right")
    for name, fate, agreed, rejected in fates:
        machines.add_row(name, fate, f"{agreed:,}", f"{rejected:,}")
    console.print(machines)
    events = Table(title="The events", title_justify="left", show_header=False)
    events.add_column()
    events.add_column(justify="right")
    for words, value in (
        ("asked for", result.events),
        ("in the output, each once", result.unique_events),
        ("finished and then lost", result.lost_finished_events),
        ("leased again after a lease was cut short", result.reissued_events),
        ("computed, but not delivered in time: made again", result.recomputed_events),
        ("sent by the cheat and rejected", result.cheat_rejected),
    ):
        events.add_row(words, f"{value:,}")
    console.print(events)


def paths(console: Console, result: Result, folder: Path, seconds: float) -> None:
    """Where everything lies, and whether all is well."""
    console.print(f"\noutput   {result.output}\nsha-256  {result.digest}")
    console.print(f"figures  {folder / 'histograms.png'}\n         {folder / 'histograms.svg'}")
    console.print(f"logs     {folder / 'server.log'} and machines/*/agent.log beside it")
    if result.faults:
        console.print("[bold red]not well:[/] " + "; ".join(f"NOT {f}" for f in result.faults))
    else:
        console.print(f"[bold green]every check held[/], {seconds:.0f} s")
