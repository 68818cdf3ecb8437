"""Ordering's wiring, in one table."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

from bus.context import Context
from bus.platform import Platform
from bus.signing import Signer
from ordering import commands as steps
from ordering.buyer import BuyerForgotten
from ordering.buyer_handlers import BuyerHandlers
from ordering.contract import (
    AwaitOrder,
    CancelOrder,
    FollowOrder,
    GetHistory,
    GetOrder,
    GetOrderAsOf,
    GetPickup,
    GetReturns,
    ListOrders,
    PayOrder,
    PlaceOrder,
    QuoteBasket,
    RequestReturn,
)
from ordering.handlers import STEPS, Handlers
from ordering.order import OrderEvent
from ordering.placing import Placing
from ordering.policies import POLICIES, SCHEDULES
from ordering.return_handlers import ReturnHandlers
from ordering.return_rules import Terms
from ordering.return_views import RETURNS, ReturnReads
from ordering.views import ORDERS, Reads


def register(
    platform: Platform,
    *,
    signer: Signer,
    quote_validity: timedelta,
    expiry: timedelta,
    reservation_ttl: timedelta,
    terms: Terms = Terms(),  # noqa: B008
) -> Context:
    """Put ordering to work: who signs quotes and how long they hold, how long an order may wait for
    its money, and its goods be kept, and what may be sent back."""
    bus = platform.bus
    home = platform.context(
        "ordering",
        events=(*get_args(OrderEvent), BuyerForgotten),
        timed=(steps.ExpireOrder,),
    )
    lists = home.view(ORDERS)
    reads = Reads(home, lists)
    back = ReturnReads(bus, home, home.view(RETURNS))
    places = Placing(
        bus,
        home,
        signer,
        quote_validity=quote_validity,
        expiry=expiry,
        reservation_ttl=reservation_ttl,
    )
    does = Handlers(bus, home)
    takes_back = ReturnHandlers(bus, home, terms)
    forgets = BuyerHandlers(home, lists)

    bus.handle(QuoteBasket, places.quote)
    bus.handle(PlaceOrder, places.place)
    bus.handle(steps.PlaceAgreedOrder, places.place)
    bus.handle(PayOrder, does.pay)
    bus.handle(CancelOrder, does.cancel)
    bus.handle(GetOrder, reads.get)
    bus.handle(GetOrderAsOf, reads.as_of)
    bus.handle(AwaitOrder, reads.wait)
    bus.handle(FollowOrder, reads.follow)
    bus.handle(ListOrders, reads.list)
    bus.handle(GetHistory, reads.history)
    bus.handle(RequestReturn, takes_back.request)
    bus.handle(GetReturns, back.of_order)
    bus.handle(GetPickup, back.pickup)
    bus.handle(steps.ApproveReturn, takes_back.approve)
    bus.handle(steps.RejectReturn, takes_back.reject)
    bus.handle(steps.ReceiveReturn, takes_back.receive)
    bus.handle(steps.GetReturn, back.get)
    bus.handle(steps.ListReturns, back.list)
    bus.handle(steps.BookDelivery, does.book_delivery)
    bus.handle(steps.BookPickup, takes_back.book_pickup)
    bus.handle(steps.CheckForgettable, forgets.check)
    bus.handle(steps.ForgetBuyer, forgets.forget)
    for step, rule in STEPS.items():
        bus.handle(step, does.step(rule))

    bus.react("ordering.checkout", POLICIES)
    bus.schedule("ordering.expiry", SCHEDULES)
    return home
