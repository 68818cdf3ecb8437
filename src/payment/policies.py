"""What payment does when the time has come: ask again what nobody knows, and renew what would run
out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bus.policies import CallOff, Later, Schedule
from payment.calls import CaptureRequested, OutcomeUnknown
from payment.commands import AskAgain, RenewAuthorization
from payment.contract import PaymentAuthorized, PaymentCaptured
from payment.payment import CancellationRequested


def renew_in_time(event: PaymentAuthorized) -> Later | CallOff:
    """What is set aside is to stay so until the goods are shipped."""
    key = _renewal(event.payment_id)
    if event.renew_at is None:
        return CallOff(key)
    due = RenewAuthorization(payment_id=event.payment_id, attempt=event.attempt)
    return Later(key, event.renew_at, due)


def renew_no_more(event: CaptureRequested | PaymentCaptured | CancellationRequested) -> CallOff:
    """It is taken, or not wanted any more."""
    return CallOff(_renewal(event.payment_id))


def ask_later(event: OutcomeUnknown) -> Later | CallOff:
    """Nobody knows now; after some tries a person has to look."""
    key = f"ask-{event.gateway_key}"
    if event.ask_at is None:
        return CallOff(key)
    due = AskAgain(payment_id=event.payment_id, gateway_key=event.gateway_key)
    return Later(key, event.ask_at, due)


def _renewal(payment_id: str) -> str:
    return f"renew-{payment_id}"


SCHEDULES: Mapping[type[Any], Schedule] = {
    PaymentAuthorized: renew_in_time,
    CaptureRequested: renew_no_more,
    PaymentCaptured: renew_no_more,
    CancellationRequested: renew_no_more,
    OutcomeUnknown: ask_later,
}
"""When payment acts of itself."""
