"""What the shop's own people ask of zones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from bus.messages import Command, Done, Id, Model, Query, Text

MAX_AREA = 60_000
"""Characters of an area: what an event has room for."""


class ZoneSetting(Model):
    """A zone as it was drawn: an `area` (a GeoJSON Polygon or MultiPolygon, as text), or all that
    is `within_s` seconds by road from the warehouse. Where zones overlap, the higher `priority`
    counts. `tariff` names one of the table; else the shop's holds."""

    zone_id: str
    warehouse_id: str
    name: str
    area: str | None = None
    within_s: int | None = None
    priority: int = 0
    tariff: str | None = None


class DrawZone(Command[Done[ZoneSetting]], name="delivery.DrawZone"):
    """Deliver there from a warehouse; again, it is changed. Refused with `unknown_warehouse`,
    `zone_exists`, `unknown_tariff` and `unfit_area`."""

    zone_id: Annotated[Id, Field(max_length=59)]
    warehouse_id: Id
    name: Text
    area: str | None = Field(default=None, max_length=MAX_AREA)
    within_s: int | None = Field(default=None, ge=60, le=86_400)
    priority: int = Field(default=0, ge=-1000, le=1000)
    tariff: Id | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> DrawZone:
        if (self.area is None) == (self.within_s is None):
            raise ValueError("a zone has an area, or within_s: one of the two")
        return self


class EraseZone(Command[Done[None]], name="delivery.EraseZone"):
    """Deliver there no more. Refused with `unknown_zone`."""

    zone_id: Id


class ListZones(Query[tuple[ZoneSetting, ...]], name="delivery.ListZones"):
    """The zones of all warehouses, or of one."""

    warehouse_id: Id | None = None
