"""What an operator asks of webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from bus.messages import Command, Id, Model, Query, Text

State = Literal["waiting", "taken", "failed"]
"""How a notice stands."""

Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]

Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.(?:[a-z_]+|\*)$")]
"""A type, `order.placed`, or all of a kind: `order.*`."""


class EndpointDocument(Model):
    """An endpoint as its operator sees it: never its secret. `waiting` and `failed` are notices."""

    endpoint_id: str
    url: str
    client: str | None
    only: tuple[str, ...]
    disabled: str | None
    disabled_at: datetime | None
    added_at: datetime
    waiting: int = 0
    failed: int = 0
    last_taken: datetime | None = None


class WithSecret(Model):
    """An endpoint and the secret that signs what it is told from now on: shown this once."""

    endpoint: EndpointDocument
    secret: str


class Attempt(Model):
    """One try to tell: the answer's status, or what stood in the way, and how long it took."""

    at: datetime
    status: int | None = None
    error: str | None = None
    took_ms: int


class NoticeDocument(Model):
    """A notice as its operator sees it. Its id is the `webhook-id` that the receiver sees."""

    message_id: str
    endpoint_id: str
    type: str
    order_id: str
    happened_at: datetime
    state: State
    due: datetime | None = None
    attempts: tuple[Attempt, ...]


class Tried(Model):
    """What came of trying an endpoint; `said` is how its answer begins."""

    taken: bool
    attempt: Attempt
    said: str


class AddEndpoint(Command[WithSecret], name="webhooks.AddEndpoint"):
    """Tell this address what happens from now on: of these types, or of all; of this client's
    orders, or of everybody's.

    Refused with `unfit_url`, `forbidden_address`, `unknown_host`, `unknown_type`,
    `endpoint_exists` and `too_many_endpoints`.
    """

    url: Url
    client: Id | None = None
    only: tuple[Pattern, ...] = ()


class DisableEndpoint(Command[EndpointDocument], name="webhooks.DisableEndpoint"):
    """Tell it nothing for now; what waits, waits. Refused with `unknown_endpoint`."""

    endpoint_id: Id
    reason: Text


class EnableEndpoint(Command[EndpointDocument], name="webhooks.EnableEndpoint"):
    """Tell it again: what waits, and what happens from now on. Refused with `unknown_endpoint`."""

    endpoint_id: Id


class RemoveEndpoint(Command[None], name="webhooks.RemoveEndpoint"):
    """Forget it, and all that it was told. Refused with `unknown_endpoint`."""

    endpoint_id: Id


class RotateSecret(Command[WithSecret], name="webhooks.RotateSecret"):
    """Sign with a fresh secret; for the length of `overlap` with the old one too. Refused with
    `unknown_endpoint`."""

    endpoint_id: Id
    overlap: timedelta = Field(ge=timedelta(0), le=timedelta(days=30))


class TryEndpoint(Command[Tried], name="webhooks.TryEndpoint"):
    """Send it a test, at once and once, whether it is disabled or not. Refused with
    `unknown_endpoint`."""

    endpoint_id: Id


class SendAgain(Command[int], name="webhooks.SendAgain"):
    """Send these notices again, or all of an endpoint's that failed; how many those are.

    Refused with `unknown_message`, `unknown_endpoint` and `endpoint_disabled`.
    """

    messages: tuple[Id, ...] = ()
    failed_of: Id | None = None


class ListEndpoints(Query[tuple[EndpointDocument, ...]], name="webhooks.ListEndpoints"):
    """All endpoints, the oldest first."""


class ListNotices(Query[tuple[NoticeDocument, ...]], name="webhooks.ListNotices"):
    """What was told, or is to be; the latest first."""

    endpoint_id: Id | None = None
    order_id: Id | None = None
    state: State | None = None
    since: AwareDatetime | None = None
    limit: int = Field(default=50, ge=1, le=10_000)
