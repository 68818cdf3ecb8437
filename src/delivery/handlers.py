"""What a command about a delivery does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.commits import Commit
from bus.envelope import Envelope
from bus.messages import Done, Event, now
from bus.streams import Happening, Kind, States, Stream, Streams
from delivery import checkpoints, dispatch, pickups, redelivery
from delivery import delivery as deliveries
from delivery import slot as slots
from delivery import warehouse as warehouses
from delivery.commands import (
    AssignDelivery,
    RecordCheckpoint,
    RescheduleDelivery,
    RetryDelivery,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryDocument,
    ScheduleDelivery,
    SchedulePickup,
)
from delivery.delivery import Booking, Delivery, DeliveryEvent, known
from delivery.lookout import Lookout
from delivery.redelivery import Redelivery
from delivery.slot import SlotTerms
from delivery.slot_handlers import SLOT
from delivery.views import document
from delivery.warehouse_handlers import WAREHOUSES

DELIVERY = Kind("delivery", deliveries.evolve)


class Handlers:
    """Delivery's handlers, on its streams."""

    def __init__(
        self, streams: Streams, redelivery: Redelivery, lookout: Lookout, terms: SlotTerms
    ) -> None:
        self._streams = streams
        self._redelivery = redelivery
        self._lookout = lookout
        self._terms = terms

    async def schedule(
        self, command: ScheduleDelivery, envelope: Envelope[ScheduleDelivery]
    ) -> None:
        """Arrange a delivery, and book the place that was held for it: both, or none."""
        there = await self._streams.load(WAREHOUSES)
        carrier = warehouses.carrier_of(there.state, command.warehouse_id)
        own = DELIVERY(command.delivery_id)
        slot = SLOT(command.slot_id) if command.slot_id is not None else None

        def decision(states: States) -> list[Happening]:
            at = now()
            if slot is None:
                return on(own, deliveries.schedule(states[own], command, at, carrier))
            book = states[slot]
            booked = slots.book_place(book, command.reference, command.warehouse_id, at)
            booking = Booking(book.slot if booked else None) if book is not None else None
            events = deliveries.schedule(states[own], command, at, carrier, booking)
            return on(own, events) + (on(slot, booked) if events else [])

        streams = (own,) if slot is None else (own, slot)
        await self._streams.decide_all(streams, decision, envelope, new=own)

    async def schedule_pickup(
        self, command: SchedulePickup, envelope: Envelope[SchedulePickup]
    ) -> None:
        """Arrange that goods are fetched."""
        warehouse = ((await self._streams.load(WAREHOUSES)).state or {}).get(command.warehouse_id)
        await self._streams.decide(
            DELIVERY(command.delivery_id),
            lambda delivery: pickups.schedule_pickup(delivery, command, warehouse, now()),
            envelope,
            new=True,
        )

    async def cancel(self, command: CancelDelivery, envelope: Envelope[CancelDelivery]) -> None:
        """Call a delivery off."""
        await self._freeing(
            command.delivery_id,
            command.slot_id,
            lambda delivery: deliveries.cancel(delivery, command),
            envelope,
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
        id = command.delivery_id
        there = await self._streams.load(WAREHOUSES)
        before = known((await self._streams.load(DELIVERY(id))).state, id)

        def decision(found: Delivery | None) -> list[DeliveryEvent]:
            delivery = known(found, id)
            carrier = warehouses.carrier_of(there.state, delivery.warehouse_id)
            slot = redelivery.agreed(command.window, now())
            return redelivery.reschedule(delivery, slot, now(), carrier)

        unused = before.slot if not before.picked_up else None
        commit = await self._freeing(id, unused.slot_id if unused else None, decision, envelope)
        after = known((await self._streams.load(DELIVERY(id))).state, id)
        return await self._told(after, commit, envelope)

    async def retry(self, command: RetryDelivery, envelope: Envelope[RetryDelivery]) -> None:
        """Have it brought the next day, if nobody has said otherwise."""
        there = (await self._streams.load(WAREHOUSES)).state or {}

        def decision(delivery: Delivery | None) -> list[DeliveryEvent]:
            source = there.get(delivery.warehouse_id or "") if delivery is not None else None
            zone = self._terms.zone_of(source)
            return redelivery.retry(delivery, self._redelivery, now(), zone)

        await self._streams.decide(DELIVERY(command.delivery_id), decision, envelope)

    async def _decide(
        self,
        delivery_id: str,
        decision: Callable[[Delivery | None], list[DeliveryEvent]],
        envelope: Envelope[Any],
    ) -> Done[DeliveryDocument]:
        """Decide on one delivery; the answer is how it stands then."""
        decided = await self._streams.decide(DELIVERY(delivery_id), decision, envelope)
        return await self._told(
            known(decided.state, delivery_id), decided.commit, envelope, repeated=decided.repeated
        )

    async def _told(
        self,
        delivery: Delivery,
        commit: Commit | None,
        envelope: Envelope[Any],
        *,
        repeated: bool = False,
    ) -> Done[DeliveryDocument]:
        left = await self._lookout.way_left(delivery, envelope)
        return Done[DeliveryDocument](
            answer=document(delivery, left, now()),
            position=commit.position if commit else 0,
            repeated=repeated,
        )

    async def _freeing(
        self,
        delivery_id: str,
        slot_id: str | None,
        rule: Callable[[Delivery | None], list[DeliveryEvent]],
        envelope: Envelope[Any],
    ) -> Commit | None:
        """Decide on a delivery; if anything happens to it, its place in the slot is given back:
        both, or none."""
        own = DELIVERY(delivery_id)
        slot = SLOT(slot_id) if slot_id is not None else None

        def decision(states: States) -> list[Happening]:
            events = rule(states[own])
            if not events or slot is None:
                return on(own, events)
            return on(own, events) + on(slot, slots.free(states[slot], events[0].reference))

        streams = (own,) if slot is None else (own, slot)
        return await self._streams.decide_all(streams, decision, envelope)


def on(stream: Stream[Any], events: Sequence[Event]) -> list[Happening]:
    """These events, on that stream."""
    return [(stream, event) for event in events]
