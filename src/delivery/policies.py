"""What follows from what in the life of a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bus.policies import Later, Schedule
from delivery.commands import RetryDelivery
from delivery.contract import DeliveryAttemptFailed


def schedules(after: timedelta) -> Mapping[type[Any], Schedule]:
    """When something is to be done about a delivery, if nobody has by then."""

    def try_again(event: DeliveryAttemptFailed) -> Later:
        due = RetryDelivery(delivery_id=event.delivery_id)
        return Later(f"retry-{event.delivery_id}", event.at + after, due)

    return {DeliveryAttemptFailed: try_again}
