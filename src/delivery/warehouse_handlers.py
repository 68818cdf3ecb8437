"""What a command or a query about warehouses does: load, decide, append."""

from __future__ import annotations

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done
from bus.streams import Decided, Kind, Streams
from delivery import warehouse as warehouses
from delivery.commands import AddWarehouse, ListWarehouses, SetCarrier, SetTimeZone, Warehouse
from delivery.warehouse import Warehouses, known
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
        decided = await self._streams.decide(
            WAREHOUSES, lambda there: warehouses.add(there, added), envelope
        )
        return done(decided, command.warehouse_id)

    async def set_time_zone(
        self, command: SetTimeZone, envelope: Envelope[SetTimeZone]
    ) -> Done[Warehouse]:
        """Have a warehouse go by other clocks."""
        id, time_zone = command.warehouse_id, command.time_zone
        decided = await self._streams.decide(
            WAREHOUSES, lambda there: warehouses.set_time_zone(there, id, time_zone), envelope
        )
        return done(decided, id)

    async def set_carrier(
        self, command: SetCarrier, envelope: Envelope[SetCarrier]
    ) -> Done[Warehouse]:
        """Have another carrier fetch what is sent from there."""
        id, carrier = command.warehouse_id, command.carrier
        decided = await self._streams.decide(
            WAREHOUSES, lambda there: warehouses.set_carrier(there, id, carrier), envelope
        )
        return done(decided, id)

    async def list(
        self, query: ListWarehouses, envelope: Envelope[ListWarehouses]
    ) -> tuple[Warehouse, ...]:
        """All warehouses, by id."""
        there = await self._streams.load(WAREHOUSES)
        return tuple(warehouse for _, warehouse in sorted((there.state or {}).items()))


def done(decided: Decided[Warehouses], warehouse_id: str) -> Done[Warehouse]:
    """How a warehouse stands after a decision."""
    return Done(
        answer=known(decided.state, warehouse_id),
        position=decided.commit.position if decided.commit else 0,
        repeated=decided.repeated,
    )
