"""Who has a place in a slot, told as histories; and the law: never more than it takes."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Refused
from delivery.slot import (
    GRACE,
    Book,
    SlotBooked,
    SlotEvent,
    SlotFreed,
    SlotHeld,
    book_place,
    evolve,
    free,
    hold,
)
from tests.delivery.timetables import MONDAY, MORNING, SLOT, places, slot_after, wants

LEAD = timedelta(hours=1)
LAPSED = MONDAY + timedelta(minutes=30) + GRACE


def held(reference: str, capacity: int = 1) -> SlotHeld:
    (event,) = hold(None, wants(reference), places(capacity), MONDAY, LEAD)
    assert isinstance(event, SlotHeld)
    return event


def booked(reference: str) -> SlotBooked:
    return SlotBooked(slot_id=MORNING, reference=reference)


def freed(reference: str) -> SlotFreed:
    return SlotFreed(slot_id=MORNING, reference=reference)


def refusal(
    history: list[SlotEvent], reference: str, capacity: int = 1, now: datetime = MONDAY
) -> str:
    with pytest.raises(Refused) as refused:
        hold(slot_after(history), wants(reference, at=now), places(capacity), now, LEAD)
    return refused.value.code


def book(history: list[SlotEvent], reference: str, now: datetime = MONDAY) -> list[SlotEvent]:
    return book_place(slot_after(history), reference, "zurich", now)


def test_a_place_is_held_for_longer_than_was_asked_for() -> None:
    assert held("o1", 2) == SlotHeld(
        reference="o1", warehouse_id="zurich", slot=SLOT, capacity=2, until=LAPSED
    )


def test_a_place_is_held_once() -> None:
    assert hold(slot_after([held("o1")]), wants("o1"), places(1), MONDAY, LEAD) == []
    assert hold(slot_after([held("o1"), booked("o1")]), wants("o1"), places(1), LAPSED, LEAD) == []


def test_whoever_needs_a_place_for_longer_holds_it_for_longer() -> None:
    later = MONDAY + timedelta(minutes=45)
    (event,) = hold(slot_after([held("o1")]), wants("o1", at=later), places(1), later, LEAD)
    assert isinstance(event, SlotHeld)
    assert event.until == later + timedelta(minutes=30) + GRACE


def test_a_slot_takes_so_many_and_no_more() -> None:
    both: list[SlotEvent] = [held("o1", 2), held("o2", 2)]
    assert refusal(both, "o3", 2) == "slot_full"
    assert refusal([*both, booked("o1"), booked("o2")], "o3", 2) == "slot_full"
    assert hold(slot_after([*both, freed("o1")]), wants("o3"), places(2), MONDAY, LEAD)


def test_a_hold_lapses_by_itself() -> None:
    just_before = LAPSED - timedelta(milliseconds=1)
    assert refusal([held("o1")], "o2", now=just_before) == "slot_full"
    assert hold(slot_after([held("o1")]), wants("o2"), places(1), LAPSED, LEAD)


def test_a_slot_is_to_be_chosen_some_time_before_it_begins() -> None:
    last = SLOT.from_ - LEAD
    assert hold(None, wants("o1"), places(1), last, LEAD)
    assert refusal([], "o1", now=last + timedelta(milliseconds=1)) == "slot_over"


def test_who_gave_a_place_back_is_not_given_another() -> None:
    assert refusal([held("o1"), freed("o1")], "o1", 5) == "slot_given_back"


def test_a_slot_that_takes_fewer_than_are_taken_takes_nobody() -> None:
    both: list[SlotEvent] = [held("o1", 2), held("o2", 2)]
    assert refusal(both, "o3", 1) == "slot_full"
    assert book(both, "o1") == [booked("o1")]


def test_a_held_place_is_booked_once() -> None:
    assert book([held("o1")], "o1") == [booked("o1")]
    assert book([held("o1"), booked("o1")], "o1") == []


def test_a_place_that_was_never_held_is_not_booked() -> None:
    assert book([], "o1") == []
    assert book([held("o1", 5)], "o2") == []
    assert book([held("o1"), freed("o1")], "o1") == []


def test_a_place_is_not_booked_for_what_comes_from_another_warehouse() -> None:
    assert book_place(slot_after([held("o1")]), "o1", "vaduz", MONDAY) == []


def test_a_lapsed_place_is_booked_if_nobody_else_has_it() -> None:
    assert book([held("o1")], "o1", LAPSED) == [booked("o1")]
    (second,) = hold(slot_after([held("o1")]), wants("o2", at=LAPSED), places(1), LAPSED, LEAD)
    assert book([held("o1"), second], "o1", LAPSED) == []
    assert book([held("o1"), second, freed("o2")], "o1", LAPSED) == [booked("o1")]


def test_nobody_books_a_slot_that_is_over() -> None:
    assert book([held("o1")], "o1", SLOT.to - timedelta(milliseconds=1)) == [booked("o1")]
    assert book([held("o1")], "o1", SLOT.to) == []


def test_a_place_is_given_back_once() -> None:
    assert free(slot_after([held("o1")]), "o1") == [freed("o1")]
    assert free(slot_after([held("o1"), booked("o1")]), "o1") == [freed("o1")]
    assert free(slot_after([held("o1"), freed("o1")]), "o1") == []
    assert free(slot_after([held("o1")]), "o2") == []
    assert free(None, "o1") == []


def test_a_slot_begins_with_a_place_that_is_held() -> None:
    with pytest.raises(ValueError, match="before a place was held"):
        slot_after([booked("o1")])


def lived(steps: Any, capacity: int, clocks_differ: bool) -> list[tuple[Book, datetime]]:
    """How the slot stands after each step, and when that is."""
    book: Book | None = None
    time = MONDAY - timedelta(days=2)
    stands = []
    for what, reference, passed, wrong in steps:
        time += timedelta(minutes=passed)
        now = time + timedelta(minutes=wrong if clocks_differ else 0)
        events: list[SlotEvent] = []
        with suppress(Refused):
            match what:
                case "hold":
                    events = hold(book, wants(reference, at=now), places(capacity), now, LEAD)
                case "book":
                    events = book_place(book, reference, "zurich", now)
                case "free":
                    events = free(book, reference)
        for event in events:
            book = evolve(book, event)
        if book is not None:
            stands.append((book, now))
    return stands


steps: Any = st.lists(
    st.tuples(
        st.sampled_from(["hold", "book", "free"]),
        st.sampled_from([f"o{n}" for n in range(6)]),
        st.integers(0, 40),  # minutes that pass before it
        st.integers(-5, 5),  # minutes by which this replica's clock is wrong
    ),
    max_size=60,
)


@given(steps, st.integers(1, 3), st.booleans())
def test_never_are_more_places_booked_than_there_are(
    steps: Any, capacity: int, clocks_differ: bool
) -> None:
    for book, now in lived(steps, capacity, clocks_differ):
        assert len(book.booked) <= capacity
        assert clocks_differ or book.taken(now) <= capacity
        assert not book.booked & book.held.keys()
        assert not book.given_back & (book.booked | book.held.keys())
