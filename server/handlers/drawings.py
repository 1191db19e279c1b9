"""Plots of the statistics, drawn once for all who look within their step of time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from server.domain.rollup import Kind, Span, Values
from server.services import pictures
from server.services.deps import Deps
from server.services.lately import Lately
from server.services.pictures import Picture, Plot
from web.axes import number, when
from web.plots import Line, line
from web.world import name_of

OLDEST_S = 300.0  # that a drawing may be, however long its steps are
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Drawing:
    """A plot as a page shows it: SVG, and the table behind it."""

    name: str
    title: str
    address: str
    svg: str
    columns: tuple[str, ...]
    rows: Rows
    step_s: float


@dataclass(eq=False)
class Drawings:
    """Draws, and keeps what it drew."""

    deps: Deps
    read: Callable[[Deps, Plot, Span], Awaitable[Picture]] = pictures.picture
    kept: Lately[tuple[str, Span], Drawing] = field(init=False)

    def __post_init__(self) -> None:
        """Every plot over every span is as much as it can be."""
        most = len(pictures.PLOTS) * len(Span)
        self.kept = Lately(lambda one: min(one.step_s, OLDEST_S), most, self._now)

    def _now(self) -> float:
        return self.deps.clock()

    async def of(self, plot: Plot, span: Span) -> Drawing:
        """A plot over a span; one that was drawn within its step is not drawn again."""

        async def made() -> Drawing:
            return drawn(await self.read(self.deps, plot, span))

        return await self.kept.of((plot.name, span), made)


def drawn(picture: Picture) -> Drawing:
    """A picture as SVG with its table, the latest moment first."""
    plot = picture.plot
    lines = [Line(said(plot.kind, name), values) for name, values in picture.lines]
    svg = line(
        lines, title=plot.title, unit=plot.unit, step_s=picture.step_s, start=picture.start,
        whole=plot.whole,
    )  # fmt: skip
    columns = ("from (UTC)", *(f"{one.name}, {plot.unit}" for one in lines))
    rows = _rows(picture, [values for _, values in picture.lines])
    return Drawing(
        plot.name, plot.title, f"/statistics/{plot.name}", svg, columns, rows, picture.step_s
    )


def _rows(picture: Picture, columns: Sequence[Values]) -> Rows:
    steps = range(max((len(values) for values in columns), default=0))
    return [
        (
            when(picture.start + place * picture.step_s, picture.step_s),
            *(
                "\N{EN DASH}" if values[place] is None else number(values[place] or 0)
                for values in columns
            ),
        )
        for place in reversed(steps)
        if any(values[place] is not None for values in columns)
    ]


def said(kind: Kind, key: str) -> str:
    """What a figure is of, in words: countries by their names."""
    if kind is Kind.COUNTRY and key:
        return name_of(key)
    return key or ("no site" if kind is Kind.SITE else "not known")
