"""Whatever two carriers, the buyer and the bank do, and in whatever order it is heard: an order of
two shipments comes to its end, its money adds up, and so does the stock of either warehouse."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Money
from catalog.contract import ShipStock
from ordering.contract import Shipment, ShipmentStatus
from ordering.order import OrderCancelled, OrderCompleted, OrderShipped, PaymentTaken, evolve
from ordering.shipments import IN_THE_HOUSE, ShipmentMoved
from payment.contract import CapturePayment
from tests.catalog.histories import Room
from tests.catalog.test_sourcing_rules import kept
from tests.ordering.histories import NOTHING
from tests.ordering.shared import BOTH_PLACED, TOTAL, VADUZ, ZURICH
from tests.ordering.test_order_interleavings import MOVES
from tests.ordering.world import World

PATIENCE = 100
"""Rounds within which everything is over."""

GOES_ON: dict[ShipmentStatus, set[ShipmentStatus]] = {
    "unfulfilled": {"scheduled", "shipped", "cancelled"},
    "scheduled": {"shipped", "cancelled"},
    "shipped": {"delivered", "returned"},
}

PRICES = {item.sku: item.unit_price for item in BOTH_PLACED.items}

ON_HAND = {(VADUZ, "MUG-BLUE"): 2, (VADUZ, "BOWL"): 1, (ZURICH, "BOWL"): 2}
"""For two mugs and three bowls both are needed, for the bowls alone too."""


def begun() -> World:
    room = Room()
    for sku in PRICES:
        room.items[sku] = kept(sku, **{w: n for (w, s), n in ON_HAND.items() if s == sku})
    return World(
        BOTH_PLACED.model_copy(update={"warehouses": (VADUZ, ZURICH), "agreed": True}), room
    )


def live(world: World, choices: list[int], cancels_at: int) -> None:
    """Something happens as often as there are choices, then whatever is still to come."""
    for number, choice in enumerate(choices):
        if number == cancels_at:
            world.cancel()
        lanes, acts = world.lanes(), world.trips.next()
        if not lanes and not acts:
            break
        chosen = choice % (len(lanes) + len(acts))
        if chosen < len(lanes):
            world.bring(lanes[chosen])
        else:
            world.carry(*acts[chosen - len(lanes)])
    for number in range(PATIENCE):
        if world.lanes():
            heard = [world.bring(lane) for lane in world.lanes()]
            assert any(heard), f"it hangs: {world.order}, {world.trips.status}"
        elif acts := world.trips.next():
            called_off = world.order.status in ("cancelling", "cancelled")
            assert not (called_off and any(how == "picked_up" for _, how in acts))
            world.carry(*acts[choices[number % len(choices)] % len(acts)])
        else:
            return
    raise AssertionError("it never ends")


def check_history(world: World) -> None:
    """What holds at every event."""
    order, before = evolve(None, world.history[0]), world.history[:1]
    for event in world.history[1:]:
        after = evolve(order, event)
        assert after.status == order.status or after.status in MOVES[order.status]
        match event:
            case ShipmentMoved(delivery_id=id, status=status):
                (one,) = (each for each in order.shipments if each.delivery_id == id)
                assert status in GOES_ON[one.status]
                assert (status == "cancelled") <= (order.status == "cancelling")
            case OrderShipped():
                assert (order.status, order.payment_status) == ("confirmed", "authorized")
                assert not any(isinstance(each, OrderShipped) for each in before)
            case PaymentTaken():
                assert order.shipped
            case OrderCompleted():
                assert order.payment_status == "captured"
                assert {each.status for each in order.shipments} <= {"delivered", "returned"}
            case OrderCancelled():
                assert order.payment_status in ("voided", "refunded")
                assert all(each.status not in IN_THE_HOUSE for each in order.shipments)
            case _:
                pass
        order, before = after, [*before, event]


def check_money(world: World) -> None:
    """What was taken is what is kept and what was given back."""
    order, bank = world.order, world.bank
    taken, given = bank.taken or NOTHING, sum(bank.given.values(), NOTHING)
    assert sum(isinstance(each, CapturePayment) for each in world.handled) <= 1
    assert order.refunded == given
    if order.status == "cancelled":
        assert bank.cancelled
        assert taken == given
        return
    assert order.status == "completed"
    assert (taken, bank.cancelled) == (TOTAL, False)
    back = [each for each in order.shipments if each.status == "returned"]
    assert given == sum(map(worth, back), NOTHING)


def worth(shipment: Shipment) -> Money:
    return sum((PRICES[x.sku].times(x.quantity) for x in shipment.items), NOTHING)


def check_stock(world: World) -> None:
    """Nothing is kept any more, and what has left either warehouse is what its carrier took."""
    order = world.order
    left = [each.warehouse_id for each in world.handled if isinstance(each, ShipStock)]
    assert len(set(left)) == len(left)
    assert None not in left
    for (warehouse, sku), before in ON_HAND.items():
        item = world.room.items[sku]
        assert item
        there = item.at(warehouse)
        gone = sum(
            part.quantity
            for each in order.shipments
            if each.warehouse_id == warehouse
            for part in each.items
            if part.sku == sku and is_gone(world, each)
        )
        assert (there.on_hand, there.reserved, there.allocated) == (before - gone, 0, 0)


def is_gone(world: World, shipment: Shipment) -> bool:
    """Whether it was brought to the buyer, or came back from an order that was called off while the
    rest was brought: nobody has looked at it yet."""
    trip, order = world.trips.status[shipment.delivery_id], world.order
    kept = order.status == "cancelled" and order.fulfillment_status != "returned"
    return trip == "delivered" or (trip == "returned" and kept)


CHOICES = st.lists(st.integers(0, 59), min_size=1, max_size=60)


@settings(max_examples=300)
@given(choices=CHOICES, cancels_at=st.integers(-20, 40))
def test_however_it_goes_two_shipments_come_to_an_end_and_the_books_are_right(
    choices: list[int], cancels_at: int
) -> None:
    world = begun()
    live(world, choices, cancels_at)
    check_history(world)
    check_money(world)
    check_stock(world)
