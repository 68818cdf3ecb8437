"""Payment's wiring: who handles what, and which reader calls the gateway."""

from __future__ import annotations

from bus.context import Context
from bus.platform import Platform
from payment.balance import BALANCE_EVENTS
from payment.balances import register_balances
from payment.calls import AuthorizationRequested, CaptureRequested, RefundRequested, VoidRequested
from payment.commands import AskAgain, RecordOutcome, RenewAuthorization
from payment.contract import AuthorizePayment, CancelPayment, CapturePayment, RefundPayment
from payment.effects import READER, Effects
from payment.gateway import Gateway
from payment.handlers import Handlers
from payment.payment import EVENTS
from payment.policies import SCHEDULES
from payment.queries import GetPayment, ListPayments, Reconcile
from payment.views import PAYMENTS, Books, Queries


def register(platform: Platform, gateway: Gateway, *, currency: str) -> Context:
    """Put payment on the platform; `gateway` moves the money, in the shop's `currency`."""
    home = platform.context(
        "payment",
        events=(*EVENTS, *BALANCE_EVENTS),
        timed=(AskAgain, RenewAuthorization),
    )
    bus = platform.bus

    handle = Handlers(home.streams, currency)
    bus.handle(AuthorizePayment, handle.authorize)
    bus.handle(CapturePayment, handle.capture)
    bus.handle(CancelPayment, handle.cancel)
    bus.handle(RefundPayment, handle.refund)
    bus.handle(RecordOutcome, handle.record)
    bus.handle(AskAgain, handle.ask_again)
    bus.handle(RenewAuthorization, handle.renew)

    effect = Effects(gateway, bus)
    bus.subscribe(
        READER,
        {
            AuthorizationRequested: effect.authorize,
            CaptureRequested: effect.call,
            VoidRequested: effect.call,
            RefundRequested: effect.call,
        },
    )
    bus.schedule("payment.clock", SCHEDULES)

    register_balances(bus, home, currency)

    documents = home.view(PAYMENTS)
    queries = Queries(home, documents)
    bus.handle(GetPayment, queries.get)
    bus.handle(ListPayments, queries.list)
    bus.handle(Reconcile, Books(home, documents, gateway).reconcile)
    return home
