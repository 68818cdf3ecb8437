"""Payment's part of the REST surface: where gateways ring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from bus.dispatch import Bus
from bus.envelope import sealed
from bus.messages import Message, Model, NotFound, Principal
from bus.rest import SIGNED, Ask, Endpoint, answer

if TYPE_CHECKING:
    from payment.webhooks import StripeWebhooks


class Ring(Message, name="payment.Ring"):
    """Something has happened at a gateway: it is asked how things stand. The body is the gateway's
    own, signed in its own way; an event that comes again, or late, does no harm."""

    gateway: str


class Heard(Model):
    """What was rung for is seen to."""

    received: bool = True


def endpoints(bus: Bus, webhooks: Mapping[str, StripeWebhooks]) -> list[Endpoint]:
    """The rows of the surface; `webhooks` are those of the gateways that have any, by name."""

    async def hear(ask: Ask) -> Response:
        name = ask.path["gateway"]
        if name not in webhooks:
            raise NotFound("unknown_gateway", "no gateway of this name rings here")
        gateway = Principal(scope="gateway", name=name)
        for id, told in await webhooks[name].news(ask.body, ask.http.headers):
            try:
                await bus.deliver(sealed(told, id=id, principal=gateway))
            except NotFound as refused:
                if refused.code != "unknown_call":  # it happened, but not because we asked for it
                    raise
        return answer(Heard())

    return [
        Endpoint(
            "POST",
            "/v1/payments/webhooks/{gateway}",
            SIGNED,
            hear,
            "A gateway says that something has happened",
            Ring,
            Heard,
        )
    ]
