"""Store credit's part of the REST surface."""

from __future__ import annotations

from starlette.responses import Response

from bus.dispatch import Bus
from bus.rest import Ask, Endpoint, answer
from payment.contract import Balance, GetBalance


def endpoints(bus: Bus) -> list[Endpoint]:
    """The rows of the surface."""

    async def get(ask: Ask) -> Response:
        return answer(await bus.deliver(ask.envelope))

    return [
        Endpoint(
            "GET",
            "/v1/balances/{buyer_id}",
            "shop",
            get,
            "A buyer's store credit",
            GetBalance,
            Balance,
        )
    ]
