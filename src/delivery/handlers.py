"""What a command or a query to delivery does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from bus.dispatch import Bus
from bus.envelope import Envelope
from bus.messages import Done, Position, now
from bus.streams import Kind, Streams
from delivery import checkpoints, dispatch, redelivery
from delivery import delivery as deliveries
from delivery import quote as quotes
from delivery import warehouse as warehouses
from delivery.commands import (
    AddWarehouse,
    AssignDelivery,
    ListWarehouses,
    RecordCheckpoint,
    RescheduleDelivery,
    RetryDelivery,
    Warehouse,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryDocument,
    DeliveryQuote,
    QuoteDelivery,
    ScheduleDelivery,
)
from delivery.delivery import Delivery, DeliveryEvent, known
from delivery.lookout import Lookout
from delivery.redelivery import Redelivery
from delivery.tariff import Tariff
from delivery.views import document
from maps.contract import Leg, Locate, Measure

DELIVERY = Kind("delivery", deliveries.evolve)
WAREHOUSES = Kind("warehouses", warehouses.evolve)("all")

AT_ONCE = 100
"""Ways that maps measures in one question."""


class Handlers:
    """Delivery's handlers, on its streams."""

    def __init__(
        self,
        streams: Streams,
        bus: Bus,
        tariff: Tariff,
        redelivery: Redelivery,
        lookout: Lookout,
    ) -> None:
        self._streams = streams
        self._bus = bus
        self._tariff = tariff
        self._redelivery = redelivery
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
        there = await self._streams.load(WAREHOUSES)
        carrier = warehouses.carrier_of(there.state, command.warehouse_id)
        await self._streams.decide(
            DELIVERY(command.delivery_id),
            lambda delivery: deliveries.schedule(delivery, command, now(), carrier),
            envelope,
            new=True,
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
        carrier = dispatch.carrier_of(envelope.principal)
        return await self._decide(
            command.delivery_id,
            lambda delivery: checkpoints.record(delivery, command, now(), carrier),
            envelope,
        )

    async def assign(
        self, command: AssignDelivery, envelope: Envelope[AssignDelivery]
    ) -> Done[DeliveryDocument]:
        """Give a delivery to a carrier."""
        return await self._decide(
            command.delivery_id,
            lambda delivery: dispatch.assign(
                known(delivery, command.delivery_id), command.carrier, now()
            ),
            envelope,
        )

    async def reschedule(
        self, command: RescheduleDelivery, envelope: Envelope[RescheduleDelivery]
    ) -> Done[DeliveryDocument]:
        """Have it brought at another time."""
        there = await self._streams.load(WAREHOUSES)

        def decision(found: Delivery | None) -> list[DeliveryEvent]:
            delivery = known(found, command.delivery_id)
            carrier = warehouses.carrier_of(there.state, delivery.warehouse_id)
            slot = redelivery.agreed(command.window, now())
            return redelivery.reschedule(delivery, slot, now(), carrier)

        return await self._decide(command.delivery_id, decision, envelope)

    async def retry(self, command: RetryDelivery, envelope: Envelope[RetryDelivery]) -> None:
        """Have it brought the next day, if nobody has said otherwise."""
        await self._streams.decide(
            DELIVERY(command.delivery_id),
            lambda delivery: redelivery.retry(delivery, self._redelivery, now(), ZoneInfo("UTC")),
            envelope,
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
            carrier=command.carrier,
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

    async def _decide(
        self,
        delivery_id: str,
        decision: Callable[[Delivery | None], list[DeliveryEvent]],
        envelope: Envelope[Any],
    ) -> Done[DeliveryDocument]:
        """Decide on one delivery; the answer is how it stands then."""
        decided = await self._streams.decide(DELIVERY(delivery_id), decision, envelope)
        delivery = known(decided.state, delivery_id)
        left = await self._lookout.way_left(delivery, envelope)
        return Done[DeliveryDocument](
            answer=document(delivery, left, now()),
            position=decided.commit.position if decided.commit else 0,
            repeated=decided.repeated,
        )

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
