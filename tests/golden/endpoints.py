"""Histories of the endpoints that webhooks go to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bus.messages import Event
from shop.webhooks.endpoint import (
    EndpointAdded,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRemoved,
    SecretRotated,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

ADDED = EndpointAdded(
    endpoint_id="whe_1",
    url="https://partner.example/hook?shop=1",
    since={"ordering": 7, "delivery": 0},
    secret_id="s1",
    at=AT,
)
OF_ONE_CLIENT = EndpointAdded(
    endpoint_id="whe_2",
    url="https://other.example/",
    client="web",
    only=("order.confirmed", "delivery.*"),
    since={"ordering": 9, "delivery": 4},
    secret_id="s2",
    at=AT,
)
DISABLED = EndpointDisabled(endpoint_id="whe_1", reason="gone", at=AT)
ROTATED = SecretRotated(
    endpoint_id="whe_2", secret_id="s3", old_until=AT + timedelta(days=1), at=AT
)

ENDPOINTS: dict[str, Sequence[Event]] = {
    "added": [ADDED, OF_ONE_CLIENT],
    "disabled": [ADDED, DISABLED],
    "enabled": [
        ADDED,
        DISABLED,
        EndpointEnabled(endpoint_id="whe_1", since={"ordering": 12, "delivery": 5}, at=AT),
    ],
    "rotated": [OF_ONE_CLIENT, ROTATED],
    "removed": [ADDED, OF_ONE_CLIENT, EndpointRemoved(endpoint_id="whe_1", at=AT)],
}
