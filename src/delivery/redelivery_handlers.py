"""What is done to bring a delivery at another time: load, decide, append."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bus.envelope import Envelope
from bus.messages import Done, Window, now
from bus.streams import Happening, States, Stream, Streams
from delivery import redelivery
from delivery import slot as slots
from delivery import warehouse as warehouses
from delivery.commands import RescheduleDelivery, RetryDelivery
from delivery.contract import DeliveryDocument, HoldSlot
from delivery.delivery import Delivery, DeliveryEvent, known
from delivery.handlers import DELIVERY, check_slot, free, on, slot_ids, told
from delivery.lookout import Lookout
from delivery.redelivery import Redelivery
from delivery.slot import SlotTerms
from delivery.slot_handlers import SLOT, TIMETABLE
from delivery.timetable import Offered, find, place_of
from delivery.warehouse import Warehouses
from delivery.warehouse_handlers import WAREHOUSES


class RedeliveryHandlers:
    """The commands that have a delivery brought at another time."""

    def __init__(
        self, streams: Streams, redelivery: Redelivery, lookout: Lookout, terms: SlotTerms
    ) -> None:
        self._streams = streams
        self._redelivery = redelivery
        self._lookout = lookout
        self._terms = terms

    async def reschedule(
        self, command: RescheduleDelivery, envelope: Envelope[RescheduleDelivery]
    ) -> Done[DeliveryDocument]:
        """Bring it in a window, or in a slot whose place it takes. The place it had is given back,
        unless the carrier has been under way in it: all of that, or nothing."""
        id, when = command.delivery_id, command.when
        own = DELIVERY(id)
        before = known((await self._streams.load(own)).state, id)
        there = (await self._streams.load(WAREHOUSES)).state or {}
        carrier = warehouses.carrier_of(there, before.warehouse_id)
        left = slot_ids(None if before.picked_up else before)
        time = when if isinstance(when, Window) else await self._offered(before, when, there)

        def decision(states: States) -> list[Happening]:
            delivery, at = known(states[own], id), now()
            check_slot(delivery, slot_ids(before))
            slot = redelivery.agreed(time, at) if isinstance(time, Window) else time.slot
            events = redelivery.reschedule(delivery, slot, at, carrier)
            if not events:
                return []
            taken = [] if isinstance(time, Window) else take(states, delivery, time, at)
            return on(own, events) + taken + free(states, left - {slot.slot_id}, before.reference)

        entered = set() if isinstance(time, Window) else {time.slot.slot_id}
        streams: list[Stream[Any]] = [own, *map(SLOT, left | entered)]
        commit = await self._streams.decide_all(streams, decision, envelope)
        after = known((await self._streams.load(own)).state, id)
        return await told(self._lookout, after, commit, envelope)

    async def retry(self, command: RetryDelivery, envelope: Envelope[RetryDelivery]) -> None:
        """Bring it the next day, if nobody has said otherwise."""
        there = (await self._streams.load(WAREHOUSES)).state or {}

        def decision(delivery: Delivery | None) -> list[DeliveryEvent]:
            source = there.get(delivery.warehouse_id or "") if delivery is not None else None
            zone = self._terms.zone_of(source)
            return redelivery.retry(delivery, self._redelivery, now(), zone)

        await self._streams.decide(DELIVERY(command.delivery_id), decision, envelope)

    async def _offered(self, delivery: Delivery, slot_id: str, there: Warehouses) -> Offered:
        """A slot of the delivery's warehouse; refused with `unknown_slot`."""
        warehouse_id = delivery.warehouse_id or ""
        table = (await self._streams.load(TIMETABLE(warehouse_id))).state
        zone = self._terms.zone_of(there.get(warehouse_id))
        return find(table, place_of(slot_id) or warehouse_id, slot_id, zone)


def take(states: States, delivery: Delivery, offered: Offered, at: datetime) -> list[Happening]:
    """A place in the slot is the delivery's."""
    place = SLOT(offered.slot.slot_id)
    wanted = HoldSlot(
        slot_id=offered.slot.slot_id,
        reference=delivery.reference,
        warehouse_id=delivery.warehouse_id or "",
        until=offered.slot.to,
    )
    return on(place, slots.take(states[place], wanted, offered, at))
