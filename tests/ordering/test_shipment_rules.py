"""The rules of an order that two warehouses send, as histories."""

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations

import pytest

from bus.messages import Refused
from ordering import cancelling, return_rules, rules, shipment_rules
from ordering.contract import TERMINAL, Item, Slot
from ordering.order import Order, OrderCompleted, OrderEvent, SlotChanged, evolve
from ordering.policies import POLICIES
from ordering.return_rules import Terms
from ordering.views import present
from tests.ordering import histories as ordering
from tests.ordering.histories import (
    ARRANGED,
    CANCELLED,
    COMPLETED,
    DELIVERED,
    DELIVERY,
    MUGS,
    NOTHING,
    NOW,
    SLOT,
    money_back,
)
from tests.ordering.shared import (
    ALL_CAME_BACK,
    ALL_REFUNDED,
    ALL_RETURNED,
    ALL_TAKEN,
    ASKED_FOR,
    BOTH_PLACED,
    BOWLS,
    CANCELLED_ORDER,
    CANCELLING,
    CAPTURED,
    DONE,
    FIRST,
    GONE_ANYWAY,
    LAST_ON_THE_WAY,
    LEFT,
    NEW,
    ONE_BACK,
    ONE_LEFT,
    PAID,
    PARTLY_PAID_BACK,
    PARTS,
    PAYING,
    SCHEDULED,
    SECOND,
    SECOND_RETURNED,
    SHAPES,
    SHIPMENTS,
    SPLIT,
    TOTAL,
    UNDELIVERED,
    ZURICH,
    called_off,
    moved,
    replay,
)

Rule = Callable[[Order], rules.Events]


def of(delivery_id: str) -> dict[str, Rule]:
    """What can be heard of a shipment."""
    n = 1 if delivery_id == FIRST else 2
    return {
        f"arrange {n}": lambda o: shipment_rules.arrange_delivery(o, delivery_id, None, NOW),
        f"ship {n}": lambda o: shipment_rules.ship(o, delivery_id, NOW),
        f"deliver {n}": lambda o: shipment_rules.deliver(o, delivery_id, NOW),
        f"take_back {n}": lambda o: shipment_rules.take_back(o, delivery_id, NOW),
        f"call_off {n}": lambda o: shipment_rules.call_off_delivery(o, delivery_id, NOW),
    }


STEPS: dict[str, Rule] = {
    "request_payment": lambda o: rules.request_payment(o, NOW, "vaduz", PARTS),
    **of(FIRST),
    **of(SECOND),
    "take_payment": lambda o: shipment_rules.take_payment(o, TOTAL, NOW),
    "abandon": lambda o: cancelling.abandon(o, "out_of_stock", NOW),
    "return_money": lambda o: cancelling.return_money(o, NOTHING, NOW),
}

abandoned = called_off("out_of_stock")
arrived = [moved(FIRST, "delivered"), DELIVERED]
given_up = [ALL_RETURNED, called_off("returned_to_sender")]

EXPECTED: dict[str, dict[str, list[OrderEvent]]] = {
    "split_new": {
        "request_payment": [SPLIT, ASKED_FOR],
        "abandon": [abandoned.model_copy(update={"deliveries": ()})],
    },
    "split_paying": {"abandon": [abandoned]},
    "split_paid": {
        "arrange 1": [moved(FIRST, "scheduled")],
        "arrange 2": [moved(SECOND, "scheduled")],
        "ship 1": [moved(FIRST, "shipped"), LEFT],
        "ship 2": [moved(SECOND, "shipped"), LEFT],
        "abandon": [abandoned],
    },
    "split_half_booked": {
        "arrange 1": [moved(FIRST, "scheduled"), ARRANGED],
        "ship 1": [moved(FIRST, "shipped"), LEFT],
        "ship 2": [moved(SECOND, "shipped"), LEFT],
        "abandon": [abandoned],
    },
    "split_scheduled": {
        "ship 1": [moved(FIRST, "shipped"), LEFT],
        "ship 2": [moved(SECOND, "shipped"), LEFT],
        "abandon": [abandoned],
    },
    "split_one_left": {
        "ship 1": [moved(FIRST, "shipped")],
        "deliver 2": [moved(SECOND, "delivered")],
        "take_back 2": [moved(SECOND, "returned")],
        "take_payment": [ALL_TAKEN],
    },
    "split_captured": {
        "ship 1": [moved(FIRST, "shipped")],
        "deliver 2": [moved(SECOND, "delivered")],
        "take_back 2": [moved(SECOND, "returned")],
    },
    "split_one_came": {"ship 1": [moved(FIRST, "shipped")]},
    "split_one_back": {"ship 1": [moved(FIRST, "shipped")]},
    "split_both_left": {
        "deliver 1": [moved(FIRST, "delivered")],
        "deliver 2": [moved(SECOND, "delivered")],
        "take_back 1": [moved(FIRST, "returned")],
        "take_back 2": [moved(SECOND, "returned")],
    },
    "split_unpaid_at_the_door": {"take_payment": [ALL_TAKEN, COMPLETED, *UNDELIVERED]},
    "split_all_came_back": {"return_money": [money_back(), CANCELLED]},
    "split_cancelling": {
        "ship 1": [moved(FIRST, "shipped")],
        "ship 2": [moved(SECOND, "shipped")],
        "call_off 1": [moved(FIRST, "cancelled")],
        "call_off 2": [moved(SECOND, "cancelled")],
        "return_money": [money_back()],
    },
    "split_one_called_off": {
        "ship 2": [moved(SECOND, "shipped")],
        "call_off 2": [moved(SECOND, "cancelled")],
        "return_money": [money_back()],
    },
    "split_one_gone": {
        "ship 1": [moved(FIRST, "shipped"), CANCELLED],
        "call_off 1": [moved(FIRST, "cancelled"), CANCELLED],
        "deliver 2": [moved(SECOND, "delivered")],
        "take_back 2": [moved(SECOND, "returned")],
    },
    "split_gone_anyway": {
        "deliver 2": [moved(SECOND, "delivered"), DELIVERED],
        "take_back 2": [moved(SECOND, "returned"), SECOND_RETURNED],
    },
}
"""What every step decides at every stage; where it isn't named, nothing."""

FIRST_IN_THE_HOUSE = ["deliver 1", "take_back 1"]
IN_THE_HOUSE = [*FIRST_IN_THE_HOUSE, "deliver 2", "take_back 2"]
NOT_CALLED_OFF = ["call_off 1", "call_off 2", "return_money"]
NOT_CONFIRMED = ["arrange 1", "arrange 2", "ship 1", "ship 2"]
NOT_PICKED_UP = [*IN_THE_HOUSE, "take_payment"]

TOO_EARLY: dict[str, list[str]] = {
    "split_new": ["take_payment", "return_money"],
    "split_paying": [*NOT_CONFIRMED, *NOT_PICKED_UP, *NOT_CALLED_OFF],
    "split_paid": [*NOT_PICKED_UP, *NOT_CALLED_OFF],
    "split_half_booked": [*NOT_PICKED_UP, *NOT_CALLED_OFF],
    "split_scheduled": [*NOT_PICKED_UP, *NOT_CALLED_OFF],
    "split_one_left": [*FIRST_IN_THE_HOUSE, *NOT_CALLED_OFF],
    "split_captured": [*FIRST_IN_THE_HOUSE, *NOT_CALLED_OFF],
    "split_one_came": [*FIRST_IN_THE_HOUSE, *NOT_CALLED_OFF],
    "split_one_back": [*FIRST_IN_THE_HOUSE, *NOT_CALLED_OFF],
    "split_both_left": NOT_CALLED_OFF,
    "split_unpaid_at_the_door": NOT_CALLED_OFF,
    "split_cancelling": NOT_PICKED_UP,
    "split_one_called_off": ["deliver 2", "take_back 2", "take_payment"],
    "split_one_gone": FIRST_IN_THE_HOUSE,
}
"""Steps that must be brought again: what they follow from has not been heard of yet."""

SPLIT_STAGES = [stage for stage in SHAPES if stage != "split_new"]


@pytest.mark.parametrize(
    ("stage", "step"), [(stage, step) for stage, steps in TOO_EARLY.items() for step in steps]
)
def test_a_step_that_comes_before_its_turn_is_not_lost(stage: str, step: str) -> None:
    with pytest.raises(Refused) as refusal:
        STEPS[step](replay(SHAPES[stage]))
    assert refusal.value.code == "too_early"


@pytest.mark.parametrize("stage", SHAPES)
def test_a_step_decides_only_what_is_its_turn(stage: str) -> None:
    order = replay(SHAPES[stage])
    # Before it is split its deliveries are not its own.
    steps = STEPS if order.shipments else ["request_payment", "abandon"]
    for step in steps:
        if step not in TOO_EARLY.get(stage, ()):
            found = list(STEPS[step](order))
            assert found == EXPECTED.get(stage, {}).get(step, []), step


@pytest.mark.parametrize(
    ("stage", "step"), [(stage, step) for stage, steps in EXPECTED.items() for step in steps]
)
def test_a_step_taken_twice_decides_nothing_more(stage: str, step: str) -> None:
    after = [*SHAPES[stage], *STEPS[step](replay(SHAPES[stage]))]
    assert list(STEPS[step](replay(after))) == []


@pytest.mark.parametrize("stage", SHAPES)
def test_what_is_heard_of_a_delivery_of_something_else_moves_nothing(stage: str) -> None:
    order = replay(SHAPES[stage])
    if not order.shipments:
        return
    for rule in (shipment_rules.deliver, shipment_rules.take_back):
        assert list(rule(order, "dlv_1-3", NOW)) == []
    if order.status != "pending":
        assert list(shipment_rules.ship(order, "dlv_1-3", NOW)) == []


@pytest.mark.parametrize("stage", SHAPES)
def test_every_stage_is_told_apart_from_its_end(stage: str) -> None:
    ends = {"done", "partly_done", "partly_paid_back", "all_refunded", "cancelled", "gone_anyway"}
    ended = replay(SHAPES[stage]).status in TERMINAL
    assert ended == (stage.removeprefix("split_") in ends)


# --- what is told


def test_an_order_shows_its_shipments_only_where_there_are_several() -> None:
    assert present(replay(NEW), 1).shipments is None
    found = present(replay(ONE_BACK), 1)
    assert found.delivery_id == FIRST
    assert found.shipments is not None
    assert [(each.delivery_id, each.status) for each in found.shipments] == [
        (FIRST, "scheduled"),
        (SECOND, "returned"),
    ]
    assert [each.items for each in found.shipments] == [part.items for part in PARTS]


@pytest.mark.parametrize(
    ("history", "status"),
    [
        (PAID, "unfulfilled"),
        ([*PAID, moved(FIRST, "scheduled")], "unfulfilled"),
        (SCHEDULED, "scheduled"),
        (ONE_LEFT, "shipped"),
        (ONE_BACK, "shipped"),
        (LAST_ON_THE_WAY, "shipped"),
        (DONE, "delivered"),
        (PARTLY_PAID_BACK, "delivered"),
        (ALL_CAME_BACK, "returned"),
        (CANCELLED_ORDER, "unfulfilled"),
        (GONE_ANYWAY, "shipped"),
    ],
)
def test_an_order_has_come_as_far_as_its_shipments(history: list[OrderEvent], status: str) -> None:
    assert replay(history).fulfillment_status == status


# --- deliveries


def test_each_shipment_is_booked_from_its_warehouse_with_what_is_in_it() -> None:
    booked = shipment_rules.bookings(replay(PAID))
    assert [(b.delivery_id, b.warehouse_id) for b in booked] == [
        (FIRST, "vaduz"),
        (SECOND, ZURICH),
    ]
    assert [[(i.sku, i.quantity) for i in b.items] for b in booked] == [
        [("MUG-BLUE", 2)],
        [("BOWL", 3)],
    ]
    assert {(b.reference, b.slot_id) for b in booked} == {("ord_1", None)}


def test_the_slot_is_that_of_the_first_shipment() -> None:
    order = replay([BOTH_PLACED.model_copy(update={"slot": SLOT}), *PAID[1:]])
    assert [booked.slot_id for booked in shipment_rules.bookings(order)] == ["s1", None]
    (called,) = cancelling.cancel(order, "changed_my_mind", NOW)
    assert [each.slot_id for each in POLICIES[type(called)](called)[1:]] == ["s1", None]  # type: ignore[index]


@pytest.mark.parametrize("slot", [SLOT, None])
def test_the_slot_is_what_delivery_says(slot: Slot | None) -> None:
    order = replay([*PAID, moved(FIRST, "scheduled", slot)])
    assert shipment_rules.arrange_delivery(order, SECOND, None, NOW) == [
        moved(SECOND, "scheduled"),
        ARRANGED.model_copy(update={"slot": slot}),
    ]


def test_a_third_shipment_has_a_delivery_of_its_own() -> None:
    third = PARTS[0].model_copy(update={"warehouse_id": "basel"})
    split, _ = rules.request_payment(replay(NEW), NOW, "vaduz", (*PARTS, third))
    order = evolve(replay(NEW), split)
    assert [each.delivery_id for each in order.shipments] == [FIRST, SECOND, "dlv_1-3"]


# --- calling off


@pytest.mark.parametrize("history", [PAYING, PAID, SCHEDULED])
def test_all_deliveries_are_called_off_until_the_first_is_picked_up(
    history: list[OrderEvent],
) -> None:
    assert list(cancelling.cancel(replay(history), "changed_my_mind", NOW)) == [called_off()]


@pytest.mark.parametrize("history", [ONE_LEFT, CAPTURED, ONE_BACK, LAST_ON_THE_WAY])
def test_nothing_is_called_off_any_more_once_one_has_left(history: list[OrderEvent]) -> None:
    with pytest.raises(Refused, match="have it returned") as refusal:
        cancelling.cancel(replay(history), "changed_my_mind", NOW)
    assert refusal.value.code == "already_shipped"


@pytest.mark.parametrize("endings", list(permutations(["call_off 1", "ship 2", "return_money"])))
def test_it_is_cancelled_only_once_the_money_and_every_shipment_are_certain(
    endings: tuple[str, ...],
) -> None:
    history = list(CANCELLING)
    for ending in endings:
        assert replay(history).status == "cancelling"
        history += STEPS[ending](replay(history))
    order = replay(history)
    assert (order.status, order.payment_status, order.fulfillment_status) == (
        "cancelled",
        "voided",
        "shipped",
    )
    assert LEFT not in history  # and so nothing is captured


# --- what comes back undelivered


@pytest.mark.parametrize(
    "steps", list(permutations(["take_payment", "deliver 1", "take_back 2"])), ids="-".join
)
def test_what_could_not_be_delivered_is_given_back_when_the_rest_has_come(
    steps: tuple[str, ...],
) -> None:
    history = [*ONE_LEFT, moved(FIRST, "shipped")]
    for step in steps:
        history += STEPS[step](replay(history))
    assert history[-3:] == [COMPLETED, *UNDELIVERED]
    order = replay(history)
    assert (order.status, order.fulfillment_status) == ("completed", "delivered")
    (back,) = order.returns
    history += return_rules.settle(order, back.return_id, back.refund, NOW)
    order = replay(history)
    assert (order.payment_status, order.refunded) == ("partially_refunded", BOWLS.line_total)


def test_what_never_arrived_cannot_be_sent_back_again() -> None:
    order = replay(PARTLY_PAID_BACK)
    bowl, mugs = (Item(sku="BOWL", quantity=1),), (Item(sku="MUG-BLUE", quantity=2),)
    with pytest.raises(Refused) as refusal:
        return_rules.request(order, bowl, "chipped", Terms(), NOW)
    assert refusal.value.code == "too_many_returned"
    asked, _ = return_rules.request(order, mugs, "chipped", Terms(), NOW)
    # With what came back already, that is all of it.
    assert asked.refund == MUGS.line_total + DELIVERY  # type: ignore[union-attr]


@pytest.mark.parametrize("order", list(permutations(["take_back 1", "take_back 2"])))
def test_an_order_of_which_nothing_could_be_delivered_is_refunded_and_cancelled(
    order: tuple[str, ...],
) -> None:
    history = [*CAPTURED, moved(FIRST, "shipped")]
    for step in order:
        history += STEPS[step](replay(history))
    assert history[-2:] == given_up
    assert not any(isinstance(event, OrderCompleted) for event in history)
    assert list(cancelling.return_money(replay(history), TOTAL, NOW)) == [
        money_back(TOTAL),
        CANCELLED,
    ]
    assert replay(ALL_REFUNDED).refunded == TOTAL


def test_shipments_are_those_of_the_reservation() -> None:
    assert replay(PAYING).shipments == SHIPMENTS
    quoted_elsewhere = BOTH_PLACED.model_copy(update={"warehouse_id": "basel"})
    assert replay([quoted_elsewhere, *PAYING[1:]]).warehouse_id == SHIPMENTS[0].warehouse_id


EVENING = Slot.model_validate({"slot_id": "agreed", "from": NOW, "to": NOW + timedelta(hours=2)})
LATER = Slot.model_validate({"slot_id": "agreed", "from": NOW, "to": NOW + timedelta(hours=9)})


def at_another_time(slot: Slot) -> SlotChanged:
    return SlotChanged(order_id="ord_1", slot=slot, at=NOW)


def test_another_time_of_a_shipment_is_shown_and_that_of_the_first_in_a_slot_by_the_order() -> None:
    order = replay(SCHEDULED)
    moves = shipment_rules.change_slot(order, SECOND, EVENING, NOW)
    assert moves == [moved(SECOND, "scheduled", EVENING), at_another_time(EVENING)]
    after = replay([*SCHEDULED, *moves])
    assert [each.slot for each in after.shipments] == [None, EVENING]
    assert after.slot == EVENING
    assert shipment_rules.change_slot(after, SECOND, EVENING, NOW) == []
    first = shipment_rules.change_slot(after, FIRST, LATER, NOW)
    assert first == [moved(FIRST, "scheduled", LATER), at_another_time(LATER)]
    both = replay([*SCHEDULED, *moves, *first])
    assert shipment_rules.change_slot(both, SECOND, LATER, NOW) == [
        moved(SECOND, "scheduled", LATER)
    ]


def test_a_shipment_that_was_tried_comes_at_another_time_and_leaves_no_shelf_twice() -> None:
    order = replay(ONE_LEFT)
    assert shipment_rules.change_slot(order, SECOND, EVENING, NOW) == [
        moved(SECOND, "shipped", EVENING),
        at_another_time(EVENING),
    ]


@pytest.mark.parametrize(
    "history", [ordering.SCHEDULED, ordering.UNDER_WAY, ordering.CAPTURED, ordering.PAID]
)
def test_the_time_of_an_order_that_comes_at_once_is_changed(history: list[OrderEvent]) -> None:
    order = replay(history)
    assert shipment_rules.change_slot(order, FIRST, EVENING, NOW) == [at_another_time(EVENING)]
    after = replay([*history, at_another_time(EVENING)])
    assert after.slot == EVENING
    assert shipment_rules.change_slot(after, FIRST, EVENING, NOW) == []


@pytest.mark.parametrize(
    "history", [ordering.DONE, ordering.CANCELLING, ordering.REFUNDED, CANCELLED_ORDER]
)
def test_what_is_not_to_come_any_more_comes_at_no_other_time(history: list[OrderEvent]) -> None:
    assert shipment_rules.change_slot(replay(history), FIRST, EVENING, NOW) == []


def test_nothing_is_moved_before_it_was_confirmed() -> None:
    with pytest.raises(Refused) as refused:
        shipment_rules.change_slot(replay(ordering.PAYING), FIRST, EVENING, NOW)
    assert refused.value.code == "too_early"
