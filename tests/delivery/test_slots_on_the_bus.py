"""Slots at work: windows, holds and bookings on the real bus and the real databases."""

import asyncio
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pymongo import MongoClient

from bus.messages import Address, NotFound, Refused, Window, now
from bus.transport import InProcess
from delivery.clock import WEEK, local_day
from delivery.commands import AddWarehouse, RescheduleDelivery, SetTimeZone
from delivery.contract import (
    CancelDelivery,
    DeliveryCancelled,
    DeliveryScheduled,
    FreeSlot,
    QuoteDelivery,
    Slot,
)
from delivery.delivery import DeliveryRequested
from delivery.slot import SlotBooked, SlotFreed, SlotHeld
from delivery.slot_commands import (
    CloseDay,
    DropWindow,
    GetTimetables,
    ListSlots,
    OpenDay,
    SetWindow,
    SlotStanding,
)
from tests.delivery.conftest import ALL_DAY, APIA, Delivering, at_work
from tests.delivery.places import (
    EUR_10,
    happened,
    hold,
    offered,
    schedule,
    standing,
)


async def test_the_slots_of_the_coming_week_are_offered_by_the_clocks_there(
    opened: Delivering, door: Address
) -> None:
    slots = await offered(opened, door)
    soonest = local_day(now() + timedelta(hours=2), ZoneInfo(APIA)) + timedelta(days=1)
    assert [slot.slot_id for slot in slots] == [
        f"apia:{soonest + timedelta(days=after)}:0000-2400" for after in range(len(slots))
    ]
    assert len(slots) in (6, 7)
    assert {slot.to - slot.from_ for slot in slots} == {timedelta(days=1)}
    assert now() + timedelta(hours=2) <= slots[0].from_
    assert slots[-1].from_ <= now() + timedelta(days=7)
    without = await opened.bus.ask(QuoteDelivery(destination=door, goods=EUR_10))
    assert without.slots == ()


async def test_a_place_is_held_booked_and_given_back(opened: Delivering, door: Address) -> None:
    slot, *_ = await offered(opened, door)
    for _ in range(2):
        assert await opened.bus.send(hold(slot, "o1")) == slot
    assert await standing(opened, slot) == (1, 0, 2)
    for _ in range(2):
        await opened.bus.send(schedule(slot, "o1", door))
    assert await standing(opened, slot) == (0, 1, 2)
    for _ in range(2):
        await opened.bus.send(
            CancelDelivery(delivery_id="d-o1", reference="o1", slot_id=slot.slot_id)
        )
    assert await standing(opened, slot) == (0, 0, 3)
    history = await opened.history(f"slot-{slot.slot_id}")
    assert [type(event) for event in history] == [SlotHeld, SlotBooked, SlotFreed]
    with pytest.raises(Refused) as refused:
        await opened.bus.send(hold(slot, "o1"))
    assert refused.value.code == "slot_given_back"


async def test_booking_is_one_commit_with_scheduling_and_freeing_with_cancelling(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    await opened.bus.send(schedule(slot, "o1", door))
    await opened.bus.send(CancelDelivery(delivery_id="d-o1", reference="o1", slot_id=slot.slot_id))
    booked, freed = (await opened.home.log.read(0, limit=100))[-2:]
    assert happened(booked) == ["DeliveryScheduled", "SlotBooked"]
    assert happened(freed) == ["DeliveryCancelled", "SlotFreed"]


async def test_an_order_that_is_called_off_before_it_is_scheduled_frees_its_place(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    await opened.bus.send(CancelDelivery(delivery_id="d-o1", reference="o1", slot_id=slot.slot_id))
    await opened.bus.send(schedule(slot, "o1", door))
    assert await standing(opened, slot) == (0, 0, 3)
    assert await opened.history("delivery-d-o1") == [
        DeliveryCancelled(delivery_id="d-o1", reference="o1")
    ]


async def test_a_place_that_is_not_needed_is_freed_once(opened: Delivering, door: Address) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    for _ in range(2):
        await opened.bus.send(FreeSlot(slot_id=slot.slot_id, reference="o1"))
    assert len(await opened.history(f"slot-{slot.slot_id}")) == 2
    assert await standing(opened, slot) == (0, 0, 3)


async def test_a_delivery_whose_place_is_lost_is_scheduled_without_it(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    await opened.bus.send(FreeSlot(slot_id=slot.slot_id, reference="o1"))
    await opened.bus.send(schedule(slot, "o1", door))
    (scheduled,) = await opened.history("delivery-d-o1")
    assert isinstance(scheduled, DeliveryScheduled)
    assert (scheduled.slot, scheduled.slot_lost) == (None, slot.slot_id)
    assert await standing(opened, slot) == (0, 0, 3)


async def test_a_delivery_in_a_slot_that_nobody_ever_held_waits_for_a_person(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(schedule(slot, "o1", door))
    (requested,) = await opened.history("delivery-d-o1")
    assert isinstance(requested, DeliveryRequested)
    assert await opened.history(f"slot-{slot.slot_id}") == []


async def test_who_is_given_another_time_gives_the_place_back(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    await opened.bus.send(schedule(slot, "o1", door))
    window = Window.model_validate({"from": slot.to, "to": slot.to + timedelta(hours=2)})
    again = RescheduleDelivery(delivery_id="d-o1", when=window)
    for _ in range(2):
        told = (await opened.bus.send(again)).answer
        assert told.slot is not None
        assert told.slot.from_ == slot.to
        assert await standing(opened, slot) == (0, 0, 3)
    (commit,) = (await opened.home.log.read(0, limit=100))[-1:]
    assert happened(commit) == ["DeliveryRescheduled", "SlotFreed"]


async def test_who_could_not_come_in_a_slot_and_is_given_another_time_is_missed_no_more(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    await opened.bus.send(FreeSlot(slot_id=slot.slot_id, reference="o1"))
    await opened.bus.send(schedule(slot, "o1", door))
    window = Window.model_validate({"from": slot.to, "to": slot.to + timedelta(hours=2)})
    told = await opened.bus.send(RescheduleDelivery(delivery_id="d-o1", when=window))
    assert told.answer.slot_lost is None


async def test_a_full_slot_is_offered_no_more_and_refused(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    answers = await asyncio.gather(
        *(opened.bus.send(hold(slot, f"o{n}")) for n in range(20)), return_exceptions=True
    )
    refused = [each for each in answers if isinstance(each, Refused)]
    assert {each.code for each in refused} == {"slot_full"}
    assert len(refused) == 17
    assert await standing(opened, slot) == (3, 0, 0)
    assert slot.slot_id not in [each.slot_id for each in await offered(opened, door)]


async def test_two_processes_never_give_away_more_than_there_is(
    mongo: MongoClient[dict[str, Any]], prefix: str, door: Address
) -> None:
    async with (
        at_work(mongo, prefix, InProcess()) as one,
        at_work(mongo, prefix, InProcess()) as two,
    ):
        await one.bus.send(AddWarehouse(warehouse_id="apia", name="Apia", address=door))
        await one.bus.send(SetWindow(**ALL_DAY, capacity=5))
        slot, *_ = await offered(one, door)
        answers = await asyncio.gather(
            *(
                delivering.bus.send(hold(slot, f"o{n}-{name}"))
                for n in range(15)
                for name, delivering in (("one", one), ("two", two))
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Slot) for each in answers) == 5
        assert all(isinstance(each, Refused | Slot) for each in answers), answers
        assert len(await one.history(f"slot-{slot.slot_id}")) == 5


async def test_a_closed_day_is_not_offered(opened: Delivering, door: Address) -> None:
    first, second, *_ = await offered(opened, door)
    day = local_day(first.from_, ZoneInfo(APIA))
    await opened.bus.send(CloseDay(warehouse_id="apia", day=day, reason="a storm"))
    assert (await offered(opened, door))[0] == second
    with pytest.raises(Refused, match="a storm"):
        await opened.bus.send(hold(first, "o1"))
    told = await opened.bus.ask(GetTimetables(warehouse_id="apia"))
    assert [(each.day, each.reason) for each in told.closed] == [(day, "a storm")]
    await opened.bus.send(OpenDay(warehouse_id="apia", day=day))
    assert (await offered(opened, door))[0] == first


async def test_what_is_set_is_told_and_a_dropped_window_is_offered_no_more(
    opened: Delivering, door: Address
) -> None:
    told = (await opened.bus.ask(GetTimetables())).windows
    assert [(each.day, each.start, each.end, each.capacity) for each in told] == [
        (day, "00:00", "24:00", 3) for day in WEEK
    ]
    await opened.bus.send(DropWindow(**ALL_DAY))
    assert await offered(opened, door) == ()
    assert (await opened.bus.ask(GetTimetables())).windows == ()


async def test_other_clocks_move_the_slots_and_not_what_somebody_has_a_place_in(
    opened: Delivering, door: Address
) -> None:
    slot, *_ = await offered(opened, door)
    await opened.bus.send(hold(slot, "o1"))
    for _ in range(2):
        moved = await opened.bus.send(SetTimeZone(warehouse_id="apia", time_zone="Asia/Kathmandu"))
        assert moved.answer.time_zone == "Asia/Kathmandu"
    assert await opened.bus.send(hold(slot, "o1")) == slot
    assert slot not in await offered(opened, door)


async def test_the_slots_of_one_day_are_listed(opened: Delivering, door: Address) -> None:
    day = local_day(now(), ZoneInfo(APIA)) + timedelta(days=1)
    (found,) = await opened.bus.ask(ListSlots(day=day, days=1))
    assert found == SlotStanding.model_validate(
        {
            "slot_id": f"apia:{day}:0000-2400",
            "from": found.from_,
            "to": found.from_ + timedelta(days=1),
            "warehouse_id": "apia",
            "zone_id": None,
            "day": day,
            "window": "00:00-24:00",
            "capacity": 3,
            "held": 0,
            "booked": 0,
            "free": 3,
        }
    )


async def test_a_warehouse_that_is_not_there_has_no_slots(
    delivering: Delivering, door: Address
) -> None:
    day = now().date()
    for request in (
        SetWindow(**ALL_DAY, capacity=1),
        DropWindow(**ALL_DAY),
        CloseDay(warehouse_id="apia", day=day, reason="closed"),
        OpenDay(warehouse_id="apia", day=day),
        SetTimeZone(warehouse_id="apia", time_zone="UTC"),
    ):
        with pytest.raises(NotFound) as refused:
            await delivering.bus.send(request)
        assert refused.value.code == "unknown_warehouse"
    with pytest.raises(NotFound):
        await delivering.bus.ask(ListSlots(warehouse_id="apia"))
    assert await delivering.bus.ask(ListSlots()) == ()
