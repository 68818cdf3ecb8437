"""Everybody whom an order of two shipments has to do with, in memory: ordering's and catalog's own
rules, a bank and carriers, who hear of one another late and in any order."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from bus.messages import Command, Event, Money, Refused
from catalog import reservation, shipping
from catalog.contract import (
    AllocateStock,
    ReleaseStock,
    ReserveStock,
    RestockStock,
    ShipStock,
)
from delivery.contract import (
    CancelDelivery,
    DeliveryCancelled,
    DeliveryDelivered,
    DeliveryPickedUp,
    DeliveryReturned,
    DeliveryScheduled,
    ScheduleDelivery,
)
from ordering import cancelling, rules, shipment_rules
from ordering.commands import BookDelivery, Step
from ordering.handlers import STEPS
from ordering.order import Order, OrderEvent, evolve
from ordering.policies import POLICIES
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    CapturePayment,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentRefunded,
    PaymentVoided,
    RefundPayment,
)
from tests.catalog.histories import Room
from tests.ordering.histories import START


class Bank:
    """Holds, takes and gives back, each once."""

    def __init__(self, reference: str) -> None:
        self._whose: dict[str, Any] = {"payment_id": "pay_1", "reference": reference}
        self.held: Money | None = None
        self.taken: Money | None = None
        self.given: dict[str, Money] = {}
        self.cancelled = False

    def hear(self, command: Command[Any]) -> list[Event]:
        match command:
            case AuthorizePayment(amount=amount) if self.held is None:
                if self.cancelled:
                    return []
                self.held = amount
                return [PaymentAuthorized(**self._whose, attempt=1, amount=amount)]
            case CapturePayment() if not self.cancelled and self.taken is None:
                self.taken = self.held
                assert self.taken
                return [PaymentCaptured(**self._whose, amount=self.taken)]
            case CancelPayment() if not self.cancelled:
                self.cancelled = True
                if self.taken is None:
                    return [PaymentVoided(**self._whose)]
                return self._give("cancellation", self.taken)
            case RefundPayment(refund_id=id, amount=amount) if id not in self.given:
                assert self.taken
                return self._give(id, amount)
        return []

    def _give(self, id: str, amount: Money) -> list[Event]:
        self.given[id] = amount
        return [PaymentRefunded(**self._whose, amount=amount, refund_id=id)]


class Trips:
    """The deliveries, each as its carrier knows it."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self.status: dict[str, str] = {}

    def hear(self, command: Command[Any]) -> list[Event]:
        match command:
            case ScheduleDelivery(delivery_id=id) if id not in self.status:
                self.status[id] = "scheduled"
                return [
                    DeliveryScheduled(
                        delivery_id=id,
                        reference=self._reference,
                        warehouse_id=command.warehouse_id,
                        destination=command.destination,
                        carrier="house",
                        tracking_number=id,
                    )
                ]
            case CancelDelivery(delivery_id=id) if self.status.get(id) in (None, "scheduled"):
                self.status[id] = "cancelled"
                return [DeliveryCancelled(delivery_id=id, reference=self._reference)]
        return []

    def go_on(self, id: str, how: str, at: datetime) -> list[Event]:
        """The carrier has come so far."""
        news: dict[str, Callable[..., Event]] = {
            "picked_up": DeliveryPickedUp,
            "delivered": DeliveryDelivered,
            "returned": DeliveryReturned,
        }
        self.status[id] = how
        return [news[how](delivery_id=id, reference=self._reference, at=at)]

    def next(self) -> list[tuple[str, str]]:
        """What carriers may do."""
        goes_on = {"scheduled": ["picked_up"], "picked_up": ["delivered", "returned"]}
        return [(id, how) for id, now in self.status.items() for how in goes_on.get(now, [])]


class World:
    """One order and all who hear of it. Whatever is `waiting` comes at last, each stream in
    order."""

    def __init__(self, placed: OrderEvent, room: Room) -> None:
        self.history: list[OrderEvent] = []
        self.room = room
        self.bank = Bank(placed.order_id)
        self.trips = Trips(placed.order_id)
        self.waiting: dict[str, list[Event]] = defaultdict(list)
        self.handled: list[Command[Any]] = []
        self._done: set[tuple[str, int, int]] = set()
        self._brought: dict[str, int] = defaultdict(int)
        self._now = START
        self._happen([placed])

    @property
    def order(self) -> Order:
        order: Order | None = reduce(evolve, self.history, None)
        assert order
        return order

    def lanes(self) -> list[str]:
        """The streams of which something is to be heard."""
        return sorted(lane for lane, events in self.waiting.items() if events)

    def bring(self, lane: str) -> bool:
        """Bring the next event of a stream, as far as it is its turn; whether it was."""
        event = self.waiting[lane][0]
        for number, command in enumerate(POLICIES[type(event)](event)):
            once = (lane, self._brought[lane], number)
            if once in self._done:
                continue
            try:
                self.handle(command)
            except Refused as refusal:
                if refusal.code != "too_early":
                    raise
                return False
            self._done.add(once)
        self.waiting[lane].pop(0)
        self._brought[lane] += 1
        return True

    def handle(self, command: Command[Any]) -> None:
        """What whoever it is for does about it."""
        self._now += timedelta(seconds=1)
        self.handled.append(command)
        match command:
            case BookDelivery():
                for booking in shipment_rules.bookings(self.order):
                    self.handle(booking)
            case Step():
                self._happen(STEPS[type(command)](self.order, command))
            case ScheduleDelivery() | CancelDelivery():
                self._tell(command.delivery_id, self.trips.hear(command))
            case ReserveStock() | AllocateStock() | ReleaseStock() | ShipStock() | RestockStock():
                self._tell("catalog", self._store(command))
            case _:
                self._tell("payment", self.bank.hear(command))

    def carry(self, id: str, how: str) -> None:
        """A carrier goes on."""
        self._tell(id, self.trips.go_on(id, how, self._now))

    def cancel(self) -> None:
        """The buyer would rather not."""
        try:
            self._happen(cancelling.cancel(self.order, "changed_my_mind", self._now))
        except Refused as refusal:
            if refusal.code not in ("already_shipped", "order_ended"):
                raise

    def _store(self, command: Any) -> list[Event]:
        id, items = command.reservation_id, self.room.items
        kept = self.room.reservations.get(id)
        match command:
            case ReserveStock():
                events = reservation.reserve(kept, items, command, self._now)
            case AllocateStock():
                events = reservation.allocate(kept, items, id)
            case ReleaseStock():
                events = reservation.release(kept, id)
            case ShipStock(warehouse_id=part):
                events = shipping.ship(kept, id, part)
            case _:
                events = shipping.restock(kept, command)
        self.room.do(id, events)
        return events

    def _happen(self, events: rules.Events) -> None:
        self.history += events
        self._tell("order", events)

    def _tell(self, lane: str, events: Sequence[Event]) -> None:
        self.waiting[lane] += [event for event in events if type(event) in POLICIES]
