"""Ordering's part of the REST surface."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.responses import Response

from bus.dispatch import Bus
from bus.messages import Done, NotFound, Page
from bus.rest import Ask, Endpoint, answer, document, done, page, waiting, waits
from delivery.contract import DeliveryDocument, GetDelivery
from ordering.contract import (
    AwaitOrder,
    CancelOrder,
    GetHistory,
    GetOrder,
    GetPickup,
    GetReturns,
    Happenings,
    ListOrders,
    OrderDocument,
    PayOrder,
    PlaceOrder,
    Quote,
    QuoteBasket,
    RequestReturn,
    ReturnDocument,
)

BASKET: dict[str, Any] = {
    "items": [{"sku": "MUG-BLUE", "quantity": 2}],
    "destination": {
        "house_number": "12",
        "road": "Landstrasse",
        "district": "Schaan",
        "postcode": "9494",
        "country": "LI",
    },
}


def endpoints(bus: Bus) -> list[Endpoint]:
    """The rows of the surface."""

    async def settle(ask: Ask, found: Done[OrderDocument]) -> Done[OrderDocument]:
        seconds = waits(ask.http)
        if not seconds:
            return found
        order_id, version = found.answer.order_id, found.answer.version
        query = AwaitOrder(order_id=order_id, seconds=seconds, version=version)
        try:
            with waiting(ask.http):
                settled = await bus.ask(query, ask.envelope)
        except TimeoutError:
            settled = await bus.ask(query.model_copy(update={"seconds": 0}), ask.envelope)
        return Done(answer=settled, position=found.position, repeated=found.repeated)

    async def quote(ask: Ask) -> Response:
        return answer(await bus.deliver(ask.envelope))

    async def place(ask: Ask) -> Response:
        found = await settle(ask, await bus.deliver(ask.envelope))
        return done(found, 201, {"Location": f"/v1/orders/{found.answer.order_id}"})

    async def change(ask: Ask) -> Response:
        return done(await settle(ask, await bus.deliver(ask.envelope)))

    async def get(ask: Ask) -> Response:
        return document(ask, await bus.deliver(ask.envelope))

    async def listed(ask: Ask) -> Response:
        return page(await bus.deliver(ask.envelope))

    async def history(ask: Ask) -> Response:
        return answer(Happenings(data=await bus.deliver(ask.envelope)))

    async def send_back(ask: Ask) -> Response:
        return done(await bus.deliver(ask.envelope), 201)

    async def returns(ask: Ask) -> Response:
        return answer(await bus.deliver(ask.envelope))

    async def delivery(ask: Ask) -> Response:
        order = await bus.deliver(ask.envelope)  # is it theirs?
        delivery_id = OrderDocument.model_validate_json(order.body).delivery_id
        return document(ask, await bus.ask(GetDelivery(delivery_id=delivery_id), ask.envelope))

    async def deliveries(ask: Ask) -> Response:
        order = OrderDocument.model_validate_json((await bus.deliver(ask.envelope)).body)
        found = []
        for delivery_id in order.deliveries:
            with suppress(NotFound):  # it is not arranged yet
                found.append(await bus.ask(GetDelivery(delivery_id=delivery_id), ask.envelope))
        return page(Page(data=tuple(each.body for each in found), has_more=False))

    row = Endpoint
    return [
        # First, for it is asked most: who comes is compared with one row after the other.
        row("GET", "/v1/orders/{order_id}", "shop", get, "One order", GetOrder, OrderDocument),
        row(
            "POST",
            "/v1/orders",
            "shop",
            place,
            "Place an order",
            PlaceOrder,
            OrderDocument,
            status=201,
            creates=True,
            example={
                "buyer_id": "buyer-1",
                **BASKET,
                "payment": {"method": "card", "token": "pm_card_visa"},
            },
        ),
        row(
            "GET",
            "/v1/orders",
            "shop",
            listed,
            "Orders, newest first",
            ListOrders,
            OrderDocument,
            listed=True,
        ),
        row(
            "POST",
            "/v1/orders/{order_id}/cancel",
            "shop",
            change,
            "Call an order off",
            CancelOrder,
            OrderDocument,
            example={"reason": "changed my mind"},
        ),
        row(
            "POST",
            "/v1/orders/{order_id}/payment",
            "shop",
            change,
            "Pay again",
            PayOrder,
            OrderDocument,
            example={"method": "card", "token": "pm_card_visa"},
        ),
        row(
            "POST",
            "/v1/orders/{order_id}/returns",
            "shop",
            send_back,
            "Send something back",
            RequestReturn,
            ReturnDocument,
            status=201,
            creates=True,
            example={"items": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "it is chipped"},
        ),
        row(
            "GET",
            "/v1/orders/{order_id}/returns",
            "shop",
            returns,
            "The returns of an order, newest first",
            GetReturns,
            ReturnDocument,
            listed=True,
        ),
        row(
            "GET",
            "/v1/orders/{order_id}/returns/{return_id}/pickup",
            "shop",
            get,
            "The delivery that fetches the goods of a return",
            GetPickup,
            DeliveryDocument,
        ),
        row(
            "GET",
            "/v1/orders/{order_id}/history",
            "shop",
            history,
            "Everything that happened to an order",
            GetHistory,
            Happenings,
        ),
        row(
            "GET",
            "/v1/orders/{order_id}/delivery",
            "shop",
            delivery,
            "Where the goods are",
            GetOrder,
            DeliveryDocument,
        ),
        row(
            "GET",
            "/v1/orders/{order_id}/deliveries",
            "shop",
            deliveries,
            "Where the goods are, shipment by shipment",
            GetOrder,
            DeliveryDocument,
            listed=True,
        ),
        row(
            "POST",
            "/v1/quotes",
            "shop",
            quote,
            "What a basket costs at somebody's door",
            QuoteBasket,
            Quote,
            example=BASKET,
        ),
    ]
