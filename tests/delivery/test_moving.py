"""Deliveries that come at another time: in a window, in a slot, or the next day."""

from datetime import timedelta
from typing import Any

import pytest

from bus.messages import Address, Refused, Window, now
from delivery.commands import RecordCheckpoint, RescheduleDelivery
from delivery.contract import (
    CancelDelivery,
    DeliveryAttemptFailed,
    DeliveryDocument,
    DeliveryRescheduled,
    GetDelivery,
    ScheduleDelivery,
)
from tests.delivery.conftest import Delivering
from tests.delivery.places import happened, hold, offered, schedule, standing
from tests.waiting import eventually


async def shown(delivering: Delivering, delivery_id: str = "d-o1") -> DeliveryDocument:
    found = await delivering.bus.ask(GetDelivery(delivery_id=delivery_id))
    return DeliveryDocument.model_validate_json(found.body)


async def says(delivering: Delivering, status: Any) -> DeliveryDocument:
    answer = await delivering.bus.send(RecordCheckpoint(delivery_id="d-o1", status=status))
    return answer.answer


async def timer_of(delivering: Delivering) -> dict[str, Any]:
    """What is to be done later."""

    async def look() -> Any:
        return await delivering.home.timers.waiting()

    found: Any = await eventually(look)
    (timer,) = found
    return dict(timer)


def to(when: Window | str) -> RescheduleDelivery:
    return RescheduleDelivery(delivery_id="d-o1", when=when)


async def test_it_takes_a_place_in_another_slot_and_gives_the_first_one_back(
    opened: Delivering, door: Address
) -> None:
    first, second, *_ = await offered(opened, door)
    await opened.bus.send(hold(first, "o1"))
    await opened.bus.send(schedule(first, "o1", door))
    for _ in range(2):
        told = (await opened.bus.send(to(second.slot_id))).answer
        assert (told.status, told.slot) == ("scheduled", second)
    assert await standing(opened, first) == (0, 0, 3)
    assert await standing(opened, second) == (0, 1, 2)
    (commit,) = (await opened.home.log.read(0, limit=100))[-1:]
    assert happened(commit) == ["DeliveryRescheduled", "SlotHeld", "SlotBooked", "SlotFreed"]

    assert (await opened.bus.send(to(first.slot_id))).answer.slot == first  # and back again
    assert await standing(opened, first) == (0, 1, 2)
    assert await standing(opened, second) == (0, 0, 3)


async def test_what_is_called_off_gives_back_the_place_it_has_by_then(
    opened: Delivering, door: Address
) -> None:
    first, second, *_ = await offered(opened, door)
    await opened.bus.send(hold(first, "o1"))
    await opened.bus.send(schedule(first, "o1", door))
    await opened.bus.send(to(second.slot_id))
    off = CancelDelivery(delivery_id="d-o1", reference="o1", slot_id=first.slot_id)
    await opened.bus.send(off)
    assert await standing(opened, second) == (0, 0, 3)
    assert (await shown(opened)).status == "cancelled"


async def test_what_came_back_needs_no_place_that_is_still_to_come(
    opened: Delivering, door: Address
) -> None:
    first, second, *_ = await offered(opened, door)
    await opened.bus.send(hold(first, "o1"))
    await opened.bus.send(schedule(first, "o1", door))
    await says(opened, "attempt_failed")
    await opened.bus.send(to(second.slot_id))
    await says(opened, "returned_to_sender")
    assert await standing(opened, second) == (0, 1, 2)
    for _ in range(2):
        await opened.bus.send(CancelDelivery(delivery_id="d-o1", reference="o1"))
    assert await standing(opened, second) == (0, 0, 3)
    assert (await shown(opened)).status == "returned_to_sender"


async def test_where_there_is_no_place_everything_stays_as_it_is(
    opened: Delivering, door: Address
) -> None:
    first, second, *_ = await offered(opened, door)
    for reference in ("o1", "o2", "o3", "o4"):
        await opened.bus.send(hold(second if reference != "o1" else first, reference))
    await opened.bus.send(schedule(first, "o1", door))
    before = await shown(opened)
    for slot_id, code in ((second.slot_id, "slot_full"), ("apia:monday", "unknown_slot")):
        with pytest.raises(Refused) as refused:
            await opened.bus.send(to(slot_id))
        assert refused.value.code == code
    assert await shown(opened) == before
    assert await standing(opened, first) == (0, 1, 2)


async def test_what_could_not_be_arranged_is_arranged_in_a_slot(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(schedule(slot, "o1", door))
    assert (await shown(opened)).status == "pending"
    told = (await opened.bus.send(to(slot.slot_id))).answer
    assert (told.status, told.slot) == ("scheduled", slot)
    assert await standing(opened, slot) == (0, 1, 2)


async def test_who_was_not_at_home_keeps_no_place_and_takes_another(
    opened: Delivering, door: Address
) -> None:
    first, second, *_ = await offered(opened, door)
    await opened.bus.send(hold(first, "o1"))
    await opened.bus.send(schedule(first, "o1", door))
    await says(opened, "attempt_failed")
    told = (await opened.bus.send(to(second.slot_id))).answer
    assert (told.status, told.attempts) == ("rescheduled", 1)
    assert await standing(opened, first) == (0, 1, 2)  # the van has been there
    assert await standing(opened, second) == (0, 1, 2)


async def test_when_nobody_chooses_it_comes_again_the_next_day(
    delivering: Delivering, door: Address
) -> None:
    order = ScheduleDelivery(delivery_id="d-o1", reference="o1", warehouse_id="w", destination=door)
    await delivering.bus.send(order)
    fire = delivering.home.timers.fire_due
    for attempt in (1, 2, 3):
        assert (await says(delivering, "attempt_failed")).attempts == attempt
        timer = await timer_of(delivering)
        last = (await shown(delivering)).checkpoints[-1]
        assert timer["due"] == last.at + timedelta(hours=1)
        assert await fire(timer["due"] - timedelta(seconds=1)) == 0
        assert (await shown(delivering)).status == "attempt_failed"
        assert await fire(timer["due"]) == 1
        found = await shown(delivering)
        if attempt < 3:
            assert found.status == "rescheduled"
            assert found.slot is not None
            assert found.slot.from_.date() == now().date() + timedelta(days=1)
            assert (await says(delivering, "en_route")).status == "en_route"
    assert (await shown(delivering)).status == "attempt_failed"
    history = await delivering.history("delivery-d-o1")
    assert [e.attempt for e in history if isinstance(e, DeliveryAttemptFailed)] == [1, 2, 3]
    assert [e.attempt for e in history if isinstance(e, DeliveryRescheduled)] == [1, 2]
    assert (await says(delivering, "returned_to_sender")).status == "returned_to_sender"


async def test_what_somebody_has_chosen_is_not_moved_to_the_next_day(
    delivering: Delivering, door: Address
) -> None:
    order = ScheduleDelivery(delivery_id="d-o1", reference="o1", warehouse_id="w", destination=door)
    await delivering.bus.send(order)
    await says(delivering, "attempt_failed")
    timer = await timer_of(delivering)
    soon = Window.model_validate({"from": now(), "to": now() + timedelta(hours=1)})
    chosen = (await delivering.bus.send(to(soon))).answer
    assert chosen.status == "rescheduled"
    assert await delivering.home.timers.fire_due(timer["due"]) == 1
    assert await shown(delivering) == chosen
