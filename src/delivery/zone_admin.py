"""`shop zones`: where which warehouse delivers, and at what tariff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bus.console import AsJson, Open, Running, fail, show, show_one, stderr
from bus.messages import Refused
from delivery.zone_commands import EraseZone, ListZones, ZoneSetting

if TYPE_CHECKING:  # what maps are made with is loaded when one is read
    from delivery.zone_file import Drawn

COLUMNS = ("zone_id", "name", "warehouse_id", "where", "priority", "tariff")
IMPORTED = ("feature", "zone_id", "outcome")

ZoneId = Annotated[str, typer.Argument(help="The zone's id.")]


def commands(shop: Open) -> typer.Typer:
    """The commands of `shop zones`."""
    app = typer.Typer(
        help="Where goods are brought; without any zone, wherever a road leads.",
        no_args_is_help=True,
    )

    @app.command("import")
    def import_(
        file: Annotated[
            Path, typer.Argument(exists=True, dir_okay=False, help="A GeoJSON FeatureCollection.")
        ],
        warehouse: Annotated[
            str | None, typer.Option(help="Of features that name none (warehouse_id).")
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is read.")] = False,
        as_json: bool = AsJson,
    ) -> None:
        """Draw the zones of a file. What is wrong with one keeps no other out; exit 1 then."""
        from delivery.zone_file import read

        try:
            drawn = list(read(file.read_text(encoding="utf-8"), warehouse))
        except ValueError as error:  # also of what is no text
            fail(f"{file}: {error}")
        if dry_run:
            outcomes = [(each, each.fault or "read") for each in drawn]
        else:
            with shop() as running:
                outcomes = running.run(_draw(running, drawn))
        rows = [
            {"feature": each.number, "zone_id": each.zone_id, "outcome": outcome}
            for each, outcome in outcomes
        ]
        show(rows, IMPORTED, as_json=as_json)
        if faults := sum(outcome not in ("read", "drawn", "as before") for _, outcome in outcomes):
            stderr.print(f"{faults} of {len(drawn)} features are not drawn")
            raise typer.Exit(1)

    @app.command("list")
    def list_(
        warehouse: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
        as_json: bool = AsJson,
    ) -> None:
        """All zones."""
        with shop() as running:
            found = running.run(running.bus.ask(ListZones(warehouse_id=warehouse)))
        show([row(each, as_json=as_json) for each in found], COLUMNS, as_json=as_json)

    @app.command("show")
    def show_(zone_id: ZoneId, as_json: bool = AsJson) -> None:
        """One zone, as a GeoJSON feature that `import` takes."""
        with shop() as running:
            zones = running.run(running.bus.ask(ListZones()))
        for each in zones:
            if each.zone_id == zone_id:
                typer.echo(json.dumps(feature(each), indent=None if as_json else 2))
                return
        fail(f"there is no zone {zone_id}: see `shop zones list`")

    @app.command()
    def remove(zone_id: ZoneId, as_json: bool = AsJson) -> None:
        """Deliver there no more, unless another zone covers it."""
        with shop() as running:
            running.run(running.bus.send(EraseZone(zone_id=zone_id)))
        show_one({"zone_id": zone_id, "removed": True}, as_json=as_json)

    return app


async def _draw(running: Running, drawn: list[Drawn]) -> list[tuple[Drawn, str]]:
    return [(each, each.fault or await _drawn(running, each)) for each in drawn]


async def _drawn(running: Running, each: Drawn) -> str:
    """What became of a feature."""
    try:
        done = [await running.bus.send(command) for command in _commands(each)]
    except Refused as refusal:
        return refusal.message
    return "drawn" if any(one.position for one in done) else "as before"


def _commands(each: Drawn) -> Iterator[Any]:
    if each.zone is not None:
        yield each.zone
        yield from each.windows


def row(zone: ZoneSetting, *, as_json: bool) -> dict[str, Any]:
    """A zone as it is listed."""
    fields = zone.model_dump(exclude_none=True)
    if as_json:
        return feature(zone)
    where = f"{zone.within_s // 60} min by road" if zone.within_s is not None else "an area"
    return {**fields, "where": where}


def feature(zone: ZoneSetting) -> dict[str, Any]:
    """A zone as a GeoJSON feature."""
    return {
        "type": "Feature",
        "id": zone.zone_id,
        "properties": zone.model_dump(exclude_none=True, exclude={"area"}),
        "geometry": json.loads(zone.area) if zone.area is not None else None,
    }
