"""When a warehouse delivers, told as histories."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from bus.messages import Refused
from delivery.slot_commands import CloseDay, OpenDay, SetWindow
from delivery.timetable import (
    MAX_WINDOWS,
    DayClosed,
    DayOpened,
    Timetable,
    TimetableEvent,
    WindowDropped,
    WindowSet,
    close,
    coming,
    drop_window,
    find,
    reopen,
    set_window,
    slots_on,
)
from tests.delivery.timetables import MONDAY, MORNING, SLOT, WEEKDAYS, ZURICH, drop, replay, window

OPEN: list[TimetableEvent] = [
    *set_window(None, window(capacity=20)),
    *set_window(None, window("13:00", "17:00", days=("mon",), capacity=5)),
]
CHRISTMAS = CloseDay(warehouse_id="zurich", day=date(2026, 12, 25), reason="Christmas")


def refusal(history: list[TimetableEvent], order: SetWindow) -> Refused:
    with pytest.raises(Refused) as refused:
        set_window(replay(history), order)
    return refused.value


def ids(history: list[TimetableEvent], day: date, place: str = "zurich") -> list[str]:
    return [each.slot.slot_id for each in slots_on(replay(history), place, day, ZURICH)]


def test_a_window_is_set_once() -> None:
    (event,) = set_window(None, window())
    assert event == WindowSet(
        warehouse_id="zurich", days=WEEKDAYS, start="09:00", end="12:00", capacity=2
    )
    assert set_window(replay([event]), window()) == []


def test_setting_a_window_again_changes_what_is_different() -> None:
    history = set_window(None, window(days=("mon", "tue")))
    (more,) = set_window(replay(history), window(days=("tue", "wed", "tue")))
    assert isinstance(more, WindowSet)
    assert more.days == ("wed",)
    (bigger,) = set_window(replay(history), window(days=("mon",), capacity=3))
    assert isinstance(bigger, WindowSet)
    assert slots_on(replay([*history, bigger]), "zurich", MONDAY.date(), ZURICH)[0].capacity == 3


@pytest.mark.parametrize(
    ("start", "end"),
    [("08:00", "09:01"), ("11:59", "13:00"), ("10:00", "11:00"), ("00:00", "24:00")],
)
def test_windows_of_a_day_do_not_overlap(start: str, end: str) -> None:
    refused = refusal(OPEN, window(start, end, days=("sun", "fri")))
    assert refused.code == "windows_overlap"
    assert f"{start}-{end} overlaps with 09:00-12:00 on fri" in refused.message


def test_windows_may_touch_and_be_the_same_on_other_days_and_in_other_zones() -> None:
    assert set_window(replay(OPEN), window("12:00", "13:00"))
    assert set_window(replay(OPEN), window("10:00", "11:00", days=("sat",)))
    assert set_window(replay(OPEN), window("10:00", "11:00", zone_id="hills"))


def test_a_day_has_so_many_windows_and_no_more() -> None:
    history = [
        event
        for hour in range(MAX_WINDOWS)
        for event in set_window(None, window(f"{hour:02}:00", f"{hour:02}:30"))
    ]
    assert refusal(history, window("00:30", "01:00")).code == "too_many_windows"
    assert set_window(replay(history), window("00:00", "00:30", capacity=3))


def test_a_place_whose_id_leaves_no_room_for_a_slots_has_no_slots() -> None:
    assert refusal([], window(zone_id="z" * 60)).code == "long_id"
    (event,) = set_window(None, window(zone_id="z" * 59))
    (slot,) = slots_on(replay([event]), "z" * 59, MONDAY.date(), ZURICH)
    assert len(slot.slot.slot_id) == 80


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "12:00", "end": "09:00"},
        {"start": "12:00", "end": "12:00"},
        {"start": "24:00", "end": "24:00"},
        {"capacity": 0},
        {"capacity": 10_001},
        {"days": ()},
        {"days": ("monday",)},
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        window(**wrong)


def test_a_dropped_window_is_offered_no_more() -> None:
    (event,) = drop_window(replay(OPEN), drop(days=("mon", "sun")))
    assert event == WindowDropped(warehouse_id="zurich", days=("mon",), start="09:00", end="12:00")
    assert ids([*OPEN, event], MONDAY.date()) == ["zurich:2026-11-30:1300-1700"]
    with pytest.raises(Refused) as refused:
        drop_window(replay([*OPEN, event]), drop(days=("mon",)))
    assert refused.value.code == "unknown_window"


def test_a_day_is_closed_and_opened_once() -> None:
    (closed,) = close(None, CHRISTMAS)
    assert closed == DayClosed(warehouse_id="zurich", day="2026-12-25", reason="Christmas")
    history = [*OPEN, closed]
    assert close(replay(history), CHRISTMAS) == []
    assert ids(history, CHRISTMAS.day) == []
    anyway = OpenDay(warehouse_id="zurich", day=CHRISTMAS.day)
    (opened,) = reopen(replay(history), anyway)
    assert opened == DayOpened(warehouse_id="zurich", day="2026-12-25")
    assert reopen(replay([*history, opened]), anyway) == []
    assert ids([*history, opened], CHRISTMAS.day) == ["zurich:2026-12-25:0900-1200"]


def test_the_slots_of_a_day_stand_in_order_and_speak() -> None:
    assert ids(OPEN, MONDAY.date()) == [MORNING, "zurich:2026-11-30:1300-1700"]
    assert ids(OPEN, MONDAY.date() + timedelta(days=1)) == ["zurich:2026-12-01:0900-1200"]
    assert ids(OPEN, MONDAY.date() - timedelta(days=1)) == []
    first, _ = slots_on(replay(OPEN), "zurich", MONDAY.date(), ZURICH)
    assert (first.slot, first.capacity) == (SLOT, 20)


def test_slots_are_offered_from_one_moment_to_another() -> None:
    def offered(first: datetime, last: datetime) -> list[str]:
        found = coming(replay(OPEN), "zurich", ZURICH, first, last)
        return [each.slot.slot_id.removeprefix("zurich:2026-") for each in found]

    begins = SLOT.from_
    assert offered(begins, begins) == ["11-30:0900-1200"]
    assert offered(begins + timedelta(seconds=1), begins + timedelta(days=1)) == [
        "11-30:1300-1700",
        "12-01:0900-1200",
    ]
    assert offered(begins, begins - timedelta(seconds=1)) == []
    week = offered(begins - timedelta(days=2), begins + timedelta(days=7))
    assert week[0] == "11-30:0900-1200"
    assert week[-1] == "12-07:0900-1200"
    assert len(week) == 7


def test_a_zone_with_windows_of_its_own_does_not_go_by_the_warehouses() -> None:
    (own,) = set_window(None, window("18:00", "20:00", zone_id="hills"))
    timetable = replay([*OPEN, own])
    assert timetable.place("zurich", "hills") == "hills"
    assert timetable.place("zurich", "valley") == timetable.place("zurich", None) == "zurich"
    assert ids([*OPEN, own], MONDAY.date(), "hills") == ["hills:2026-11-30:1800-2000"]
    dropped = drop_window(timetable, drop("18:00", "20:00", zone_id="hills"))
    assert replay([*OPEN, own, *dropped]).place("zurich", "hills") == "zurich"


@pytest.mark.parametrize(
    ("slot_id", "why"),
    [
        ("monday", "zurich has no slot monday"),
        ("zurich:2026-13-01:0900-1200", "zurich has no slot"),
        ("zurich:2026-11-30:0900-1100", "any more, or never had"),
        ("zurich:2026-11-29:0900-1200", "any more, or never had"),
        ("vaduz:2026-11-30:0900-1200", "is one of vaduz, but zurich brings it there"),
        ("zurich:2026-12-25:0900-1200", "brings nothing on 2026-12-25 (Christmas)"),
    ],
)
def test_a_slot_that_nobody_can_have_is_refused_with_why(slot_id: str, why: str) -> None:
    timetable = replay([*OPEN, *close(None, CHRISTMAS)])
    with pytest.raises(Refused) as refused:
        find(timetable, "zurich", slot_id, ZURICH)
    assert refused.value.code == "unknown_slot"
    assert why in refused.value.message
    assert find(timetable, "zurich", MORNING, ZURICH).slot == SLOT


def test_without_a_timetable_there_are_no_slots() -> None:
    with pytest.raises(Refused):
        find(None, "zurich", MORNING, ZURICH)
    assert slots_on(Timetable(), "zurich", MONDAY.date(), ZURICH) == []


def test_a_slot_is_told_in_utc_on_both_sides_of_a_change_of_clocks() -> None:
    sundays = set_window(None, window(days=("sun",)))
    found = coming(
        replay(sundays),
        "zurich",
        ZURICH,
        datetime(2026, 10, 18, tzinfo=UTC),
        datetime(2026, 11, 1, 23, tzinfo=UTC),
    )
    assert [each.slot.from_.hour for each in found] == [7, 8, 8]
