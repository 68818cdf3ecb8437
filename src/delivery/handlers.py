"""What a command about a delivery does: load, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bus.commits import Commit
from bus.envelope import Envelope
from bus.messages import Busy, Done, Event, now
from bus.streams import Happening, Kind, States, Stream, Streams
from delivery import checkpoints, dispatch, scheduling
from delivery import delivery as deliveries
from delivery import slot as slots
from delivery import warehouse as warehouses
from delivery.commands import AssignDelivery, RecordCheckpoint
from delivery.contract import CancelDelivery, DeliveryDocument, ScheduleDelivery, SchedulePickup
from delivery.delivery import Delivery, DeliveryEvent, known
from delivery.lookout import Lookout
from delivery.redelivery import AGREED
from delivery.scheduling import Booking
from delivery.slot_handlers import SLOT
from delivery.views import document
from delivery.warehouse_handlers import WAREHOUSES

DELIVERY = Kind("delivery", deliveries.evolve)


class Handlers:
    """Delivery's handlers, on its streams."""

    def __init__(self, streams: Streams, lookout: Lookout) -> None:
        self._streams = streams
        self._lookout = lookout

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
                return on(own, scheduling.schedule(states[own], command, at, carrier))
            book = states[slot]
            booked = slots.book_place(book, command.reference, command.warehouse_id, at)
            booking = Booking(book.slot if booked else None) if book is not None else None
            events = scheduling.schedule(states[own], command, at, carrier, booking)
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
            lambda delivery: scheduling.schedule_pickup(delivery, command, warehouse, now()),
            envelope,
            new=True,
        )

    async def cancel(self, command: CancelDelivery, envelope: Envelope[CancelDelivery]) -> None:
        """Call a delivery off, and give back its place in a slot: both, or none. Of goods that came
        back, a place that is still to come is given back."""
        own = DELIVERY(command.delivery_id)
        before = (await self._streams.load(own)).state
        had = slot_ids(before) | ({command.slot_id} if command.slot_id else set())

        def decision(states: States) -> list[Happening]:
            delivery = states[own]
            check_slot(delivery, had)
            events = scheduling.cancel(delivery, command)
            if events:
                return on(own, events) + free(states, had, command.reference)
            if delivery is None or delivery.status != "returned_to_sender":
                return []
            to_come = (id for id in had if slots.is_to_come(states[SLOT(id)], now()))
            return free(states, to_come, command.reference)

        await self._streams.decide_all([own, *map(SLOT, had)], decision, envelope)

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

    async def _decide(
        self,
        delivery_id: str,
        decision: Callable[[Delivery | None], list[DeliveryEvent]],
        envelope: Envelope[Any],
    ) -> Done[DeliveryDocument]:
        """Decide on one delivery; the answer is how it stands then."""
        decided = await self._streams.decide(DELIVERY(delivery_id), decision, envelope)
        delivery = known(decided.state, delivery_id)
        return await told(
            self._lookout, delivery, decided.commit, envelope, repeated=decided.repeated
        )


async def told(
    lookout: Lookout,
    delivery: Delivery,
    commit: Commit | None,
    envelope: Envelope[Any],
    *,
    repeated: bool = False,
) -> Done[DeliveryDocument]:
    """How a delivery stands after a decision."""
    left = await lookout.way_left(delivery, envelope)
    return Done[DeliveryDocument](
        answer=document(delivery, left, now()),
        position=commit.position if commit else 0,
        repeated=repeated,
    )


def on(stream: Stream[Any], events: Sequence[Event]) -> list[Happening]:
    """These events, on that stream."""
    return [(stream, event) for event in events]


def free(states: States, slot_ids: Iterable[str], reference: str) -> list[Happening]:
    """Give back the places that a reference has in these slots."""
    return [
        happening
        for place in map(SLOT, slot_ids)
        for happening in on(place, slots.free(states[place], reference))
    ]


def slot_ids(delivery: Delivery | None) -> set[str]:
    """The slot in which a delivery has a place, if it has one."""
    if delivery is None or delivery.slot is None or delivery.slot.slot_id == AGREED:
        return set()
    return {delivery.slot.slot_id}


def check_slot(delivery: Delivery | None, known: set[str]) -> None:
    """`Busy` when it has got a slot that was not known of: the decision is to be made anew."""
    if not slot_ids(delivery) <= known:
        raise Busy("the delivery has just been rescheduled: try again in a moment")
