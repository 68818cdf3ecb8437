"""How the goods of a return are fetched, told as histories."""

from datetime import timedelta

import pytest

from bus.messages import Money, Refused
from ordering import pickups
from ordering.contract import Item, Pickup, PickupStatus, PickupWish
from ordering.order import OrderEvent
from ordering.return_rules import Terms, approve, move_pickup, receive, reject, request
from ordering.return_views import present
from ordering.returns import ReturnReceived
from tests.ordering.fetching import (
    ARRANGED,
    ARRIVED,
    ASKED_FOR,
    BROUGHT,
    FETCHING,
    LATER,
    NOT_FETCHED,
    ON_ITS_WAY,
    REJECTED,
    STAYS,
    TO_BE_FETCHED,
    WAITING,
    WANTED,
    WHEN,
    WISH,
    moved,
    the_return,
)
from tests.ordering.histories import (
    DONE,
    NOW,
    PRICE,
    TO_COME_BACK,
    approved,
    came_back,
    replay,
    sending_back,
    turned_down,
)

ONE = (Item(sku="MUG-BLUE", quantity=1),)
DEAR = Terms(auto_approve=0)


def test_who_wants_it_fetched_has_it_fetched_once_it_is_approved() -> None:
    done = replay(DONE)
    assert request(done, ONE, "chipped", Terms(), NOW, WISH) == [ASKED_FOR, approved(), WANTED]
    assert request(done, ONE, "chipped", DEAR, NOW, WISH) == [ASKED_FOR]
    assert approve(the_return(WAITING), "admin:cli", NOW) == [
        approved(by="admin:cli"),
        WANTED,
    ]
    assert approve(the_return(TO_BE_FETCHED), "admin:cli", NOW) == []


def test_who_says_nothing_of_it_sends_it() -> None:
    assert request(replay(DONE), ONE, "chipped", Terms(), NOW) == [
        sending_back(1, PRICE),
        approved(),
    ]
    assert present(the_return(TO_COME_BACK)).pickup is None


def test_any_time_suits_who_names_none() -> None:
    requested, *_ = request(replay(DONE), ONE, "chipped", Terms(), NOW, PickupWish())
    history = [*DONE, requested, approved(), WANTED]
    pickup = present(the_return(history)).pickup
    assert pickup is not None
    assert (pickup.delivery_id, pickup.status, pickup.window) == ("dlv_r1_1", "requested", None)


def test_nothing_is_fetched_in_a_window_that_is_past() -> None:
    for late in (timedelta(hours=2), timedelta(days=1)):
        with pytest.raises(Refused) as refused:
            request(replay(DONE), ONE, "chipped", Terms(), NOW + late, WISH)
        assert refused.value.code == "pickup_window_over"


@pytest.mark.parametrize(
    ("history", "status"),
    [
        (TO_BE_FETCHED, "requested"),
        (ARRANGED, "scheduled"),
        (ON_ITS_WAY, "on_its_way"),
        (ARRIVED, "arrived"),
        (NOT_FETCHED, "failed"),
        (REJECTED, "cancelled"),
        (BROUGHT, "cancelled"),
    ],
)
def test_a_return_shows_how_far_it_is_with_that(
    history: list[OrderEvent], status: PickupStatus
) -> None:
    shown = present(the_return(history)).pickup
    assert shown is not None
    assert (shown.delivery_id, shown.status, shown.window) == ("dlv_r1_1", status, WHEN)


MOVES: list[tuple[list[OrderEvent], tuple[PickupStatus, ...]]] = [
    (TO_BE_FETCHED, ("scheduled", "on_its_way", "arrived", "failed", "cancelled")),
    (ARRANGED, ("on_its_way", "arrived", "failed", "cancelled")),
    (ON_ITS_WAY, ("arrived", "failed")),
    (ARRIVED, ()),
    (NOT_FETCHED, ()),
    # The carrier was faster than whoever called it off.
    (REJECTED, ("on_its_way", "arrived", "failed")),
    (BROUGHT, ("on_its_way", "arrived", "failed")),
    (TO_COME_BACK, ()),
]
"""A stage, and where its delivery may move it."""

STATUSES: tuple[PickupStatus, ...] = (
    "requested", "scheduled", "on_its_way", "arrived", "failed", "cancelled",
)  # fmt: skip


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("history", "goes_on"), MOVES)
def test_its_delivery_moves_it_on_and_never_back(
    history: list[OrderEvent], goes_on: tuple[PickupStatus, ...], status: PickupStatus
) -> None:
    expected = [moved(status)] if status in goes_on else []
    assert move_pickup(replay(history), "ret_1_1", status, None, NOW) == expected


def test_another_time_is_shown_as_long_as_nobody_has_come() -> None:
    order = replay(ARRANGED)
    assert move_pickup(order, "ret_1_1", "scheduled", WHEN, NOW) == []
    assert move_pickup(order, "ret_1_1", "scheduled", LATER, NOW) == [moved("scheduled", LATER)]
    assert the_return([*ARRANGED, moved("scheduled", LATER)]).pickup == Pickup(
        delivery_id="dlv_r1_1", status="scheduled", window=LATER
    )
    assert move_pickup(replay(ON_ITS_WAY), "ret_1_1", "scheduled", LATER, NOW) == []


def test_a_return_that_there_is_not_moves_nowhere() -> None:
    assert move_pickup(replay(DONE), "ret_1_1", "arrived", None, NOW) == []


def test_nobody_need_come_for_what_was_rejected() -> None:
    assert reject(the_return(ARRANGED), "used", NOW) == [turned_down(), STAYS]
    assert reject(the_return(TO_BE_FETCHED), "used", NOW) == [turned_down(), STAYS]
    # It was not approved yet, nobody has been asked, or they have it.
    for history in (WAITING, TO_COME_BACK, ON_ITS_WAY, ARRIVED, NOT_FETCHED):
        assert reject(the_return(history), "used", NOW) == [turned_down()]


def test_nobody_need_come_for_what_the_buyer_has_brought() -> None:
    def received(history: list[OrderEvent]) -> list[OrderEvent]:
        return list(receive(replay(history), the_return(history), (), NOW))

    assert received(ARRANGED) == [came_back(1, 0, PRICE), STAYS]
    assert received(ARRIVED) == [came_back(1, 0, PRICE)]
    assert received(ON_ITS_WAY) == [came_back(1, 0, PRICE)]


@pytest.mark.parametrize("stage", FETCHING)
def test_being_fetched_pays_for_nothing(stage: str) -> None:
    order = replay(FETCHING[stage])
    paid = any(isinstance(event, ReturnReceived) for event in FETCHING[stage])
    assert the_return(FETCHING[stage]).received == paid
    assert order.refunded == Money(amount=0, currency="EUR")
    assert (order.status, order.payment_status) == ("completed", "captured")


def test_a_return_and_the_delivery_that_fetches_it_find_each_other() -> None:
    assert pickups.delivery_id("ret_12_0f") == "dlv_r12_0f"
    assert pickups.return_id("dlv_r12_0f") == "ret_12_0f"
