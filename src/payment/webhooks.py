"""Stripe's webhooks are a doorbell: their signature is checked, then Stripe is asked how things
stand, and that is what is recorded. So it does not matter how often they come, and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import stripe
from pydantic import ValidationError

from bus.messages import NotFound, Refused, derived_id
from payment.calls import gateway_key
from payment.commands import RecordOutcome
from payment.gateway import Outcome
from payment.stripe import StripeGateway
from payment.stripe_objects import KEY, Intent, Seen, authorized, captured, voided

TOLERANCE = 300
"""Seconds for which a signature is good."""

SIGNATURE = "stripe-signature"

OF_INTENTS = frozenset(
    f"payment_intent.{happened}"
    for happened in (
        "amount_capturable_updated",
        "requires_action",
        "payment_failed",
        "succeeded",
        "canceled",
    )
)
OF_REFUNDS = frozenset(("charge.refunded", "refund.updated", "refund.failed"))
"""The types of events upon which Stripe is asked."""


class BadSignature(Refused):
    """Nobody says more: who signs knows what was missing."""

    status = 400

    def __init__(self) -> None:
        super().__init__("bad_signature", "the signature of this webhook is missing, wrong or old")


class Malformed(Refused):
    """A signed body that is no event."""

    status = 400

    def __init__(self) -> None:
        super().__init__("malformed", "the body is no event of Stripe's: send it as it was signed")


class Event(Seen):
    """Something that happened at Stripe; `data.object` is what it happened to, as it was then."""

    id: str
    type: str
    data: dict[str, Any]

    @property
    def about(self) -> str | None:
        """The PaymentIntent that it is about."""
        thing = self.data.get("object")
        if not isinstance(thing, dict):
            return None
        found = thing.get("id" if self.type in OF_INTENTS else "payment_intent")
        return found if isinstance(found, str) and found else None


class News(NamedTuple):
    """What to record, and the id under which it is recorded once."""

    id: str
    told: RecordOutcome


class StripeWebhooks:
    """What Stripe's events lead to; `secret` is that of the endpoint they are sent to."""

    def __init__(self, gateway: StripeGateway, secret: str) -> None:
        self._gateway = gateway
        self._secret = secret

    async def news(self, body: bytes, headers: Mapping[str, str]) -> list[News]:
        """What is true now of the payment that an event is about; nothing, for events of other
        types and for payments of others on the same account.

        Refused with `bad_signature`, `malformed`, and `unknown_payment` when Stripe itself does not
        know it. Raises `GatewayUnavailable` when Stripe cannot be asked: let it be sent again.
        """
        event = self._event(body, headers.get(SIGNATURE))
        if event.type not in OF_INTENTS | OF_REFUNDS or event.about is None:
            return []
        intent = await self._gateway.intent(event.about)
        if intent is None:
            raise NotFound(
                "unknown_payment",
                "Stripe knows of no such PaymentIntent: is it of"
                " another account, or of its test mode?",
            )
        payment_id, _, number = intent.metadata.get(KEY, "").rpartition(":authorize:")
        if not payment_id or not number.isdecimal():
            return []
        if event.type in OF_REFUNDS:
            outcomes = await self._gateway.refunds(intent.id)
        else:
            outcomes = standing(intent, payment_id, int(number))
        return [
            News(
                derived_id("stripe", event.id, key),
                RecordOutcome(payment_id=payment_id, gateway_key=key, outcome=outcome),
            )
            for key, outcome in outcomes.items()
        ]

    def _event(self, body: bytes, signature: str | None) -> Event:
        try:
            stripe.WebhookSignature.verify_header(body, signature, self._secret, TOLERANCE)
        except (stripe.SignatureVerificationError, UnicodeError, TypeError):
            raise BadSignature from None
        try:
            return Event.model_validate_json(body)
        except ValidationError:
            raise Malformed from None


def standing(intent: Intent, payment_id: str, attempt: int) -> dict[str, Outcome]:
    """What became of the calls about one attempt, by their keys, as its PaymentIntent stands."""
    found = {
        gateway_key(payment_id, "authorize", attempt): authorized(intent),
        gateway_key(payment_id, "capture", attempt): captured(intent),
        gateway_key(payment_id, "void", attempt): voided(intent),
    }
    return {key: outcome for key, outcome in found.items() if outcome is not None}
