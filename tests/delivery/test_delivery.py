"""The life of a delivery, told as histories."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Event, NotFound, Position, Refused
from delivery.checkpoints import MAX_CHECKPOINTS, record
from delivery.commands import RecordCheckpoint
from delivery.contract import (
    Checkpoint,
    DeliveryAttemptFailed,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    Packed,
    Proof,
    Scan,
    Slot,
)
from delivery.delivery import DeliveryEvent, DeliveryRequested
from delivery.scheduling import Booking, cancel, schedule
from delivery.views import document
from tests.delivery.histories import (
    CANCEL,
    CANCELLED,
    EVENING,
    NOON,
    SCHEDULE,
    SCHEDULED,
    VADUZ,
    WHOSE,
    at,
    failed,
    lived,
    refusal,
    replay,
    said,
    scan,
    stand,
)


def test_a_delivery_says_what_is_in_it_if_it_was_told() -> None:
    packed = (Packed(sku="MUG", quantity=2), Packed(sku="BOWL", quantity=1))
    events = schedule(None, SCHEDULE.model_copy(update={"items": packed}), NOON)
    assert events == [SCHEDULED.model_copy(update={"items": packed})]
    delivery = replay(events)
    assert delivery
    assert document(delivery).items == packed
    untold = replay([SCHEDULED])
    assert untold
    assert document(untold).items is None


def test_a_delivery_is_scheduled_once() -> None:
    assert schedule(None, SCHEDULE, NOON) == [SCHEDULED]
    assert schedule(replay([SCHEDULED]), SCHEDULE, NOON) == []
    assert stand([SCHEDULED]).status == "scheduled"


def test_an_id_is_not_given_to_two_references() -> None:
    other = SCHEDULE.model_copy(update={"reference": "o2"})
    with pytest.raises(Refused, match="delivery of o1, not of o2") as refused:
        schedule(replay([SCHEDULED]), other, NOON)
    assert refused.value.code == "delivery_exists"
    with pytest.raises(Refused):
        cancel(replay([SCHEDULED]), CANCEL.model_copy(update={"reference": "o2"}))


def test_what_cannot_be_arranged_stays_pending() -> None:
    history = schedule(None, SCHEDULE.model_copy(update={"slot_id": "monday"}), NOON)
    assert [type(event) for event in history] == [DeliveryRequested]
    pending = stand(history)
    assert (pending.status, pending.since, pending.destination) == ("pending", NOON, VADUZ)
    assert schedule(pending, SCHEDULE, EVENING) == []
    assert cancel(pending, CANCEL) == [CANCELLED]


def test_a_delivery_comes_in_the_slot_that_was_booked_for_it() -> None:
    when = Slot.model_validate({"slot_id": "monday", "from": at(60), "to": at(120)})
    wanted = SCHEDULE.model_copy(update={"slot_id": "monday"})
    (scheduled,) = schedule(None, wanted, NOON, booking=Booking(when))
    assert scheduled == SCHEDULED.model_copy(update={"slot": when})


def test_a_delivery_whose_slot_is_lost_is_scheduled_without_one_and_says_so() -> None:
    wanted = SCHEDULE.model_copy(update={"slot_id": "monday"})
    (scheduled,) = schedule(None, wanted, NOON, booking=Booking(None))
    assert scheduled == SCHEDULED.model_copy(update={"slot_lost": "monday"})
    shown = document(stand([scheduled]))
    assert (shown.slot, shown.slot_lost) == (None, "monday")


def test_a_scheduled_delivery_is_cancelled_once() -> None:
    assert cancel(replay([SCHEDULED]), CANCEL) == [CANCELLED]
    assert cancel(replay([SCHEDULED, CANCELLED]), CANCEL) == []
    assert stand([SCHEDULED, CANCELLED]).status == "cancelled"


def test_a_delivery_that_was_cancelled_first_is_never_scheduled() -> None:
    assert cancel(None, CANCEL) == [CANCELLED]
    assert schedule(replay([CANCELLED]), SCHEDULE, NOON) == []
    late = SCHEDULE.model_copy(update={"slot_id": "monday"})
    assert schedule(replay([CANCELLED]), late, NOON) == []
    assert stand([CANCELLED]).status == "cancelled"


@pytest.mark.parametrize(
    "status", ["picked_up", "en_route", "arrived", "attempt_failed", "delivered"]
)
def test_cancelling_after_the_pick_up_does_nothing(status: Scan) -> None:
    assert cancel(replay(lived(said(status, 1))), CANCEL) == []


def test_the_way_from_the_warehouse_to_the_door() -> None:
    history = lived(
        said("picked_up", 1), said("en_route", 2), said("arrived", 30), said("delivered", 31)
    )
    assert history == [
        SCHEDULED,
        DeliveryPickedUp(**WHOSE, at=at(1)),
        scan("picked_up", 1),
        scan("en_route", 2),
        scan("arrived", 30),
        scan("delivered", 31),
        DeliveryDelivered(**WHOSE, at=at(31)),
    ]
    assert stand(history).status == "delivered"


def test_a_failed_attempt_is_made_again_or_the_goods_come_back() -> None:
    failed = [said("picked_up", 1), said("en_route", 2), said("attempt_failed", 3)]
    assert stand(lived(*failed)).status == "attempt_failed"
    assert stand(lived(*failed, said("en_route", 4))).status == "en_route"
    back = lived(*failed, said("returned_to_sender", 90))
    assert back[-1] == DeliveryReturned(**WHOSE, at=at(90))
    assert stand(back).status == "returned_to_sender"


def test_a_failed_attempt_is_told_of_and_counted() -> None:
    day = [said("picked_up", 1), said("attempt_failed", 3), said("attempt_failed", 4)]
    history = lived(*day, said("en_route", 60), said("attempt_failed", 70))
    assert [event for event in history if isinstance(event, DeliveryAttemptFailed)] == [
        failed(1, 3),
        failed(2, 70),
    ]
    assert stand(history).attempts == 2


def test_a_failed_attempt_told_of_late_counts_but_moves_nothing_back() -> None:
    out_again = lived(said("picked_up", 1), said("en_route", 9), said("attempt_failed", 5))
    assert (stand(out_again).status, stand(out_again).attempts) == ("en_route", 1)
    over = lived(said("picked_up", 1), said("delivered", 9), said("attempt_failed", 5))
    assert (stand(over).status, stand(over).attempts) == ("delivered", 1)
    assert DeliveryAttemptFailed not in map(type, over)


def test_who_took_the_goods_is_kept() -> None:
    neighbour = Proof(name="A. Neighbour", note="at number 14")
    delivered = stand(lived(said("delivered", 9, proof=neighbour)))
    assert delivered.checkpoints[-1].proof == neighbour


def test_a_checkpoint_without_a_time_happens_now() -> None:
    position = Position(lat=47.1, lon=9.5)
    history = lived(said("picked_up", position=position, note="two parcels"), now=at(7))
    assert stand(history).checkpoints == (
        Checkpoint(status="picked_up", position=position, at=at(7), note="two parcels"),
    )


@pytest.mark.parametrize(
    "status", ["en_route", "arrived", "attempt_failed", "delivered", "returned_to_sender"]
)
def test_whoever_has_the_goods_has_picked_them_up(status: Scan) -> None:
    history = lived(said(status, 5))
    assert history[1:3] == [DeliveryPickedUp(**WHOSE, at=at(5)), scan(status, 5)]
    assert [seen.status for seen in stand(history).checkpoints] == [status]


def test_a_repeated_checkpoint_changes_nothing() -> None:
    history = lived(said("picked_up", 1), said("en_route", 2), said("delivered", 3))
    for repeated in (said("picked_up", 1), said("en_route", 2, note="again"), said("delivered", 3)):
        assert record(replay(history), repeated, EVENING) == []
    assert record(replay(history), said("delivered"), EVENING) == []


def test_a_pick_up_that_is_told_twice_happens_once() -> None:
    history = lived(said("en_route", 5), said("picked_up", 1), said("picked_up", 2))
    assert history.count(DeliveryPickedUp(**WHOSE, at=at(5))) == 1
    assert sum(isinstance(event, DeliveryPickedUp) for event in history) == 1


def test_a_late_checkpoint_takes_its_place_and_does_not_move_the_delivery_back() -> None:
    delivery = stand(lived(said("picked_up", 1), said("arrived", 9), said("en_route", 2)))
    assert delivery.status == "arrived"
    assert [seen.status for seen in delivery.checkpoints] == ["picked_up", "en_route", "arrived"]


def test_what_happened_before_the_end_may_be_told_after_it() -> None:
    history = lived(said("picked_up", 1), said("delivered", 9), said("en_route", 2))
    assert stand(history).status == "delivered"
    assert [seen.at for seen in stand(history).checkpoints] == [at(1), at(2), at(9)]


@pytest.mark.parametrize("end", ["delivered", "returned_to_sender"])
@pytest.mark.parametrize(
    "after",
    [
        said("en_route"),
        said("en_route", 10),
        said("picked_up", 30),
        said("delivered", 8),
        said("returned_to_sender", 8),
        said("delivered", 10),
    ],
)
def test_nothing_happens_after_the_end(end: Scan, after: RecordCheckpoint) -> None:
    refused = refusal(lived(said("picked_up", 1), said(end, 9)), after)
    assert refused.code == "delivery_ended"
    assert refused.details == {"status": end}


def test_nobody_brings_what_was_cancelled() -> None:
    histories: list[list[DeliveryEvent]] = [[SCHEDULED, CANCELLED], [CANCELLED]]
    for history in histories:
        for checkpoint in (said("picked_up"), said("delivered", 1)):
            assert refusal(history, checkpoint).code == "delivery_ended"


def test_a_carriers_clock_may_be_five_minutes_ahead() -> None:
    ahead = EVENING + timedelta(minutes=5)
    fine = RecordCheckpoint(delivery_id="d1", status="picked_up", at=ahead)
    assert record(replay([SCHEDULED]), fine, EVENING)[0] == DeliveryPickedUp(**WHOSE, at=ahead)
    wrong = fine.model_copy(update={"at": ahead + timedelta(milliseconds=1)})
    assert refusal([SCHEDULED], wrong).code == "checkpoint_in_future"


def test_a_delivery_nobody_heard_of_has_no_checkpoints() -> None:
    refused = refusal([], said("picked_up"))
    assert isinstance(refused, NotFound)
    assert refused.code == "unknown_delivery"


def test_a_carrier_gone_wild_is_stopped_but_the_delivery_can_end() -> None:
    wild = [scan("en_route", minute) for minute in range(MAX_CHECKPOINTS)]
    history: list[DeliveryEvent] = [SCHEDULED, DeliveryPickedUp(**WHOSE, at=at(0)), *wild]
    assert refusal(history, said("en_route")).code == "too_many_checkpoints"
    assert record(replay(history), said("delivered"), EVENING)[-1] == DeliveryDelivered(
        **WHOSE, at=EVENING
    )


def told(history: Sequence[Event]) -> list[type[Event]]:
    milestones = (DeliveryPickedUp, DeliveryDelivered, DeliveryReturned)
    return sorted((type(e) for e in history if isinstance(e, milestones)), key=lambda t: t.__name__)


def test_the_order_in_which_checkpoints_come_does_not_matter() -> None:
    whole_day = [
        said("picked_up", 1),
        said("en_route", 2, position=Position(lat=47.1, lon=9.5)),
        said("attempt_failed", 3, position=Position(lat=47.2, lon=9.5)),
        said("en_route", 4),
        said("delivered", 5),
    ]
    expected = stand(lived(*whole_day))
    for order in permutations(whole_day):
        history = lived(*order)
        assert stand(history) == expected
        assert told(history) == [DeliveryDelivered, DeliveryPickedUp]


between: Any = st.sampled_from(["picked_up", "en_route", "arrived", "attempt_failed"])


@given(
    st.lists(st.tuples(between, st.integers(0, 20)), max_size=8),
    st.sampled_from(["delivered", "returned_to_sender", None]),
    st.randoms(use_true_random=False),
)
def test_repeated_and_shuffled_checkpoints_end_in_the_same_state(
    scans: list[tuple[Scan, int]], end: Scan | None, chance: Any
) -> None:
    day = [said(status, minute) for status, minute in scans]
    if end is not None:
        day.append(said(end, 20))
    mixed = day + day[:3]
    chance.shuffle(mixed)
    if not day:
        return
    history = lived(*mixed)
    assert stand(history) == stand(lived(*day))
    assert told(history) == told(lived(*day))
    assert sum(issubclass(kind, DeliveryPickedUp) for kind in told(history)) == 1
