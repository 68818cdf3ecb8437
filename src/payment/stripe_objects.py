"""What Stripe tells of a PaymentIntent and a Refund, and what that means to us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from payment.contract import NextAction
from payment.gateway import EXPIRED, ActionRequired, Approved, Declined, Outcome, Standing
from payment.stripe_money import from_stripe

KEY, REFERENCE = "storefold_key", "storefold_reference"
"""The metadata that tell our PaymentIntents and Refunds from others of the same account."""

CAPTURED = "already_captured"
"""Why a hold is neither let go of nor captured once more."""


class Seen(BaseModel):
    """The part of an object of Stripe's that we look at."""

    model_config = ConfigDict(frozen=True, extra="ignore")


S = TypeVar("S", bound=Seen)

Expanded = Annotated[
    S | None, BeforeValidator(lambda told: None if isinstance(told, str) else told)
]
"""An object that Stripe tells in full, unless it was asked for its name only."""


class Card(Seen):
    """How a card was charged; `capture_before` is in seconds since 1970."""

    capture_before: int | None = None


class Details(Seen):
    """How a charge was paid."""

    card: Card | None = None


class Charge(Seen):
    """Money held or taken. What a partial capture lets go of counts as refunded."""

    amount: int
    amount_refunded: int = 0
    payment_method_details: Details | None = None


class Redirect(Seen):
    """Where the buyer is to be sent."""

    url: str | None = None


class Sdk(Seen):
    """What Stripe's browser library is to load."""

    stripe_js: str | None = None


class Action(Seen):
    """What the buyer has to do."""

    type: str
    redirect_to_url: Redirect | None = None
    use_stripe_sdk: Sdk | None = None

    @property
    def url(self) -> str:
        """Where they do it; empty when only the browser library knows."""
        if self.redirect_to_url is not None:
            return self.redirect_to_url.url or ""
        return (self.use_stripe_sdk.stripe_js if self.use_stripe_sdk else None) or ""


class Failure(Seen):
    """Why money was not set aside, or not given back."""

    code: str | None = None
    decline_code: str | None = None

    @property
    def reason(self) -> str:
        """In the most telling of Stripe's words."""
        told = self.decline_code if self.decline_code != "generic_decline" else None
        return told or self.code or "card_declined"


class Intent(Seen):
    """A PaymentIntent with its latest charge; amounts are in Stripe's minor units."""

    id: str
    status: str
    amount: int
    amount_received: int | None = None
    currency: str
    created: int
    metadata: dict[str, str]
    latest_charge: Expanded[Charge] = None
    next_action: Action | None = None
    last_payment_error: Failure | None = None
    cancellation_reason: str | None = None

    @property
    def received(self) -> int:
        """What was taken; all, where that is not told, as some stand-ins for Stripe do not."""
        taken = self.amount if self.amount_received is None else self.amount_received
        return taken if self.status == "succeeded" else 0


class Refund(Seen):
    """Money given back, or not."""

    status: str | None = None
    failure_reason: str | None = None
    metadata: dict[str, str] | None = None


def authorized(intent: Intent) -> Outcome | None:
    """How an authorization stands; `None` while Stripe itself does not know."""
    match intent.status:
        case "requires_capture" | "succeeded":
            return Approved(authorization=intent.id, capture_before=_capture_before(intent))
        case "requires_action":
            action = intent.next_action or Action(type="use_stripe_sdk")
            told = NextAction(type=action.type, url=action.url)
            return ActionRequired(action=told, authorization=intent.id)
        case "requires_payment_method":
            return Declined(reason=(intent.last_payment_error or Failure()).reason)
        case "canceled":
            return Declined(reason=EXPIRED if _expired(intent) else "canceled")
        case _:
            return None


def captured(intent: Intent) -> Outcome | None:
    """What a capture led to, as the PaymentIntent stands; `None` when there was none."""
    match intent.status:
        case "succeeded":
            return Approved()
        case "canceled":
            return Declined(reason=EXPIRED)
        case _:
            return None


def voided(intent: Intent) -> Outcome | None:
    """What letting go led to, as the PaymentIntent stands; `None` when nobody let go."""
    match intent.status:
        case "canceled":
            return Approved()
        case "succeeded":
            return Declined(reason=CAPTURED)
        case _:
            return None


def refunded(refund: Refund) -> Outcome:
    """What giving back led to. It is on its way when it is `pending`: Stripe goes on by itself."""
    if refund.status in ("failed", "canceled"):
        return Declined(reason=refund.failure_reason or f"refund_{refund.status}")
    return Approved()


def standing(intent: Intent) -> Standing | None:
    """One authorization of ours in Stripe's books; `None` for others', and where the card was
    declined."""
    key = intent.metadata.get(KEY)
    status = _status(intent)
    if key is None or status is None:
        return None
    charge = intent.latest_charge

    def told(amount: int) -> Any:
        return from_stripe(amount, intent.currency)

    let_go = intent.amount - intent.received
    back = charge.amount_refunded - let_go if charge is not None and status == "captured" else 0
    return Standing(
        authorization=intent.id,
        key=key,
        reference=intent.metadata.get(REFERENCE, ""),
        status=status,
        amount=told(intent.amount),
        held=told(intent.amount if status == "held" else 0),
        captured=told(intent.received),
        refunded=told(max(back, 0)),
        at=_moment(intent.created),
    )


def _status(intent: Intent) -> Any:
    match intent.status:
        case "requires_action" | "requires_confirmation" | "processing":
            return "action_required"
        case "requires_capture":
            return "held"
        case "succeeded":
            return "captured"
        case "canceled":
            return "expired" if _expired(intent) else "voided"
        case _:
            return None


def _expired(intent: Intent) -> bool:
    """Whether it was Stripe that cancelled it, as nobody captured it in time."""
    return intent.cancellation_reason in ("automatic", "expired")


def _capture_before(intent: Intent) -> datetime | None:
    details = intent.latest_charge.payment_method_details if intent.latest_charge else None
    until = details.card.capture_before if details and details.card else None
    return None if until is None else _moment(until)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
