"""When goods are brought that could not be brought before, or not then."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bus.messages import Refused, Window
from delivery.commands import RecordCheckpoint
from delivery.contract import DeliveryScheduled
from delivery.delivery import DeliveryEvent
from delivery.redelivery import Redelivery, agreed, next_day, reschedule, retry
from tests.delivery.histories import (
    CANCELLED,
    EVENING,
    NOON,
    PENDING,
    SCHEDULED,
    assigned,
    at,
    lived,
    moved,
    said,
    slot,
    stand,
)

ZURICH = ZoneInfo("Europe/Zurich")
TODAY = slot(at(60), at(120))
TOMORROW = slot(at(24 * 60), at(26 * 60))
FAILED = lived(said("picked_up", 1), said("attempt_failed", 30), now=at(31))


@pytest.mark.parametrize(
    ("before", "status"), [([SCHEDULED], "scheduled"), ([SCHEDULED, assigned("post")], "assigned")]
)
def test_what_is_not_on_its_way_yet_comes_at_another_time(
    before: Sequence[DeliveryEvent], status: str
) -> None:
    assert reschedule(stand(before), TODAY, at(5)) == [moved(0, 5, TODAY)]
    after = stand([*before, moved(0, 5, TODAY)])
    assert (after.status, after.slot, after.attempts) == (status, TODAY, 0)
    assert reschedule(after, TODAY, at(6)) == []
    assert reschedule(after, TOMORROW, at(6)) == [moved(0, 6, TOMORROW)]


def test_after_a_failed_attempt_there_is_another_one() -> None:
    assert reschedule(stand(FAILED), TODAY, at(40)) == [moved(1, 40, TODAY)]
    again = [*FAILED, moved(1, 40, TODAY)]
    assert (stand(again).status, stand(again).slot) == ("rescheduled", TODAY)
    assert reschedule(stand(again), TODAY, at(41)) == []
    assert reschedule(stand(again), TOMORROW, at(41)) == [moved(1, 41, TOMORROW)]
    out = lived(said("en_route", 60), begins=again)
    assert stand(out).status == "en_route"
    second = stand(lived(said("attempt_failed", 70), begins=out))
    assert (second.status, second.attempts) == ("attempt_failed", 2)


def test_a_carrier_who_only_says_that_it_failed_again_has_tried_twice() -> None:
    again = [*FAILED, moved(1, 40, TODAY)]
    assert stand(lived(said("attempt_failed", 70), begins=again)).attempts == 2


def test_what_is_told_late_does_not_undo_that_it_was_rescheduled() -> None:
    again = [*FAILED, moved(1, 40, TODAY)]
    for late in (said("en_route", 20), said("attempt_failed", 35), said("arrived", 39)):
        assert stand(lived(late, begins=again)).status == "rescheduled"


def test_a_carriers_fast_clock_does_not_hide_that_it_was_rescheduled() -> None:
    fast = lived(said("attempt_failed", 4), now=NOON)
    (event,) = reschedule(stand(fast), TODAY, at(1))
    assert stand([*fast, event]).status == "rescheduled"


def test_what_was_pending_is_arranged_by_saying_when() -> None:
    arranged = reschedule(stand([PENDING]), TODAY, at(5), "post")
    assert arranged == [
        SCHEDULED.model_copy(update={"carrier": "post", "slot": TODAY, "at": at(5)}),
        assigned("post", 5),
    ]
    after = stand([PENDING, *arranged])
    assert (after.status, after.slot, after.carrier) == ("assigned", TODAY, "post")
    (alone,) = reschedule(stand([PENDING]), TODAY, at(5))
    assert isinstance(alone, DeliveryScheduled)
    assert stand([PENDING, alone]).status == "scheduled"


def test_a_carrier_who_fetched_what_was_pending_has_it() -> None:
    fetched = stand(lived(said("picked_up", 1), begins=[PENDING], carrier="post"))
    assert (fetched.status, fetched.carrier) == ("picked_up", "post")


@pytest.mark.parametrize(
    ("history", "code"),
    [
        (lived(said("picked_up", 1)), "on_the_road"),
        (lived(said("en_route", 1)), "on_the_road"),
        (lived(said("arrived", 1)), "on_the_road"),
        (lived(said("delivered", 1)), "delivery_ended"),
        (lived(said("returned_to_sender", 1)), "delivery_ended"),
        ([SCHEDULED, CANCELLED], "delivery_ended"),
    ],
)
def test_what_cannot_be_rescheduled_is_refused(history: Sequence[DeliveryEvent], code: str) -> None:
    with pytest.raises(Refused) as refused:
        reschedule(stand(history), TODAY, at(5))
    assert refused.value.code == code


def test_a_window_that_is_over_is_refused() -> None:
    window = Window.model_validate({"from": at(0), "to": at(10)})
    assert agreed(window, at(9)) == slot(at(0), at(10))
    with pytest.raises(Refused) as refused:
        agreed(window, at(10))
    assert refused.value.code == "window_over"


def test_when_nobody_chooses_it_is_tried_again_the_next_day_until_it_was_often_enough() -> None:
    rule, history = Redelivery(attempts=3), [*FAILED, moved(1, 31, TODAY)]
    evenings = [EVENING + timedelta(days=days) for days in (0, 1)]
    history = lived(failing(evenings[0]), begins=history, now=evenings[0])
    again = retry(stand(history), rule, evenings[0], ZURICH)
    history = lived(failing(evenings[1]), begins=[*history, *again], now=evenings[1])
    assert stand(history).slot == slot(at(25 * 60), at(26 * 60))
    assert (stand(history).status, stand(history).attempts) == ("attempt_failed", 3)
    assert retry(stand(history), rule, evenings[1], ZURICH) == []
    # A person decides otherwise, or the carrier brings it back.
    assert reschedule(stand(history), slot(at(3000), at(3060)), evenings[1])
    assert stand(lived(said("returned_to_sender"), begins=history, now=evenings[1])).ended


def failing(then: datetime) -> RecordCheckpoint:
    return RecordCheckpoint(delivery_id="d1", status="attempt_failed", at=then)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [SCHEDULED],
        [*FAILED, moved(1, 40, TODAY)],
        lived(said("en_route", 60), begins=FAILED),
        lived(said("delivered", 60), begins=FAILED),
    ],
)
def test_nothing_is_tried_again_that_goes_on_anyway(history: Sequence[DeliveryEvent]) -> None:
    delivery = stand(history) if history else None
    assert retry(delivery, Redelivery(), EVENING, ZURICH) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # 10:00 to 12:00 on the clocks there, over the change to summer time and back.
        ((2026, 3, 28, 9), (2026, 3, 29, 8)),
        ((2026, 10, 24, 8), (2026, 10, 25, 9)),
    ],
)
def test_the_window_of_the_next_day_is_what_the_clocks_there_show(
    first: tuple[int, int, int, int], then: tuple[int, int, int, int]
) -> None:
    hours = timedelta(hours=2)
    start, again = (datetime(*hour, tzinfo=UTC) for hour in (first, then))
    history = [SCHEDULED.model_copy(update={"slot": slot(start, start + hours)})]
    delivery = stand(history)
    assert next_day(delivery, start + hours, ZURICH) == slot(again, again + hours)


def test_without_a_window_the_next_day_is_all_of_it() -> None:
    found = next_day(stand([SCHEDULED]), NOON, ZURICH)
    midnight = datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert found == slot(midnight, midnight + timedelta(days=1))


def test_decided_after_midnight_it_still_comes_that_day_unless_its_window_has_begun() -> None:
    last = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)  # 23:30 there
    window = slot(NOON, NOON + timedelta(hours=2))
    delivery = stand(
        lived(
            failing(last),
            begins=[SCHEDULED.model_copy(update={"slot": window})],
            now=last,
        )
    )
    first, second = (
        slot(NOON + timedelta(days=days), NOON + timedelta(days=days, hours=2)) for days in (1, 2)
    )
    assert next_day(delivery, last + timedelta(hours=1), ZURICH) == first
    assert next_day(delivery, NOON + timedelta(days=1), ZURICH) == second


def test_a_day_that_is_past_when_it_is_decided_is_not_chosen() -> None:
    late = NOON + timedelta(days=9)
    assert next_day(stand(FAILED), late, ZURICH).from_ > late
