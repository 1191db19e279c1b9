"""The figures of runs for people: one line for each policy, mean of the seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from tools.simulation.run import POLICIES, Figures

Value = Callable[[Figures], float | None]


@dataclass(frozen=True)
class Column:
    """A figure: its head, how it is had, how it is written; ``spread`` shows that of the seeds."""

    head: str
    value: Value
    form: str
    spread: bool = False


def _time(share: str) -> Value:
    return lambda figures: figures.times[share]


def _cpu(part: str) -> Value:
    return lambda figures: 100 * figures.cpu[part]


COLUMNS = (
    Column("50 %", _time("50 %"), ".2f"),
    Column("90 %", _time("90 %"), ".2f"),
    Column("99 %", _time("99 %"), ".2f", spread=True),
    Column("100 %", _time("100 %"), ".2f", spread=True),
    Column("useful %", _cpu("useful"), ".1f", spread=True),
    Column("checks %", _cpu("checked"), ".1f"),
    Column("late %", _cpu("surplus"), ".1f"),
    Column("lost %", _cpu("lost"), ".2f"),
    Column("rejected %", _cpu("rejected"), ".2f"),
    Column("set-up %", _cpu("set_up"), ".2f"),
    Column("wrong per 10^6", lambda f: 1e6 * f.wrong_events / f.events, ".1f", spread=True),
    Column("set aside", lambda f: float(f.set_aside_events), ".0f"),
    Column("leases", lambda f: float(f.leases), ".0f"),
    Column("requests/s", lambda f: f.requests_per_s, ".0f"),
    Column("idle polls/s", lambda f: f.polls_per_s, ".0f"),
    Column("GB", lambda f: f.gigabytes, ".0f"),
    Column("longest locked h", lambda f: f.longest_locked_s / 3600, ".1f"),
)


def markdown(runs: Sequence[Figures]) -> str:
    """A table in Markdown, policies in the order in which they come."""
    names = list(dict.fromkeys(figures.policy for figures in runs))
    head = ["policy", *(column.head for column in COLUMNS)]
    lines = [_line(head), _line(["---"] * len(head))]
    for name in names:
        own = [figures for figures in runs if figures.policy == name]
        title = f"{name}: {POLICIES[name].title}"
        lines.append(_line([title, *(_cell(column, own) for column in COLUMNS)]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(column: Column, runs: Sequence[Figures]) -> str:
    found = [column.value(figures) for figures in runs]
    values = [value for value in found if value is not None]
    if len(values) < len(found):
        return "not in time"
    mean = format(fmean(values), column.form)
    if not column.spread or len(values) < 2:
        return mean
    return f"{mean} ± {format(stdev(values), column.form)}"
