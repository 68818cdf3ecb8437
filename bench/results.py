"""What was measured: several short rounds a side, sides in turn, medians and the noise."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass
class Series:
    """One side's rounds; rates are per second, times are milliseconds."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "rounds": self.values,
        }

    def in_words(self) -> str:
        """For people."""
        digits = 0 if self.median >= 100 else 1
        middle, low, high = (
            f"{value:,.{digits}f}" for value in (self.median, min(self.values), max(self.values))
        )
        return f"{middle} ({low}..{high})"


@dataclass
class Result:
    """One measurement. `at_least` is the aim for `ours / beside`, or for ours where nothing is
    beside it; `at_most` the aim for a time."""

    name: str
    unit: str
    ours: Series
    beside: Series | None = None
    slower: Series | None = None
    """The other way to do it bare, which was the slower one."""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """How often ours is the other."""
        return self.ours.median / self.beside.median if self.beside else None

    @property
    def reached(self) -> bool:
        """Whether the aim is reached."""
        if self.at_least is not None:
            reached = self.ours.median if self.ratio is None else self.ratio
            return reached >= self.at_least
        return self.at_most is None or self.ours.median <= self.at_most

    @property
    def aim(self) -> str:
        """What is aimed at, in words; nothing where a figure is only for information."""
        if self.at_least is not None:
            return f"≥ {self.at_least:.2f}" if self.beside else f"≥ {self.at_least:,.0f}"
        return f"≤ {self.at_most:.0f} {self.unit}" if self.at_most is not None else ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours.as_json(),
            "beside": self.beside.as_json() if self.beside else None,
            "slower": self.slower.as_json() if self.slower else None,
            "ratio": self.ratio,
            "aim": self.at_least if self.at_least is not None else self.at_most,
            "reached": self.reached,
        }


def beside_the_faster(
    name: str, series: Mapping[str, Series], *, at_least: float, unit: str = "/s"
) -> Result:
    """Compare the first series with the fastest of the others."""
    ours, *others = series.values()
    faster, *slower = sorted(others, key=lambda each: each.median, reverse=True)
    return Result(name, unit, ours, faster, slower[0] if slower else None, at_least=at_least)


async def in_turn(
    rounds: int, sides: Mapping[str, Callable[[], Awaitable[float]]]
) -> dict[str, Series]:
    """A B A B: so that what else the machine does falls on every side."""
    series = {name: Series(name) for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            series[name].values.append(await measure())
    return series


def table(results: list[Result]) -> Table:
    """Everything at a glance."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("what")
    for column in ("Storefold", "beside", "ratio", "aim"):
        shown.add_column(column, justify="right")
    shown.add_column("")
    for result in results:
        shown.add_row(
            f"{result.name} [dim]{result.unit}[/dim]",
            result.ours.in_words(),
            f"{result.beside.name}: {result.beside.in_words()}" if result.beside else "",
            f"{result.ratio:.2f}" if result.ratio is not None else "",
            result.aim,
            "" if not result.aim else "[green]reached[/green]" if result.reached else "[red]missed",
        )
        if result.slower:
            other = f"{result.slower.name}: {result.slower.in_words()}"
            shown.add_row("", "", f"[dim]{other}[/dim]", "", "", "")
    return shown


def show(results: list[Result]) -> None:
    """Print the table on stdout."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    console.print(table(results))
    console.print("[dim]medians of the rounds (lowest..highest)[/dim]")
