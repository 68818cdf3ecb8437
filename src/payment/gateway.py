"""What payment asks of a gateway: to move money under a key, once however often it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol

from pydantic import Field

from bus.messages import Busy, Model, Money
from payment.contract import NextAction

Operation = Literal["authorize", "capture", "void", "refund"]


class Approved(Model):
    """It is done. After `authorize`: the gateway's own name for the hold, and how long it lasts."""

    type: Literal["approved"] = "approved"
    authorization: str | None = None
    capture_before: datetime | None = None


class Declined(Model):
    """The gateway says no, for good."""

    type: Literal["declined"] = "declined"
    reason: str


class ActionRequired(Model):
    """The buyer has to do something first; until then nothing is held."""

    type: Literal["action_required"] = "action_required"
    action: NextAction
    authorization: str | None = None


Outcome = Annotated[Approved | Declined | ActionRequired, Field(discriminator="type")]

EXPIRED = "authorization_expired"
"""The reason of a capture declined because the hold has run out: it may be authorized anew."""


class GatewayUnavailable(Busy):
    """The gateway did not take the call: nothing was done, and the call may be made again."""


class OutcomeUnknown(Exception):
    """The gateway took the call and did not answer in time: it may have done it, or not."""


class KeyReused(ValueError):
    """A key came with another request than the one it was made for."""


class Standing(Model):
    """How one authorization stands in the gateway's own books. `key` is the key of `authorize`.

    `amount` is what was asked for; `held`, what is set aside now.
    """

    authorization: str
    key: str
    reference: str
    status: Literal["action_required", "held", "captured", "voided", "expired"]
    amount: Money
    held: Money
    captured: Money
    refunded: Money
    at: datetime


class Gateway(Protocol):
    """Moves money. A `key` names one call: repeated within `remembers`, it answers what the first
    led to; later than that, `look_up` must be asked first.

    `authorization` is the gateway's own name for the money set aside, as `authorize` told it. The
    calls raise `GatewayUnavailable` and `OutcomeUnknown`; `KeyReused` is a mistake of ours.
    """

    name: str
    remembers: timedelta

    async def authorize(self, key: str, amount: Money, token: str, reference: str) -> Outcome:
        """Set money aside."""

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take what was set aside, or less, and let go of the rest."""

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of what was set aside, and see that nothing is set aside any more."""

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give back what was taken, or part of it."""

    async def look_up(
        self, operation: Operation, key: str, authorization: str | None
    ) -> Outcome | None:
        """What a call led to; `None` when the gateway knows of no such call."""

    def standings(self, since: datetime | None = None) -> AsyncIterator[Standing]:
        """How every authorization stands that was made since then, or ever."""
