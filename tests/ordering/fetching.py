"""Histories of order `ord_1` of which something is sent back, and fetched."""

from datetime import timedelta

from bus.messages import Window
from ordering.contract import PickupStatus, PickupWish
from ordering.order import OrderEvent
from ordering.returns import PickupCalledOff, PickupMoved, PickupRequested, Return
from tests.ordering.histories import (
    DONE,
    NOW,
    PRICE,
    approved,
    came_back,
    replay,
    sending_back,
    turned_down,
)

WHEN = Window.model_validate({"from": NOW, "to": NOW + timedelta(hours=2)})
LATER = Window.model_validate({"from": NOW, "to": NOW + timedelta(hours=9)})
WISH = PickupWish(window=WHEN)

ASKED_FOR = sending_back(1, PRICE).model_copy(update={"pickup": WISH})
WANTED = PickupRequested(order_id="ord_1", return_id="ret_1_1", delivery_id="dlv_r1_1", at=NOW)
STAYS = PickupCalledOff(order_id="ord_1", return_id="ret_1_1", delivery_id="dlv_r1_1", at=NOW)


def moved(status: PickupStatus, window: Window | None = None) -> PickupMoved:
    return PickupMoved(order_id="ord_1", return_id="ret_1_1", status=status, window=window, at=NOW)


def the_return(history: list[OrderEvent]) -> Return:
    """The one return of an order."""
    (found,) = replay(history).returns
    return found


WAITING: list[OrderEvent] = [*DONE, ASKED_FOR]
TO_BE_FETCHED: list[OrderEvent] = [*WAITING, approved(), WANTED]
ARRANGED: list[OrderEvent] = [*TO_BE_FETCHED, moved("scheduled", WHEN)]
ON_ITS_WAY: list[OrderEvent] = [*ARRANGED, moved("on_its_way")]
ARRIVED: list[OrderEvent] = [*ON_ITS_WAY, moved("arrived")]
NOT_FETCHED: list[OrderEvent] = [*ARRANGED, moved("failed")]
REJECTED: list[OrderEvent] = [*ARRANGED, turned_down(), STAYS]
BROUGHT: list[OrderEvent] = [*ARRANGED, came_back(1, 0, PRICE), STAYS]

FETCHING: dict[str, list[OrderEvent]] = {
    "wants_a_pickup": WAITING,
    "to_be_fetched": TO_BE_FETCHED,
    "pickup_arranged": ARRANGED,
    "pickup_on_its_way": ON_ITS_WAY,
    "pickup_arrived": ARRIVED,
    "pickup_failed": NOT_FETCHED,
    "pickup_called_off": [*REJECTED, moved("cancelled")],
    "pickup_called_off_too_late": [*REJECTED, moved("on_its_way"), moved("arrived")],
    "brought_before_it_was_fetched": BROUGHT,
}
"""A return in every stage of being fetched."""
