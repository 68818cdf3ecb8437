"""Payment alone, at work, for tests to talk to."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from pymongo.database import Database

from bus.dispatch import Bus
from bus.messages import Event, Money
from bus.platform import Platform
from payment.contract import (
    AuthorizePayment,
    CancelPayment,
    CapturePayment,
    Means,
    Method,
    RefundPayment,
)
from tests.waiting import eventually

PRICE = Money(amount=10_50, currency="EUR")


class Shop:
    """Payment alone, at work."""

    def __init__(self, platform: Platform, database: Database[dict[str, Any]]) -> None:
        self.bus: Bus = platform.bus
        self._log = platform.contexts["payment"].log
        self._database = database

    async def pay(
        self,
        payment_id: str,
        token: str = "pm_card_visa",
        attempt: int = 1,
        method: Method = "card",
        *,
        use_credit: bool = False,
    ) -> None:
        await self.bus.send(
            AuthorizePayment(
                payment_id=payment_id,
                reference=f"order-{payment_id}",
                buyer_id="b1",
                attempt=attempt,
                amount=PRICE,
                means=Means(method=method, token=token, use_credit=use_credit),
            )
        )

    async def cancel(self, payment_id: str) -> None:
        await self.bus.send(CancelPayment(payment_id=payment_id, reference=f"order-{payment_id}"))

    async def capture(self, payment_id: str, cents: int | None = None) -> None:
        amount = None if cents is None else Money(amount=cents, currency="EUR")
        await self.bus.send(CapturePayment(payment_id=payment_id, amount=amount))

    async def refund(self, payment_id: str, cents: int, refund_id: str = "ret_1") -> None:
        amount = Money(amount=cents, currency="EUR")
        await self.bus.send(
            RefundPayment(payment_id=payment_id, refund_id=refund_id, amount=amount)
        )

    async def events(self, payment_id: str) -> list[Event]:
        return [event for event, _ in await self._log.stream(f"payment-{payment_id}")]

    async def happens(self, payment_id: str, kind: type[Event]) -> Any:
        """The first event of a kind, once there is one."""

        async def look() -> Event | None:
            found = await self.events(payment_id)
            return next((event for event in found if isinstance(event, kind)), None)

        return await eventually(look)

    def ledger(self, operation: str, **fields: Any) -> int:
        """Calls that the gateway has agreed to."""
        return self._database["gateway_ledger"].count_documents(
            {"operation": operation, "outcome.type": "approved", **fields}
        )

    def parked(self) -> list[dict[str, Any]]:
        return list(self._database["parked"].find().sort("position"))


Open = Callable[..., AbstractAsyncContextManager[Shop]]
