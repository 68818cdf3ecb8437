"""What an operator's commands and queries about webhooks do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bus.context import Context
from bus.envelope import Envelope
from bus.messages import NotFound, Refused, derived_id, now
from bus.streams import Decided
from shop.webhooks import endpoint as endpoints
from shop.webhooks.addresses import parsed, resolved
from shop.webhooks.commands import (
    AddEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    EndpointDocument,
    ListEndpoints,
    ListNotices,
    NoticeDocument,
    RemoveEndpoint,
    RotateSecret,
    SendAgain,
    Tried,
    TryEndpoint,
    WithSecret,
)
from shop.webhooks.courier import Courier
from shop.webhooks.endpoint import Endpoint, EndpointAdded, Endpoints
from shop.webhooks.notices import Notices
from shop.webhooks.registry import ALL, Registry, Secrets


class Handlers:
    """The handlers, on the endpoints' stream."""

    def __init__(
        self,
        home: Context,
        sources: Mapping[str, Context],
        registry: Registry,
        secrets: Secrets,
        notices: Notices,
        courier: Courier,
        *,
        allow_private: bool,
    ) -> None:
        self._streams = home.streams
        self._sources = sources
        self._registry = registry
        self._secrets = secrets
        self._notices = notices
        self._courier = courier
        self._allow_private = allow_private

    async def add(self, command: AddEndpoint, envelope: Envelope[AddEndpoint]) -> WithSecret:
        """Add an endpoint, if its address may be told anything."""
        url = parsed(command.url, allow_private=self._allow_private)
        await resolved(url, None, allow_private=self._allow_private)
        id = f"whe_{derived_id('endpoint', envelope.id)[:12]}"
        secret_id = await self._secrets.make(id)
        wanted = EndpointAdded(
            endpoint_id=id,
            url=str(url),
            client=command.client,
            only=command.only,
            since=await self._heads(),
            secret_id=secret_id,
            at=now(),
        )
        done = await self._streams.decide(ALL, lambda all: endpoints.add(all, wanted), envelope)
        return await self._with_secret(_found(done, id))

    async def enable(
        self, command: EnableEndpoint, envelope: Envelope[EnableEndpoint]
    ) -> EndpointDocument:
        """Tell it again; what waits begins anew."""
        id, since, at = command.endpoint_id, await self._heads(), now()
        done = await self._streams.decide(
            ALL, lambda all: endpoints.enable(all, id, since, at), envelope
        )
        if done.commit is not None:
            await self._notices.again({"endpoint": id, "state": "waiting"}, at)
        return _document(_found(done, id))

    async def disable(
        self, command: DisableEndpoint, envelope: Envelope[DisableEndpoint]
    ) -> EndpointDocument:
        """Tell it nothing."""
        id, reason, at = command.endpoint_id, command.reason, now()
        done = await self._streams.decide(
            ALL, lambda all: endpoints.disable(all, id, reason, at), envelope
        )
        return _document(_found(done, id))

    async def remove(self, command: RemoveEndpoint, envelope: Envelope[RemoveEndpoint]) -> None:
        """Forget it. What is left behind by whoever dies here is never sent, and goes in time."""
        id, at = command.endpoint_id, now()
        await self._streams.decide(ALL, lambda all: endpoints.remove(all, id, at), envelope)
        await self._notices.forget(id)
        await self._secrets.forget(id)

    async def rotate(self, command: RotateSecret, envelope: Envelope[RotateSecret]) -> WithSecret:
        """Make a fresh secret."""
        id, at = command.endpoint_id, now()
        await self._registry.find(id)
        secret_id = await self._secrets.make(id)
        done = await self._streams.decide(
            ALL,
            lambda all: endpoints.rotate(all, id, secret_id, at + command.overlap, at),
            envelope,
        )
        return await self._with_secret(_found(done, id))

    async def try_out(self, command: TryEndpoint, envelope: Envelope[TryEndpoint]) -> Tried:
        """Send a test."""
        return await self._courier.try_out(await self._registry.find(command.endpoint_id))

    async def send_again(self, command: SendAgain, envelope: Envelope[SendAgain]) -> int:
        """Have notices sent again."""
        if command.failed_of is not None:
            await self.open(command.failed_of)
            return await self._notices.again(
                {"endpoint": command.failed_of, "state": "failed"}, now()
            )
        whose = await self._notices.endpoints_of(command.messages)
        for id in command.messages:
            if id not in whose:
                raise NotFound(
                    "unknown_message", f"there is no message {id}: see `shop webhooks deliveries`"
                )
            await self.open(whose[id])
        return await self._notices.again({"_id": {"$in": list(command.messages)}}, now())

    async def open(self, endpoint_id: str) -> Endpoint:
        """An endpoint that is told things; refused with `unknown_endpoint`, `endpoint_disabled`."""
        found = await self._registry.find(endpoint_id)
        if found.disabled is not None:
            raise Refused(
                "endpoint_disabled",
                f"{endpoint_id} is disabled ({found.disabled}), so nothing is sent to it:"
                f" `shop webhooks enable {endpoint_id}` first",
            )
        return found

    async def list(
        self, query: ListEndpoints, envelope: Envelope[ListEndpoints]
    ) -> tuple[EndpointDocument, ...]:
        """All endpoints, and how they stand."""
        known = sorted((await self._registry.newest()).values(), key=lambda each: each.added_at)
        return tuple([await self._standing(endpoint) for endpoint in known])

    async def notices(
        self, query: ListNotices, envelope: Envelope[ListNotices]
    ) -> tuple[NoticeDocument, ...]:
        """What was told, and what came of it."""
        wanted: dict[str, Any] = {
            "endpoint": query.endpoint_id,
            "order": query.order_id,
            "state": query.state,
            "at": query.since and {"$gte": query.since},
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        return tuple(await self._notices.find(given, query.limit))

    async def _standing(self, endpoint: Endpoint) -> EndpointDocument:
        id = endpoint.endpoint_id
        return _document(endpoint).model_copy(
            update={
                "waiting": await self._notices.count(id, "waiting"),
                "failed": await self._notices.count(id, "failed"),
                "last_taken": await self._notices.last_taken(id),
            }
        )

    async def _with_secret(self, endpoint: Endpoint) -> WithSecret:
        """The endpoint with the secret that signs from now on, also when it was asked twice."""
        newest, *_ = await self._secrets.signing(endpoint, now())
        return WithSecret(endpoint=_document(endpoint), secret=newest)

    async def _heads(self) -> dict[str, int]:
        """Where each log ends: what is told begins behind that."""
        return {name: await source.log.head() for name, source in self._sources.items()}


def _found(done: Decided[Endpoints], endpoint_id: str) -> Endpoint:
    return endpoints.find(done.state, endpoint_id)


def _document(endpoint: Endpoint) -> EndpointDocument:
    return EndpointDocument(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        client=endpoint.client,
        only=endpoint.only,
        disabled=endpoint.disabled,
        disabled_at=endpoint.disabled_at,
        added_at=endpoint.added_at,
    )
