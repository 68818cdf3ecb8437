"""What ordering tells itself: the steps of an order's life, sent by its policies and timers."""

from __future__ import annotations

from bus.messages import Command, Money
from ordering.contract import NextAction, Slot


class Step(Command[None]):
    """One step of an order's life.

    Taken twice, or too late, it changes nothing; refused with `too_early` before its turn.
    """

    order_id: str


class RequestPayment(Step, name="ordering.RequestPayment"):
    """The stock is kept."""


class RejectOrder(Step, name="ordering.RejectOrder"):
    """The stock is short, or costs something else by now."""

    reason: str


class ConfirmOrder(Step, name="ordering.ConfirmOrder"):
    """The money is set aside."""


class DeclinePayment(Step, name="ordering.DeclinePayment"):
    """The gateway said no."""

    attempt: int
    reason: str


class RequireAction(Step, name="ordering.RequireAction"):
    """The gateway wants something of the buyer."""

    attempt: int
    action: NextAction


class ExpireOrder(Step, name="ordering.ExpireOrder"):
    """Time is up."""


class ArrangeDelivery(Step, name="ordering.ArrangeDelivery"):
    """Somebody will bring the goods."""

    slot: Slot | None = None


class BookDelivery(Step, name="ordering.BookDelivery"):
    """The shop will deliver: have somebody bring the goods to where the order says."""


class ShipOrder(Step, name="ordering.ShipOrder"):
    """The carrier has the goods."""


class TakePayment(Step, name="ordering.TakePayment"):
    """The money has been captured."""

    amount: Money


class DeliverOrder(Step, name="ordering.DeliverOrder"):
    """The goods are at the door."""


class TakeBack(Step, name="ordering.TakeBack"):
    """The carrier brought the goods back."""


class CallOffDelivery(Step, name="ordering.CallOffDelivery"):
    """Nobody will fetch the goods."""


class ReturnMoney(Step, name="ordering.ReturnMoney"):
    """Nothing is held any more; `amount` had been taken and was refunded (`None`: nothing was)."""

    amount: Money | None = None


class AbandonOrder(Step, name="ordering.AbandonOrder"):
    """The shop cannot serve the order after all."""

    reason: str
