"""What a command or a query about warehouses does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done
from bus.streams import Kind, Streams
from delivery import warehouse as warehouses
from delivery.commands import AddWarehouse, ListWarehouses, SetCarrier, SetTimeZone, Warehouse
from delivery.warehouse import WarehouseEvent, Warehouses, known
from maps.contract import Locate

WAREHOUSES = Kind("warehouses", warehouses.evolve)("all")


class WarehouseHandlers:
    """The warehouses, on their stream."""

    def __init__(self, streams: Streams, bus: Bus) -> None:
        self._streams = streams
        self._bus = bus

    async def add(self, command: AddWarehouse, envelope: Envelope[AddWarehouse]) -> Done[Warehouse]:
        """Open a warehouse where its address is."""
        place = await self._bus.ask(Locate(address=command.address), envelope)
        added = Warehouse(
            warehouse_id=command.warehouse_id,
            name=command.name,
            address=command.address,
            position=place.position,
            carrier=command.carrier,
            time_zone=command.time_zone,
        )
        return await self._change(
            command.warehouse_id, lambda there: warehouses.add(there, added), envelope
        )

    async def set_time_zone(
        self, command: SetTimeZone, envelope: Envelope[SetTimeZone]
    ) -> Done[Warehouse]:
        """Have a warehouse go by other clocks."""
        id = command.warehouse_id
        return await self._change(
            id, lambda there: warehouses.set_time_zone(there, id, command.time_zone), envelope
        )

    async def set_carrier(
        self, command: SetCarrier, envelope: Envelope[SetCarrier]
    ) -> Done[Warehouse]:
        """Have another carrier fetch what is sent from there."""
        id = command.warehouse_id
        return await self._change(
            id, lambda there: warehouses.set_carrier(there, id, command.carrier), envelope
        )

    async def list(
        self, query: ListWarehouses, envelope: Envelope[ListWarehouses]
    ) -> tuple[Warehouse, ...]:
        """All warehouses, by id."""
        there = await self._streams.load(WAREHOUSES)
        return tuple(warehouse for _, warehouse in sorted((there.state or {}).items()))

    async def _change(
        self,
        warehouse_id: str,
        rule: Callable[[Warehouses | None], Sequence[WarehouseEvent]],
        envelope: Envelope[Any],
    ) -> Done[Warehouse]:
        """Decide on the warehouses; the answer is how this one stands then."""
        decided = await self._streams.decide(WAREHOUSES, rule, envelope)
        return Done(
            answer=known(decided.state, warehouse_id),
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )
