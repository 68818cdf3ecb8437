"""What payment says to itself: the gateway's answers to be recorded, what its timers and its own
CLI ask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bus.messages import Command, Id, Model
from payment.gateway import Outcome

Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,119}$")]
"""The key of a call of the gateway, as `payment.payment.gateway_key` makes it."""


class Unknown(Model):
    """Nobody could say what a call led to."""

    type: Literal["unknown"] = "unknown"


Answer = Annotated[Outcome | Unknown, Field(discriminator="type")]


class RecordOutcome(Command[None], name="payment.RecordOutcome"):
    """This came of a call of the gateway. Refused with `unknown_payment` and `unknown_call`."""

    payment_id: Id
    gateway_key: Key
    outcome: Answer


class AskAgain(Command[None], name="payment.AskAgain"):
    """Make calls again whose outcome is unknown, under the key they have; a call that was declined
    though it should not have been, under a new one. All such calls of the payment, or only this
    one."""

    payment_id: Id
    gateway_key: Key | None = None


class RenewAuthorization(Command[None], name="payment.RenewAuthorization"):
    """What this attempt set aside will not stay so for much longer: set it aside anew."""

    payment_id: Id
    attempt: int = Field(ge=1)
