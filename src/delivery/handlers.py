"""What a command or a query to delivery does: load, decide, append."""

from __future__ import annotations

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, Position, now
from bus.streams import Kind, Streams
from delivery import delivery as deliveries
from delivery import quote as quotes
from delivery import warehouse as warehouses
from delivery.commands import AddWarehouse, ListWarehouses, RecordCheckpoint, Warehouse
from delivery.contract import (
    CancelDelivery,
    DeliveryDocument,
    DeliveryQuote,
    QuoteDelivery,
    ScheduleDelivery,
)
from delivery.lookout import Lookout
from delivery.tariff import Tariff
from delivery.views import document
from maps.contract import Leg, Locate, Measure

DELIVERY = Kind("delivery", deliveries.evolve)
WAREHOUSES = Kind("warehouses", warehouses.evolve)("all")

AT_ONCE = 100
"""Ways that maps measures in one question."""


class Handlers:
    """Delivery's handlers, on its streams."""

    def __init__(self, streams: Streams, bus: Bus, tariff: Tariff, lookout: Lookout) -> None:
        self._streams = streams
        self._bus = bus
        self._tariff = tariff
        self._lookout = lookout

    async def quote(self, query: QuoteDelivery, envelope: Envelope[QuoteDelivery]) -> DeliveryQuote:
        """What it costs to bring the goods there."""
        there = await self._streams.load(WAREHOUSES)
        sources = quotes.open_warehouses(there.state)
        place = await self._bus.ask(Locate(address=query.destination), envelope)
        origins = tuple(source.position for source in sources)
        legs = await self._measure(origins, place.position, envelope)
        return quotes.quote(sources, legs, query.goods, self._tariff, query.stocked)

    async def schedule(
        self, command: ScheduleDelivery, envelope: Envelope[ScheduleDelivery]
    ) -> None:
        """Arrange a delivery."""
        stream = DELIVERY(command.delivery_id)
        await self._streams.decide(
            stream, lambda delivery: deliveries.schedule(delivery, command), envelope, new=True
        )

    async def cancel(self, command: CancelDelivery, envelope: Envelope[CancelDelivery]) -> None:
        """Call a delivery off."""
        stream = DELIVERY(command.delivery_id)
        await self._streams.decide(
            stream, lambda delivery: deliveries.cancel(delivery, command), envelope
        )

    async def record(
        self, command: RecordCheckpoint, envelope: Envelope[RecordCheckpoint]
    ) -> Done[DeliveryDocument]:
        """Take down a carrier's checkpoint."""
        decided = await self._streams.decide(
            DELIVERY(command.delivery_id),
            lambda delivery: deliveries.record(delivery, command, now()),
            envelope,
        )
        if decided.state is None:
            raise deliveries.unknown(command.delivery_id)
        left = await self._lookout.way_left(decided.state, envelope)
        return Done[DeliveryDocument](
            answer=document(decided.state, left, now()),
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )

    async def add_warehouse(
        self, command: AddWarehouse, envelope: Envelope[AddWarehouse]
    ) -> Done[Warehouse]:
        """Open a warehouse where its address is."""
        place = await self._bus.ask(Locate(address=command.address), envelope)
        added = Warehouse(
            warehouse_id=command.warehouse_id,
            name=command.name,
            address=command.address,
            position=place.position,
        )
        decided = await self._streams.decide(
            WAREHOUSES, lambda there: warehouses.add(there, added), envelope
        )
        return Done[Warehouse](
            answer=added,
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )

    async def list_warehouses(
        self, query: ListWarehouses, envelope: Envelope[ListWarehouses]
    ) -> tuple[Warehouse, ...]:
        """All warehouses, by id."""
        there = await self._streams.load(WAREHOUSES)
        return tuple(warehouse for _, warehouse in sorted((there.state or {}).items()))

    async def _measure(
        self,
        origins: tuple[Position, ...],
        destination: Position,
        envelope: Envelope[QuoteDelivery],
    ) -> list[Leg | None]:
        legs: list[Leg | None] = []
        for first in range(0, len(origins), AT_ONCE):
            part = origins[first : first + AT_ONCE]
            legs += await self._bus.ask(Measure(origins=part, destination=destination), envelope)
        return legs
