"""Where goods set out from, and what their way costs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bus.messages import Money, Refused
from delivery.commands import Warehouse
from delivery.contract import DeliveryQuote
from delivery.tariff import Load, Tariffs, cost
from delivery.warehouse import Warehouses
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
) -> DeliveryQuote:
    """What it costs from the warehouse with the shortest way, of those that are `stocked` if there
    is one; `legs` are theirs, in their order."""
    ways = sorted(
        (leg.distance_m, warehouse.warehouse_id, leg.duration_s)
        for warehouse, leg in zip(warehouses, legs, strict=True)
        if leg is not None
    )
    if not ways:
        raise Refused(
            "unreachable",
            "no road leads from any warehouse to the destination: choose another address",
        )
    serving = (way for way in ways if stocked is None or way[1] in stocked)
    distance_m, warehouse_id, duration_s = next(serving, ways[0])
    return DeliveryQuote(
        cost=cost(tariffs.of(None), goods, distance_m, load),
        warehouse_id=warehouse_id,
        distance_m=distance_m,
        duration_s=duration_s,
        slots=(),
        warehouses=tuple(id for _, id, _ in ways),
    )
