"""`shop slots`, as it is typed."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from bus.messages import Address, Refused, now
from delivery import slot_admin
from delivery.commands import AddWarehouse
from delivery.contract import HoldSlot
from delivery.options import days_of
from tests.delivery.desk import Running, Typed, prints

MORNING = ("--days", "mon-sun", "--window", "09:00-12:00")


@pytest.fixture
def slots(running: Running, door: Address) -> Typed:
    """What `shop slots` prints, of a shop with a warehouse."""
    warehouse = AddWarehouse(warehouse_id="vaduz", name="Vaduz", address=door, time_zone="UTC")
    running.run(running.bus.send(warehouse))
    return prints(slot_admin.commands, running)


def tomorrow() -> date:
    return now().date() + timedelta(days=1)


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_windows_are_set_listed_and_dropped(slots: Typed) -> None:
    shown = slots("set", "vaduz", *MORNING, "--capacity", "20")
    assert "mon, tue, wed" in shown
    assert "None" not in shown
    (told,) = rows(slots("set", "vaduz", "--days", "sat", "--window", "13:00-15:00",
                         "--capacity", "5", "--json"))  # fmt: skip
    assert (told["days"], told["start"], told["capacity"]) == (["sat"], "13:00", 5)
    listed = [(it["day"], it["window"], it["capacity"]) for it in rows(slots("windows", "--json"))]
    assert len(listed) == 8
    assert ("sat", "13:00-15:00", 5) in listed
    assert "09:00-12:00" in slots("windows", "vaduz")
    slots("drop", "vaduz", "--days", "mon-sat", "--window", "09:00-12:00")
    assert [it["day"] for it in rows(slots("windows", "--json"))] == ["sat", "sun"]


def test_slots_are_listed_with_what_is_free(running: Running, slots: Typed) -> None:
    slots("set", "vaduz", *MORNING, "--capacity", "2")
    assert len(rows(slots("list", "--json"))) == 7
    slot_id = f"vaduz:{tomorrow()}:0900-1200"
    wanted = HoldSlot(
        slot_id=slot_id, reference="o1", warehouse_id="vaduz", until=now() + timedelta(hours=1)
    )
    running.run(running.bus.send(wanted))
    (told,) = rows(slots("list", "vaduz", "--date", str(tomorrow()), "--json"))
    assert (told["slot_id"], told["held"], told["booked"], told["free"]) == (slot_id, 1, 0, 1)
    assert slot_id in slots("list", "--days", "2")


def test_a_day_is_closed_and_says_what_is_booked(running: Running, slots: Typed) -> None:
    slots("set", "vaduz", *MORNING, "--capacity", "2")
    wanted = HoldSlot(
        slot_id=f"vaduz:{tomorrow()}:0900-1200",
        reference="o1",
        warehouse_id="vaduz",
        until=now() + timedelta(hours=1),
    )
    running.run(running.bus.send(wanted))
    day = str(tomorrow())
    (told,) = rows(slots("close", "vaduz", day, "--reason", "National holiday", "--json"))
    assert told["taken"] == 1
    assert rows(slots("list", "--date", day, "--json")) == []
    assert "closed: National holiday" in slots("windows")
    slots("open", "vaduz", day)
    assert len(rows(slots("list", "--date", day, "--json"))) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--days", "mon-fry", *MORNING[2:]), "no days of the week"),
        (("--days", "", *MORNING[2:]), "no days of the week"),
        ((*MORNING[:2], "--window", "9-12"), "9-12 is no window"),
        (
            (*MORNING[:2], "--window", "12:00-09:00"),
            "end: a window that begins at 12:00 cannot end at 09:00",
        ),
        ((*MORNING[:2], "--window", "09:00-25:00"), "09:00-25:00 is no window"),
    ],
)
def test_a_window_nobody_can_mean_is_a_usage_error(
    slots: Typed, words: tuple[str, ...], complaint: str
) -> None:
    told = slots("set", "vaduz", *words, "--capacity", "5", code=2)
    assert complaint in " ".join(told.replace("│", " ").split())


def test_what_else_cannot_be_meant(slots: Typed) -> None:
    assert slots("set", "vaduz", *MORNING, "--capacity", "0", code=2)
    assert "christmas is no day" in slots("close", "vaduz", "christmas", code=2)
    assert "2026-02-30 is no day" in slots("list", "--date", "2026-02-30", code=2)
    with pytest.raises(Refused, match="there is no warehouse schaan; there are vaduz"):
        slots("set", "schaan", *MORNING, "--capacity", "5")
    slots("set", "vaduz", *MORNING, "--capacity", "5")
    with pytest.raises(Refused, match="overlaps with 09:00-12:00 on mon"):
        slots("set", "vaduz", "--days", "mon", "--window", "11:00-13:00", "--capacity", "5")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", ("mon",)),
        ("Mon-Wed", ("mon", "tue", "wed")),
        ("sat-mon", ("sat", "sun", "mon")),
        ("mon, wed, wed-thu", ("mon", "wed", "thu")),
    ],
)
def test_days_are_written_as_people_do(text: str, days: tuple[str, ...]) -> None:
    assert days_of(text) == days
