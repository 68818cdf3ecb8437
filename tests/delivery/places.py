"""A warehouse that has slots, and who has places in them."""

from datetime import timedelta

from bus.commits import Commit
from bus.messages import Address, Money, now
from delivery.contract import HoldSlot, QuoteDelivery, ScheduleDelivery, Slot
from delivery.slot_commands import ListSlots
from tests.delivery.conftest import Delivering

EUR_10 = Money(amount=10_00, currency="EUR")


async def offered(delivering: Delivering, door: Address) -> tuple[Slot, ...]:
    query = QuoteDelivery(destination=door, goods=EUR_10, with_slots=True)
    return (await delivering.bus.ask(query)).slots


def hold(slot: Slot, reference: str) -> HoldSlot:
    return HoldSlot(
        slot_id=slot.slot_id,
        reference=reference,
        warehouse_id="apia",
        until=now() + timedelta(minutes=30),
    )


def schedule(slot: Slot, reference: str, door: Address) -> ScheduleDelivery:
    return ScheduleDelivery(
        delivery_id=f"d-{reference}",
        reference=reference,
        warehouse_id="apia",
        destination=door,
        slot_id=slot.slot_id,
    )


def happened(commit: Commit) -> list[str]:
    return [event.kind.__name__ for event in commit.events]


async def standing(delivering: Delivering, slot: Slot) -> tuple[int, int, int]:
    """What is held, booked and free."""
    found = await delivering.bus.ask(ListSlots(warehouse_id="apia", days=9))
    (it,) = (each for each in found if each.slot_id == slot.slot_id)
    return it.held, it.booked, it.free
