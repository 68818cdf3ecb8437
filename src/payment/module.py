"""Payment's wiring: who handles what, and which reader calls the gateway."""

from __future__ import annotations

from bus.context import Context
from bus.platform import Platform
from payment.commands import (
    GetPayment,
    ListPayments,
    RecordAuthorization,
    RecordCapture,
    RecordRefund,
    RecordVoid,
)
from payment.contract import AuthorizePayment, CancelPayment, CapturePayment
from payment.effects import READER, Effects
from payment.gateway import Gateway
from payment.handlers import Handlers
from payment.payment import (
    EVENTS,
    AuthorizationRequested,
    CaptureRequested,
    RefundRequested,
    VoidRequested,
)
from payment.views import PAYMENTS, Queries


def register(platform: Platform, gateway: Gateway) -> Context:
    """Put payment on the platform; `gateway` moves the money."""
    home = platform.context("payment", events=EVENTS)
    bus = platform.bus

    handle = Handlers(home.streams)
    bus.handle(AuthorizePayment, handle.authorize)
    bus.handle(CapturePayment, handle.capture)
    bus.handle(CancelPayment, handle.cancel)
    bus.handle(RecordAuthorization, handle.record_authorization)
    bus.handle(RecordCapture, handle.record_capture)
    bus.handle(RecordVoid, handle.record_void)
    bus.handle(RecordRefund, handle.record_refund)

    effect = Effects(gateway, bus)
    bus.subscribe(
        READER,
        {
            AuthorizationRequested: effect.authorize,
            CaptureRequested: effect.capture,
            VoidRequested: effect.void,
            RefundRequested: effect.refund,
        },
    )

    queries = Queries(home.view(PAYMENTS))
    bus.handle(GetPayment, queries.get)
    bus.handle(ListPayments, queries.list)
    return home
