"""What Stripe does with PaymentIntents and Refunds, as far as the shop makes use of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from tests.payment.stripe_process.ledger import Operation

Intent = dict[str, Any]
Form = Mapping[str, str]

HELD_FOR = 7 * 24 * 3600
"""Seconds for which money stays set aside."""

DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
}


class Refusal(Exception):
    """What is asked cannot be done, in Stripe's words."""

    def __init__(self, status: int, code: str | None = None, **more: Any) -> None:
        super().__init__(code)
        kind = "card_error" if status == 402 else "invalid_request_error"
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": f"no: {code}", **more}}


class Done(NamedTuple):
    """What was done: the PaymentIntent after it, the answer, what was moved, what to tell."""

    intent: Intent
    answer: dict[str, Any]
    moved: int = 0
    events: tuple[str, ...] = ()
    status: int = 200


def authorize(form: Form, now: int) -> Done:
    """Make and confirm a PaymentIntent."""
    if form.get("capture_method") != "manual" or form.get("confirm") != "true":
        raise Refusal(400, "parameter_missing", param="capture_method")
    if (amount := int(form["amount"])) <= 0:
        raise Refusal(400, "parameter_invalid_integer", param="amount")
    token = form.get("payment_method", "")
    intent: Intent = {
        "id": f"pi_{secrets.token_hex(12)}",
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "currency": form["currency"],
        "created": now,
        "status": "requires_payment_method",
        "metadata": nested(form, "metadata"),
        "cancellation_reason": None,
        "last_payment_error": None,
        "latest_charge": None,
        "next_action": None,
        "refunds": [],
    }
    if token == "pm_card_visa":
        held = _charged(intent, now)
        return Done(held, held, amount, ("payment_intent.amount_capturable_updated",))
    if token == "pm_card_threeDSecure2Required":
        url = f"https://hooks.stripe.invalid/3d_secure/{intent['id']}"
        action: dict[str, Any] = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
        if "return_url" not in form:
            action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": url}}
        waits = {**intent, "status": "requires_action", "next_action": action}
        return Done(waits, waits, 0, ("payment_intent.requires_action",))
    if token not in DECLINES:
        raise Refusal(400, "resource_missing", param="payment_method")
    error = {"code": "card_declined", "decline_code": DECLINES[token], "type": "card_error"}
    declined = {**intent, "last_payment_error": error}
    told = {"error": {**error, "message": "no", "payment_intent": declined}}
    return Done(declined, told, 0, ("payment_intent.payment_failed",), 402)


def authenticate(intent: Intent, form: Form, now: int) -> Done:
    """The buyer has done what the bank wanted, or failed to."""
    if intent["status"] != "requires_action":
        raise Refusal(400, "payment_intent_unexpected_state")
    if form.get("success") == "false":
        error = {"code": "payment_intent_authentication_failure", "type": "card_error"}
        failed = {
            **intent,
            "status": "requires_payment_method",
            "next_action": None,
            "last_payment_error": error,
        }
        return Done(failed, failed, 0, ("payment_intent.payment_failed",))
    held = _charged({**intent, "next_action": None}, now)
    return Done(held, held, intent["amount"], ("payment_intent.amount_capturable_updated",))


def capture(intent: Intent, form: Form, now: int) -> Done:
    """Take what is set aside, or less: the rest is let go of, and counts as refunded."""
    if intent["status"] != "requires_capture":
        raise Refusal(400, "payment_intent_unexpected_state", payment_intent=intent)
    amount = int(form.get("amount_to_capture", intent["amount"]))
    if amount > intent["amount"]:
        raise Refusal(400, "amount_too_large", param="amount_to_capture")
    taken = deepcopy(intent)
    taken |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    taken["latest_charge"] |= {
        "captured": True,
        "amount_captured": amount,
        "amount_refunded": intent["amount"] - amount,
    }
    return Done(taken, taken, amount, ("payment_intent.succeeded", "charge.captured"))


def void(intent: Intent, form: Form, now: int) -> Done:
    """Let go of what is set aside, or might have come to be."""
    if intent["status"] in ("canceled", "succeeded"):
        raise Refusal(400, "payment_intent_unexpected_state", payment_intent=intent)
    return _canceled(intent, None)


def expire(intent: Intent, form: Form, now: int) -> Done:
    """Nobody captured it in time."""
    if intent["status"] != "requires_capture":
        raise Refusal(400, "payment_intent_unexpected_state")
    return _canceled(intent, "automatic")


def refund(intent: Intent, form: Form, now: int) -> Done:
    """Give back some of what was taken."""
    charge = intent["latest_charge"]
    if intent["status"] != "succeeded":
        raise Refusal(400, "charge_not_captured")
    left = charge["amount"] - charge["amount_refunded"]
    amount = int(form.get("amount", left))
    if not left:
        raise Refusal(400, "charge_already_refunded")
    if amount > left or amount <= 0:
        raise Refusal(400, None, param="amount")
    made = {
        "id": f"re_{secrets.token_hex(12)}",
        "object": "refund",
        "amount": amount,
        "charge": charge["id"],
        "created": now,
        "currency": intent["currency"],
        "failure_reason": None,
        "metadata": nested(form, "metadata"),
        "payment_intent": intent["id"],
        "status": "succeeded",
    }
    after = deepcopy(intent)
    after["latest_charge"]["amount_refunded"] += amount
    after["refunds"].insert(0, made)
    return Done(after, made, amount, ("charge.refunded", "refund.updated"))


CHANGES: Mapping[str, tuple[Operation, Callable[[Intent, Form, int], Done]]] = {
    "capture": ("capture", capture),
    "cancel": ("void", void),
    "authenticate": ("authenticate", authenticate),
    "expire": ("expire", expire),
}
"""What can be done to a PaymentIntent that is there, by the last word of the path."""


def shown(thing: dict[str, Any], expand: bool) -> dict[str, Any]:
    """An object as it is answered: what belongs to it in full, or only its name."""
    told = {name: value for name, value in thing.items() if name != "refunds"}
    if not expand and told.get("latest_charge"):
        told["latest_charge"] = told["latest_charge"]["id"]
    return told


def nested(form: Form, name: str) -> dict[str, str]:
    """The fields `name[...]` of a form."""
    found = {re.fullmatch(rf"{name}\[(\w+)\]", key): value for key, value in form.items()}
    return {match[1]: value for match, value in found.items() if match}


def _charged(intent: Intent, now: int) -> Intent:
    charge = {
        "id": f"ch_{secrets.token_hex(12)}",
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "captured": False,
        "payment_intent": intent["id"],
        "payment_method_details": {"card": {"capture_before": now + HELD_FOR}, "type": "card"},
    }
    return {
        **intent,
        "status": "requires_capture",
        "amount_capturable": intent["amount"],
        "latest_charge": charge,
    }


def _canceled(intent: Intent, reason: str | None) -> Done:
    gone = deepcopy(intent)
    gone |= {
        "status": "canceled",
        "amount_capturable": 0,
        "cancellation_reason": reason,
        "next_action": None,
    }
    if gone["latest_charge"]:
        gone["latest_charge"]["amount_refunded"] = gone["amount"]
    return Done(gone, gone, 0, ("payment_intent.canceled",))
