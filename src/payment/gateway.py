"""What payment asks of a gateway: to move money under a key, once however often it is asked."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field

from bus.messages import Busy, Model, Money
from payment.contract import Means, NextAction


class Approved(Model):
    """It is done."""

    type: Literal["approved"] = "approved"


class Declined(Model):
    """The gateway says no, for good."""

    type: Literal["declined"] = "declined"
    reason: str


class ActionRequired(Model):
    """The buyer has to do something first; until then nothing is held."""

    type: Literal["action_required"] = "action_required"
    action: NextAction


Outcome = Annotated[Approved | Declined | ActionRequired, Field(discriminator="type")]


class GatewayUnavailable(Busy):
    """The gateway did not take the call: nothing was done, and the call may be made again."""


class OutcomeUnknown(Exception):
    """The gateway took the call and did not answer in time: it may have done it, or not."""


class KeyReused(ValueError):
    """A key came with another request than the one it was made for."""


class Gateway(Protocol):
    """Moves money. A `key` names one call for ever: repeated, it answers what the first led to.

    `authorization` is the key under which the money was set aside. Every call may raise
    `GatewayUnavailable` or `OutcomeUnknown`.
    """

    async def authorize(self, key: str, amount: Money, means: Means, reference: str) -> Outcome:
        """Set money aside."""

    async def capture(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Take what was set aside."""

    async def void(self, key: str, authorization: str) -> Outcome:
        """Let go of what was set aside, and see that nothing is set aside any more."""

    async def refund(self, key: str, authorization: str, amount: Money) -> Outcome:
        """Give back what was taken."""

    async def look_up(self, key: str) -> Outcome | None:
        """What a call led to; `None` when the gateway has never seen this key."""
