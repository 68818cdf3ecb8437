"""Where goods set out from, and what their way costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from bus.messages import Money, Refused
from delivery.commands import Warehouse
from delivery.contract import DeliveryQuote
from delivery.tariff import Load, Tariffs, cost
from delivery.warehouse import Warehouses
from delivery.zone import Zone
from maps.contract import Leg


def open_warehouses(warehouses: Warehouses | None) -> tuple[Warehouse, ...]:
    """The warehouses that goods can set out from; refuses when there is none."""
    if not warehouses:
        raise Refused(
            "no_warehouse",
            "nothing can be delivered, for the shop has no warehouse:"
            " add one with `shop warehouses add`",
        )
    return tuple(warehouses.values())


def quote(
    warehouses: Sequence[Warehouse],
    legs: Sequence[Leg | None],
    goods: Money,
    tariffs: Tariffs,
    load: Load = Load(),  # noqa: B008
    stocked: Collection[str] | None = None,
    covering: Mapping[str, Zone] | None = None,
) -> DeliveryQuote:
    """What it costs from the warehouse with the shortest way, of those that are `stocked` if there
    is one; `legs` are theirs, in their order.

    `covering` are the zones in which they deliver to the destination, where the shop has any: from
    others nothing is brought, and a zone of a higher priority goes before a shorter way.
    """
    ways = {
        warehouse.warehouse_id: leg
        for warehouse, leg in zip(warehouses, legs, strict=True)
        if leg is not None
    }
    if not ways:
        raise Refused(
            "unreachable",
            "no road leads from any warehouse to the destination: choose another address",
        )
    if covering is not None:
        ways = {id: leg for id, leg in ways.items() if id in covering}
    if not ways:
        raise Refused(
            "outside_zones",
            "nothing is brought there, for it lies in no zone in which the shop delivers: choose"
            " another address",
        )
    zones = covering or {}

    def place(id: str) -> tuple[int, int, str]:
        first = -zones[id].setting.priority if id in zones else 0
        return first, ways[id].distance_m, id

    nearest = sorted(ways, key=place)
    serving = (id for id in nearest if stocked is None or id in stocked)
    warehouse_id = next(serving, nearest[0])
    zone = zones[warehouse_id].setting if warehouse_id in zones else None
    way = ways[warehouse_id]
    return DeliveryQuote(
        cost=cost(tariffs.of(zone.tariff if zone else None), goods, way.distance_m, load),
        warehouse_id=warehouse_id,
        zone_id=zone.zone_id if zone else None,
        distance_m=way.distance_m,
        duration_s=way.duration_s,
        slots=(),
        warehouses=tuple(nearest),
    )
