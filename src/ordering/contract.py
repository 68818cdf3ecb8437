"""What ordering says to the world: a basket is quoted, an order placed, paid, cancelled, returned
and read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from bus.messages import (
    ERASED,
    Address,
    Command,
    Document,
    Done,
    Id,
    Model,
    Money,
    Page,
    Personal,
    Quantity,
    Query,
    Text,
    Window,
)

Method = Literal["card", "store_credit"]

Status = Literal[
    "pending", "confirmed", "completed", "rejected", "expired", "cancelling", "cancelled"
]
PaymentStatus = Literal[
    "not_paid",
    "requires_action",
    "authorized",
    "captured",
    "partially_refunded",
    "refunded",
    "voided",
    "declined",
]
FulfillmentStatus = Literal["unfulfilled", "scheduled", "shipped", "delivered", "returned"]
ShipmentStatus = Literal[
    "unfulfilled", "scheduled", "shipped", "delivered", "returned", "cancelled"
]
ReturnStatus = Literal["requested", "approved", "rejected", "received", "refunded"]

PickupStatus = Literal["requested", "scheduled", "on_its_way", "arrived", "failed", "cancelled"]
"""`arrived`: the goods are at the warehouse, where somebody is to look at them; `failed`: they stay
with the buyer."""

TERMINAL: frozenset[Status] = frozenset({"completed", "rejected", "expired", "cancelled"})


class Means(Model):
    """How the buyer pays: `token` stands for the card, as the gateway's browser library made it.

    With `use_credit`, the buyer's store credit pays first and the card what is left.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"method": {"const": "card"}}},
            "then": {"properties": {"token": {"type": "string"}}, "required": ["token"]},
        }
    )

    method: Method
    token: Annotated[Text, Personal(ERASED)] | None = Field(default=None, validate_default=True)
    use_credit: bool = False

    @field_validator("token")
    @classmethod
    def _a_card_has_a_token(cls, token: str | None, others: ValidationInfo) -> str | None:
        if token is None and others.data.get("method") == "card":
            raise ValueError("a card is paid with by its token: send one")
        return token


class NextAction(Model):
    """What the buyer has to do before the gateway goes on: 3-D Secure, say."""

    type: str
    url: str


class Slot(Model):
    """A window of time in which the goods can be brought."""

    slot_id: str
    from_: datetime = Field(alias="from")
    to: datetime


class Item(Model):
    """So many pieces of a SKU."""

    sku: Id
    quantity: Quantity


Basket = Annotated[tuple[Item, ...], Field(min_length=1, max_length=200)]

QuoteId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._\-]+$", max_length=4096)]
"""A quote, as whoever was given it names it: a signed token that may stand in an address."""


class PricedItem(Model):
    """One line of a quote or an order."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    line_total: Money


class QuotedItem(PricedItem):
    """One line of a quote; `available` says whether there is enough of it now."""

    available: bool


class Quote(Model):
    """What a basket costs at somebody's door: money in minor units, metres, seconds. An order that
    names it by its `quote_id` is placed at these prices until it expires."""

    quote_id: str
    items: tuple[QuotedItem, ...]
    product_cost: Money
    delivery_cost: Money
    total: Money
    distance_m: int
    duration_s: int
    warehouse_id: str
    slots: tuple[Slot, ...]
    expires_at: datetime


class ShippedItem(Model):
    """So many pieces of a SKU that one warehouse sends."""

    sku: str
    quantity: int


class Shipment(Model):
    """What one of several warehouses sends of an order, with a delivery of its own."""

    delivery_id: str
    warehouse_id: str
    items: tuple[ShippedItem, ...]
    status: ShipmentStatus = "unfulfilled"
    slot: Slot | None = None


class OrderDocument(Model):
    """An order as its buyer sees it. `short_skus` are those for which it was rejected; `shipments`
    are told where there are several, of which `delivery_id` brings the first."""

    order_id: str
    buyer_id: str
    status: Status
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    items: tuple[PricedItem, ...]
    destination: Address
    product_cost: Money
    delivery_cost: Money
    total: Money
    refunded: Money
    payment_id: str
    delivery_id: str
    shipments: tuple[Shipment, ...] | None = None
    slot: Slot | None = None
    next_action: NextAction | None = None
    reason: str | None = None
    short_skus: tuple[str, ...] | None = None
    placed_at: datetime
    updated_at: datetime
    version: int

    @property
    def deliveries(self) -> tuple[str, ...]:
        """The ids of the deliveries that bring it, the first one first."""
        return tuple(each.delivery_id for each in self.shipments or ()) or (self.delivery_id,)


class QuoteBasket(Query[Quote], name="ordering.QuoteBasket"):
    """What would this basket cost there?

    Refused with `unknown_sku`, `total_too_large`, `unknown_address`, `no_warehouse`, `unreachable`,
    `outside_zones`, `too_heavy` or `unknown_tariff`.
    """

    items: Basket
    destination: Address


class PlaceOrder(Command[Done[OrderDocument]], name="ordering.PlaceOrder"):
    """Order these items; the answer is the order as it stands right then. With a `quote_id`, at the
    prices and the delivery cost of that quote, whatever they are by now.

    Refused as a quote is, with `total_changed` when the total is not `expected_total`, with
    `unknown_slot`, `slot_over` or `slot_full` when it cannot come in that slot, and with
    `nothing_to_pay` and, where store credit is to pay all of it, `insufficient_credit`. A quote
    that is named is refused with `unknown_quote` if it is not the client's, with `quote_expired`,
    and with `quote_mismatch` when it is for another basket or destination.
    """

    buyer_id: Id
    items: Basket
    destination: Address
    payment: Means
    slot_id: Id | None = None
    quote_id: QuoteId | None = None
    expected_total: Money | None = None


class PayOrder(Means, Command[Done[OrderDocument]], name="ordering.PayOrder"):
    """Pay again with other means, or after the buyer has done what the gateway asked for.

    Refused with `already_paid`, `order_ended` and `payment_under_way`.
    """

    order_id: Id


class CancelOrder(Command[Done[OrderDocument]], name="ordering.CancelOrder"):
    """Call the order off; allowed until the carrier has picked it up. Refused with
    `already_shipped` and `order_ended`."""

    order_id: Id
    reason: Text | None = None


class ReturnedItem(Model):
    """So many pieces of a SKU that are sent back."""

    sku: str
    quantity: int


class PickupWish(Model):
    """The goods are to be fetched where they were brought to; in this window, if it matters."""

    window: Window | None = None


class Pickup(PickupWish):
    """How the goods of a return are fetched: by which delivery, how far that is, and when they are
    fetched, if that is agreed."""

    delivery_id: str
    status: PickupStatus = "requested"


class ReturnDocument(Model):
    """A return as the buyer sees it; `refund` is settled when the goods have been received. A
    `pickup` is there from the approval on, where one was asked for."""

    return_id: str
    order_id: str
    status: ReturnStatus
    items: tuple[ReturnedItem, ...]
    reason: str
    refund: Money
    requested_at: datetime
    rejection: str | None = None
    pickup: Pickup | None = None


class RequestReturn(Command[Done[ReturnDocument]], name="ordering.RequestReturn"):
    """Send these pieces of a completed order back, or with a `pickup` have them fetched.

    Refused with `not_delivered`, `payment_under_way`, `order_ended`, `return_window_over`,
    `not_in_order`, `too_many_returned` and `pickup_window_over`.
    """

    order_id: Id
    items: Basket
    reason: Text
    pickup: PickupWish | None = None


class ReturnList(Model):
    """Returns of an order, newest first, and whether there are more."""

    data: tuple[ReturnDocument, ...]
    has_more: bool = False


class GetReturns(Query[ReturnList], name="ordering.GetReturns"):
    """The returns of an order, newest first: all, or so many. Refused with `unknown_order`, and
    with `unknown_return` when there is none to start after."""

    order_id: Id
    limit: int | None = Field(default=None, ge=1, le=100)
    starting_after: Id | None = None


class GetPickup(Query[Document], name="ordering.GetPickup"):
    """The delivery that fetches the goods of a return. Refused with `unknown_order`,
    `unknown_return` and, if nobody fetches them, `no_pickup`."""

    order_id: Id
    return_id: Id


class GetOrder(Query[Document], name="ordering.GetOrder"):
    """The order as it is now. Refused with `unknown_order`, also for another client's."""

    order_id: Id


class GetOrderAsOf(Query[Document], name="ordering.GetOrderAsOf"):
    """The order as it was at a time. Refused with `unknown_order` if it was not placed yet."""

    order_id: Id
    at: AwareDatetime


class AwaitOrder(Query[OrderDocument], name="ordering.AwaitOrder"):
    """The order once it has settled: it has moved on, or it is the buyer's turn.

    With a `version`, as it was when it first had at that one or later, so that asking again finds
    the same. After `seconds`, as it is then. Refused with `unknown_order`.
    """

    order_id: Id
    seconds: int = Field(ge=0, le=30)
    version: int = Field(default=0, ge=0)


class FollowOrder(Query[tuple[Document, ...]], name="ordering.FollowOrder"):
    """What the order has become since a version, state by state, the oldest first; as soon as it
    has become anything, or nothing after `seconds`. Refused with `unknown_order`."""

    order_id: Id
    after: int = Field(ge=0)
    seconds: int = Field(ge=0, le=60)


class ListOrders(Query[Page], name="ordering.ListOrders"):
    """The asker's orders, newest first; once the lists know the log up to `min_position`. Refused
    with `unknown_order` when there is none to start after, and with `unknown_position`."""

    buyer_id: Id | None = None
    status: Status | None = None
    limit: int = Field(default=20, ge=1, le=100)
    starting_after: Id | None = None
    min_position: int = Field(default=0, ge=0)


class Happening(Model):
    """One event of an order's history."""

    position: int
    version: int
    type: str
    at: datetime
    data: dict[str, object]


class Happenings(Model):
    """An order's history, oldest first; always whole."""

    data: tuple[Happening, ...]
    has_more: bool = False


class GetHistory(Query[tuple[Happening, ...]], name="ordering.GetHistory"):
    """Everything that happened to an order, oldest first. Refused with `unknown_order`."""

    order_id: Id
