"""What a context's part of the CLI stands on: a shop to talk to, and ways to print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bus.messages import Money

if TYPE_CHECKING:  # so that `shop --help` need not load them
    from bus.dispatch import Bus
    from bus.platform import Platform

R = TypeVar("R")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}

AsJson = typer.Option(False, "--json", help="Print JSON for programs, one object a line.")
"""The option every command has."""


class Running(Protocol):
    """A shop at work for the length of a command."""

    @property
    def bus(self) -> Bus:
        """Where to send commands and ask queries, as the administrator."""

    @property
    def platform(self) -> Platform:
        """What the shop stands on."""

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Do this on the shop's event loop and wait for it."""


Open = Callable[[], AbstractContextManager[Running]]


def show(rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows on stdout: a table of these columns for people, or every field as JSON lines."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str, ensure_ascii=False))
        return
    if not rows:
        stderr.print("[dim]nothing to show[/dim]")
        return
    table = Table(
        *(column.replace("_", " ") for column in columns),
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for row in rows:
        cells = ("" if (cell := row.get(column)) is None else str(cell) for column in columns)
        table.add_row(*[escape(harmless(cell, "\t")) for cell in cells])
    # A row is a line however long it is: what is cut off cannot be pasted into the next command.
    Console(highlight=False, width=Console(width=10_000).measure(table).maximum).print(table)


def show_one(fields: Mapping[str, object], *, as_json: bool) -> None:
    """Print one thing on stdout: a line a field for people, or JSON."""
    if as_json:
        typer.echo(json.dumps(fields, default=str, ensure_ascii=False))
        return
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        stdout.print(f"[bold]{name.replace('_', ' ').ljust(width)}[/bold]  ", end="")
        stdout.print(harmless(str(value), "\t\n"), markup=False, soft_wrap=True)


def harmless(text: str, allowed: str) -> str:
    """Text with its control characters spelled out, but for some: whoever wrote it, a buyer say,
    has no say over the terminal on which it is read."""
    return _CONTROL.sub(
        lambda found: found[0] if found[0] in allowed else repr(found[0])[1:-1], text
    )


def fail(message: str) -> NoReturn:
    """One clear line on stderr, and exit 1."""
    typer.echo(f"shop: {message}", err=True)
    raise typer.Exit(1)


class Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Of late; nothing before anything is done."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


def progress() -> Progress:
    """A progress bar on stderr, with the count, the rate and the time left; gone when the work is
    done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )


def money(amount: Mapping[str, Any]) -> str:
    """Money in an answer as people read it: `10.50 EUR`."""
    return str(Money.model_validate(amount))


def moment(text: str) -> datetime:
    """A time as a person types it; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no time: write 2026-11-23T12:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def ago(text: str, now: datetime) -> datetime:
    """A time that is past, as a person types it: so long ago, or that time."""
    if length := re.fullmatch(r"(\d{1,6})(s|min|h|d)", text):
        return now - timedelta(**{UNITS[length[2]]: int(length[1])})
    try:
        return moment(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text} is no time: write 2d, 12h, 30min, or 2026-11-23T12:00Z"
        ) from None


def lasting(seconds: float) -> str:
    """A length of time as people say it, in its largest unit: `3 s`, `12 min`, `5 h`, `2 d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
