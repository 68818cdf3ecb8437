"""Endpoints: who is told what, since when, and signed with which secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, assert_never

from bus.messages import Event, Invalid, NotFound, Refused
from shop.webhooks.news import TYPES, matches

MOST = 100
"""Endpoints of a shop."""

GONE = "gone"
"""Why an endpoint is disabled that has answered 410."""

FAILING = "failing"
"""Why an endpoint is disabled that has taken nothing for as long as anything is tried."""


class Happened(Event):
    """What happened to which endpoint, and when."""

    endpoint_id: str
    at: datetime


class EndpointAdded(Happened, name="webhooks.EndpointAdded"):
    """Somebody wants to know: of these types (all, if there are none), of this client's orders or
    (`None`) of everybody's, of what stands in each log behind the position in `since`."""

    url: str
    client: str | None = None
    only: tuple[str, ...] = ()
    since: dict[str, int]
    secret_id: str


class EndpointDisabled(Happened, name="webhooks.EndpointDisabled"):
    """It is told nothing for now."""

    reason: str


class EndpointEnabled(Happened, name="webhooks.EndpointEnabled"):
    """It is told again, of what comes from here on."""

    since: dict[str, int]


class EndpointRemoved(Happened, name="webhooks.EndpointRemoved"):
    """It is told nothing any more, ever."""


class SecretRotated(Happened, name="webhooks.SecretRotated"):
    """What it is told is signed with another secret; until `old_until` with the old one too."""

    secret_id: str
    old_until: datetime


EndpointEvent = EndpointAdded | EndpointDisabled | EndpointEnabled | EndpointRemoved | SecretRotated


class Secret(NamedTuple):
    """A secret by its id, and until when it signs; `None`: until it is rotated."""

    secret_id: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it stands."""

    endpoint_id: str
    url: str
    client: str | None
    only: tuple[str, ...]
    since: Mapping[str, int]
    secrets: tuple[Secret, ...]
    """The newest first."""
    added_at: datetime
    enabled_at: datetime
    """When it was, last."""
    disabled: str | None = None
    """Why, if it is."""
    disabled_at: datetime | None = None

    def hears_of(self, type_: str, log: str, position: int) -> bool:
        """Whether it is told of what happens now, whoever's order it is."""
        return (
            self.disabled is None
            and position > self.since.get(log, 0)
            and matches(type_, self.only)
        )

    def signs_with(self, now: datetime) -> tuple[str, ...]:
        """The ids of the secrets that sign what it is told at this moment, the newest first."""
        return tuple(id for id, until in self.secrets if until is None or until > now)


Endpoints = Mapping[str, Endpoint]
"""All of a shop, by their ids: they are few, and are looked at together."""


def evolve(endpoints: Endpoints | None, event: EndpointEvent) -> Endpoints:
    """The endpoints after an event."""
    known = dict(endpoints or {})
    if isinstance(event, EndpointRemoved):
        del known[event.endpoint_id]
    else:
        known[event.endpoint_id] = _changed(known.get(event.endpoint_id), event)
    return known


def _changed(
    endpoint: Endpoint | None,
    event: EndpointAdded | EndpointDisabled | EndpointEnabled | SecretRotated,
) -> Endpoint:
    if isinstance(event, EndpointAdded):
        return Endpoint(
            endpoint_id=event.endpoint_id,
            url=event.url,
            client=event.client,
            only=event.only,
            since=event.since,
            secrets=(Secret(event.secret_id),),
            added_at=event.at,
            enabled_at=event.at,
        )
    if endpoint is None:
        raise ValueError(f"{event.type_name} before the endpoint was added")
    match event:
        case EndpointDisabled(reason=reason, at=at):
            return replace(endpoint, disabled=reason, disabled_at=at)
        case EndpointEnabled(since=since, at=at):
            return replace(endpoint, disabled=None, disabled_at=None, since=since, enabled_at=at)
        case SecretRotated(secret_id=fresh, old_until=until, at=at):
            old = (
                secret if secret.until else secret._replace(until=until)
                for secret in endpoint.secrets
            )
            alive = (secret for secret in old if secret.until and secret.until > at)
            return replace(endpoint, secrets=(Secret(fresh), *alive))
        case _:
            assert_never(event)


def add(endpoints: Endpoints | None, wanted: EndpointAdded) -> list[EndpointEvent]:
    """Tell an address from now on, once."""
    if wanted.endpoint_id in (endpoints or {}):
        return []
    known = (endpoints or {}).values()
    for pattern in wanted.only:
        _check_pattern(pattern)
    for endpoint in known:
        if (endpoint.url, endpoint.client) == (wanted.url, wanted.client):
            raise Refused(
                "endpoint_exists",
                f"{endpoint.url} is told already: see {endpoint.endpoint_id} in `shop webhooks"
                " list`, and remove it first",
                endpoint_id=endpoint.endpoint_id,
            )
    if len(known) >= MOST:
        raise Refused(
            "too_many_endpoints", f"there are {MOST} endpoints, the most there may be: remove one"
        )
    return [wanted]


def _check_pattern(pattern: str) -> None:
    """Refuse what nothing is ever told as."""
    if any(matches(type_, (pattern,)) for type_ in TYPES):
        return
    kind = pattern.partition(".")[0]
    alike = [type_ for type_ in TYPES if type_.startswith(f"{kind}.")]
    kinds = [f"{kind}.*" for kind in dict.fromkeys(type_.partition(".")[0] for type_ in TYPES)]
    raise Invalid(
        "unknown_type",
        f"nothing is ever told as {pattern}: choose among {', '.join(alike or kinds)}",
    )


def disable(
    endpoints: Endpoints | None, endpoint_id: str, reason: str, now: datetime
) -> list[EndpointEvent]:
    """Tell it nothing for now."""
    if find(endpoints, endpoint_id).disabled is not None:
        return []
    return [EndpointDisabled(endpoint_id=endpoint_id, reason=reason, at=now)]


def enable(
    endpoints: Endpoints | None, endpoint_id: str, since: Mapping[str, int], now: datetime
) -> list[EndpointEvent]:
    """Tell it again; what it missed it is not told, unless it is sent again."""
    if find(endpoints, endpoint_id).disabled is None:
        return []
    return [EndpointEnabled(endpoint_id=endpoint_id, since=dict(since), at=now)]


def remove(endpoints: Endpoints | None, endpoint_id: str, now: datetime) -> list[EndpointEvent]:
    """Forget it."""
    find(endpoints, endpoint_id)
    return [EndpointRemoved(endpoint_id=endpoint_id, at=now)]


def rotate(
    endpoints: Endpoints | None,
    endpoint_id: str,
    secret_id: str,
    old_until: datetime,
    now: datetime,
) -> list[EndpointEvent]:
    """Sign with a fresh secret, and for a while with the old one too."""
    find(endpoints, endpoint_id)
    return [
        SecretRotated(endpoint_id=endpoint_id, secret_id=secret_id, old_until=old_until, at=now)
    ]


def find(endpoints: Endpoints | None, endpoint_id: str) -> Endpoint:
    """One of them; refused with `unknown_endpoint`."""
    endpoint = (endpoints or {}).get(endpoint_id)
    if endpoint is None:
        raise NotFound(
            "unknown_endpoint", f"there is no endpoint {endpoint_id}: see `shop webhooks list`"
        )
    return endpoint
