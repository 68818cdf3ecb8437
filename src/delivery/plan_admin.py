"""`shop deliveries plan`: the tours of a day as a list, and as GeoJSON for any map."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from bus.console import AsJson, Open, Running, fail, show
from bus.messages import Principal
from delivery.admin import meant, street
from delivery.options import day_of
from delivery.plan import MOST_STOPS, PlanDay, PlannedTour

ADMIN = Principal(scope="admin", name="cli")

COLUMNS = ("warehouse", "carrier", "window", "stop", "at", "delivery_id", "order_id", "to", "km")

WHY = {
    "unknown_warehouse": "its warehouse is not there any more",
    "unknown_address": "nobody can place its address on the map",
    "no_road": "no road leads there and back",
    "too_many_stops": f"a tour has no more than {MOST_STOPS} stops",
}


def add_to(app: typer.Typer, opened: Open) -> None:
    """Put the command beside those of `shop deliveries`."""

    @app.command()
    def plan(
        date: Annotated[str, typer.Argument(metavar="YYYY-MM-DD", help="The day.")],
        warehouse: Annotated[str | None, typer.Option(help="Only from this warehouse.")] = None,
        out: Annotated[
            Path | None, typer.Option(help="The GeoJSON file; else plan-DATE.geojson.")
        ] = None,
        as_json: bool = AsJson,
    ) -> None:
        """In which order a van best brings what is due that day, as a list and as GeoJSON."""
        from delivery.plan_map import drawn

        query = meant(PlanDay, {"date": day_of(date), "warehouse_id": warehouse})
        with opened() as running:
            tours = running.run(_plan(running, query))
        if not tours:
            typer.echo(f"nothing is to be brought on {query.date}", err=True)
            return
        show([each for tour in tours for each in rows(tour, as_json)], COLUMNS, as_json=as_json)
        for tour in tours:
            tell(tour)
        path = out or Path(f"plan-{query.date}.geojson")
        try:
            path.write_text(drawn(tours), encoding="utf-8")
        except OSError as error:
            fail(f"the map cannot be written to {path}: {error.strerror}; name another --out")
        typer.echo(f"the map is in {path}", err=True)


async def _plan(running: Running, query: PlanDay) -> Sequence[PlannedTour]:
    head = await running.platform.contexts["delivery"].log.head()
    return await running.bus.ask(query.model_copy(update={"min_position": head}), principal=ADMIN)


def rows(tour: PlannedTour, as_json: bool) -> list[dict[str, Any]]:
    """A row a stop; and one for each delivery that is left out, which has no `number`."""
    whose = tour.model_dump(
        mode="json", include={"warehouse_id", "carrier", "window"}, exclude_none=True
    )
    found = [each.model_dump(mode="json", exclude_none=True) for each in tour.stops]
    left_out = [each.model_dump(mode="json", exclude_none=True) for each in tour.left_out]
    if as_json:
        return [{**whose, **each} for each in (*found, *left_out)]
    named = {
        "warehouse": tour.warehouse_id,
        "carrier": tour.carrier,
        "window": window(tour),
    }
    for stop, row in zip(tour.stops, found, strict=True):
        late = " late" if stop.in_time is False else ""
        row |= {"stop": stop.number, "at": f"{clock(tour, stop.arrival)}{late}"}
        row |= {"km": f"{stop.distance_m / 1000:.1f}"}
    for row in left_out:
        row["at"] = "left out"
    return [{**named, **row, "to": street(row["address"])} for row in (*found, *left_out)]


def tell(tour: PlannedTour) -> None:
    """What a tour comes to, and who is left out, on stderr."""
    late = "" if tour.in_time else "; not all in time"
    typer.echo(
        f"{tour.warehouse_id}, {tour.carrier}, {window(tour)}: {len(tour.stops)} stops,"
        f" {tour.distance_m / 1000:.1f} km, {round(tour.duration_s / 60)} min on the road,"
        f" back at {clock(tour, tour.returns)}{late}",
        err=True,
    )
    for each in tour.left_out:
        typer.echo(f"{each.delivery_id} is left out: {WHY[each.why]}", err=True)


def window(tour: PlannedTour) -> str:
    """Its window as the clocks at the warehouse have it."""
    if tour.window is None:
        return "at any time"
    return f"{clock(tour, tour.window.from_)}-{clock(tour, tour.window.to)}"


def clock(tour: PlannedTour, at: datetime) -> str:
    """What the clocks at the warehouse show then."""
    return at.astimezone(ZoneInfo(tour.time_zone)).strftime("%H:%M")
