"""`shop slots`: when goods can be brought, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from bus.console import AsJson, Open, show, show_one
from delivery.admin import meant
from delivery.options import day_of, days_of, window_of
from delivery.slot_commands import (
    MAX_CAPACITY,
    CloseDay,
    DropWindow,
    GetTimetables,
    ListSlots,
    OpenDay,
    SetWindow,
)

SLOT_COLUMNS = ("slot_id", "day", "window", "zone_id", "capacity", "held", "booked", "free")
WINDOW_COLUMNS = ("warehouse_id", "zone_id", "day", "window", "capacity")

Warehouse = Annotated[str, typer.Argument(help="Its id.")]
OneOrAll = Annotated[str | None, typer.Argument(help="All, unless one is named.")]
Days = Annotated[str, typer.Option(help="mon-fri, say, or sat,sun.")]
Window = Annotated[
    str, typer.Option(metavar="HH:MM-HH:MM", help="By the clocks of the warehouse; up to 24:00.")
]
Zone = Annotated[
    str | None, typer.Option(help="A zone that has windows of its own; else the warehouse's.")
]
DayArgument = Annotated[
    str, typer.Argument(metavar="YYYY-MM-DD", help="By the warehouse's calendar.")
]


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop slots`."""
    app = typer.Typer(
        help="When goods can be brought: windows of the week, and slots day by day.",
        no_args_is_help=True,
    )

    def tell(command: Any, what: dict[str, object], *, as_json: bool) -> None:
        with shop() as running:
            running.run(running.bus.send(command))
        show_one(what if as_json else in_words(what), as_json=as_json)

    @app.command("set")
    def set_(
        warehouse_id: Warehouse,
        days: Days,
        window: Window,
        capacity: Annotated[
            int, typer.Option(min=1, max=MAX_CAPACITY, help="How many deliveries it takes.")
        ],
        zone: Zone = None,
        as_json: bool = AsJson,
    ) -> None:
        """Deliver so many orders in a window; again, with another capacity, changes it."""
        of = _window(warehouse_id, zone, days, window)
        command = meant(SetWindow, {**of, "capacity": capacity})
        tell(command, {**of, "capacity": capacity}, as_json=as_json)

    @app.command()
    def drop(
        warehouse_id: Warehouse,
        days: Days,
        window: Window,
        zone: Zone = None,
        as_json: bool = AsJson,
    ) -> None:
        """Deliver in a window no more; what is booked in it stays."""
        of = _window(warehouse_id, zone, days, window)
        tell(meant(DropWindow, of), {**of, "capacity": 0}, as_json=as_json)

    @app.command()
    def windows(
        warehouse_id: Annotated[
            str | None, typer.Argument(help="All, unless one is named.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """The windows of the week, and the days that are closed."""
        query = meant(GetTimetables, {"warehouse_id": warehouse_id})
        with shop() as running:
            found = running.run(running.bus.ask(query))
        rows: list[dict[str, Any]] = [
            {**each.model_dump(), "window": f"{each.start}-{each.end}"} for each in found.windows
        ]
        rows += (
            {**each.model_dump(), "window": f"closed: {each.reason}", "capacity": 0}
            for each in found.closed
        )
        show(rows, WINDOW_COLUMNS, as_json=as_json)

    @app.command("list")
    def list_(
        warehouse_id: Annotated[
            str | None, typer.Argument(help="All, unless one is named.")
        ] = None,
        date: Annotated[
            str | None, typer.Option(metavar="YYYY-MM-DD", help="One day; else those to come.")
        ] = None,
        days: Annotated[int, typer.Option(min=1, max=62, help="How many days to come.")] = 7,
        as_json: bool = AsJson,
    ) -> None:
        """The slots of some days: what is held, booked and free."""
        day = None if date is None else day_of(date)
        wanted = {"warehouse_id": warehouse_id, "day": day, "days": 1 if day else days}
        query = meant(ListSlots, wanted)
        with shop() as running:
            found = running.run(running.bus.ask(query))
        show([each.model_dump(mode="json") for each in found], SLOT_COLUMNS, as_json=as_json)

    @app.command()
    def close(
        warehouse_id: Warehouse,
        day: DayArgument,
        reason: Annotated[str, typer.Option(help="What those who ask are told.")] = "closed",
        as_json: bool = AsJson,
    ) -> None:
        """Deliver nothing on a day, a holiday, say. Says what is booked already, which stays."""
        that = {"warehouse_id": warehouse_id, "day": day_of(day)}
        command = meant(CloseDay, {**that, "reason": reason})
        query = meant(ListSlots, {**that, "days": 1})
        with shop() as running:
            standing = running.run(running.bus.ask(query))
            running.run(running.bus.send(command))
        taken = sum(each.held + each.booked for each in standing)
        show_one(
            {"warehouse_id": warehouse_id, "closed": day, "reason": reason, "taken": taken},
            as_json=as_json,
        )
        if taken:
            typer.echo(
                f"{taken} orders have a place on {day}, and keep it: agree on another day with"
                " their buyers, or open it again with `shop slots open`",
                err=True,
            )

    @app.command("open")
    def open_(warehouse_id: Warehouse, day: DayArgument, as_json: bool = AsJson) -> None:
        """Deliver on a day after all."""
        command = meant(OpenDay, {"warehouse_id": warehouse_id, "day": day_of(day)})
        tell(command, {"warehouse_id": warehouse_id, "open": day}, as_json=as_json)

    return app


def in_words(what: Mapping[str, object]) -> dict[str, object]:
    """What was set, for people."""
    return {
        name: ", ".join(it) if isinstance(it, tuple) else it
        for name, it in what.items()
        if it is not None
    }


def _window(warehouse_id: str, zone_id: str | None, days: str, window: str) -> dict[str, Any]:
    start, end = window_of(window)
    return {
        "warehouse_id": warehouse_id,
        "zone_id": zone_id,
        "days": days_of(days),
        "start": start,
        "end": end,
    }
