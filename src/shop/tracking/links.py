"""Links: whoever has one sees one order for a while, with no key."""

from __future__ import annotations

from datetime import datetime, timedelta

from bus.messages import Id, Message, Model, Refused, now
from bus.signing import Signer

PURPOSE = "tracking_link"


class MakeLink(Message, name="tracking.MakeLink"):
    """A link that shows the order to its buyer. Nothing is kept of it: make another whenever you
    need one."""

    order_id: Id


class TrackingLink(Model):
    """Where the order is shown until then, to whoever has this."""

    url: str
    token: str
    expires_at: datetime


class Links:
    """Makes links and reads them."""

    def __init__(self, signer: Signer, lifetime: timedelta, address: str | None) -> None:
        """`address` is where buyers find the shop; without one, it is where they asked."""
        self._signer = signer
        self._lifetime = lifetime
        self._address = address

    async def make(self, order_id: str, asked_at: str) -> TrackingLink:
        """A link to an order, that whoever asked at an address may pass on."""
        token = await self._signer.sign(PURPOSE, order_id)
        base = (self._address or asked_at).rstrip("/")
        return TrackingLink(
            url=f"{base}/v1/track/{token}", token=token, expires_at=now() + self._lifetime
        )

    async def order_of(self, token: str) -> str:
        """The order that a link is for. Refused with `Forged` and `Lapsed`."""
        return str(await self._signer.read(PURPOSE, token, self._lifetime))

    async def open(self, token: str) -> bool:
        """Whether a link is good still."""
        try:
            await self.order_of(token)
        except Refused:
            return False
        return True
