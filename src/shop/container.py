"""The one place that knows everybody: which parts a shop is made of, and what each is given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dependency_injector import containers, providers
from limits import parse
from pymongo import MongoClient
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bus.dispatch import Bus
from bus.mongo import connect
from bus.platform import Platform
from bus.rest import Endpoint
from bus.retries import Retries
from bus.signing import Signer
from bus.transport import InProcess, Loopback
from catalog import module as catalog_module
from catalog import routes as catalog_routes
from delivery import module as delivery_module
from delivery import routes as delivery_routes
from delivery.redelivery import Redelivery
from delivery.slot import SlotTerms
from delivery.tariff import Tariff, Tariffs
from maps import module as maps_module
from maps.memory import Memory
from ordering import module as ordering_module
from ordering import routes as ordering_routes
from ordering.return_rules import Terms
from payment import balance_routes
from payment import module as payment_module
from payment import routes as payment_routes
from payment.builtin import BuiltinGateway
from shop import atlas
from shop.doors import Doors
from shop.keys import Keys
from shop.rates import Rates
from shop.secrets import signing_keys
from shop.settings import OFF, Settings
from shop.tariff_files import tariffs_of
from shop.tracking import routes as tracking_routes
from shop.tracking.links import Links
from shop.tracking.page import Looks
from shop.webhooks import module as webhooks_module

if TYPE_CHECKING:
    from payment.stripe import StripeGateway
    from payment.webhooks import StripeWebhooks
    from shop.tokens import Tokens


def cache_client(url: str) -> Redis:
    """A Redis client that never waits for an answer it could do without."""
    return Redis.from_url(
        url,
        socket_connect_timeout=0.5,
        socket_keepalive=True,  # who listens for the doorbell hears of a host that has vanished
        retry=Retry(NoBackoff(), 0),
        max_connections=64,
    )


def tariffs(settings: Settings) -> Tariffs:
    """What delivery costs, as the operator set it."""
    default = Tariff(
        threshold=settings.tariff_threshold,
        free_distance_m=settings.tariff_free_distance_m,
        base=settings.tariff_base,
        flat=settings.tariff_flat,
        per_km=settings.tariff_per_km,
    )
    return Tariffs(default, tariffs_of(settings.tariff_table, default), settings.tariff)


def retries(settings: Settings) -> Retries:
    """How often a reader tries an event before its stream is parked, as the operator set it."""
    return Retries(
        settings.retry_attempts,
        settings.retry_first_pause.total_seconds(),
        settings.retry_longest_pause.total_seconds(),
    )


def stripe_gateway(settings: Settings, platform: Platform) -> StripeGateway:
    """Stripe, as the operator set it, until the platform stops."""
    from payment.stripe import StripeGateway  # which takes a while to load: only where it is used

    gateway = StripeGateway(
        settings.stripe_api_key or "",
        base=settings.stripe_api_base,
        return_url=settings.stripe_return_url,
    )
    platform.at_stop(gateway.close)
    return gateway


def stripe_webhooks(settings: Settings, gateway: Any) -> Mapping[str, StripeWebhooks]:
    """Those that the gateway in use sends, by its name; the built-in one has none."""
    if settings.payment_gateway != "stripe":
        return {}
    from payment.webhooks import StripeWebhooks

    return {gateway.name: StripeWebhooks(gateway, settings.stripe_webhook_secret or "")}


def tokens(settings: Settings) -> Tokens | None:
    """The door for an issuer's tokens, if the operator trusts one."""
    if not (settings.jwt_issuer and settings.jwt_audience and settings.jwt_jwks):
        return None
    from shop.issuer import Published, fetch_from
    from shop.tokens import Tokens

    return Tokens(
        Published(fetch_from(settings.jwt_jwks)),
        settings.jwt_issuer,
        settings.jwt_audience,
        lifetime=settings.jwt_lifetime,
        client_claim=settings.jwt_client_claim,
    )


def rates(settings: Settings, redis: Redis) -> Rates | None:
    """How much each client may ask for, if the operator limits that."""
    if settings.rate_limit == OFF:
        return None
    return Rates(parse(settings.rate_limit), redis, settings.mongodb_prefix)


def looks(settings: Settings) -> Looks:
    """How the tracking page looks, as the operator set it."""
    return Looks(settings.tiles_url, settings.tiles_attribution, settings.tracking_embed)


def database(mongo: MongoClient[dict[str, Any]], prefix: str, name: str) -> Any:
    """A context's own database."""
    return mongo[f"{prefix}_{name}"]


def surface(bus: Bus, *contexts: Any) -> list[Endpoint]:
    """The endpoints of all contexts."""
    return [row for endpoints in contexts for row in endpoints(bus)]


class Shop(containers.DeclarativeContainer):
    """A shop. A new context is one provider here, one `register` in its module, one row in
    `endpoints`."""

    settings = providers.Dependency(instance_of=Settings)

    mongo = providers.Singleton(connect, settings.provided.mongodb_url)
    redis = providers.Singleton(cache_client, settings.provided.redis_url)
    transport = providers.Selector(
        settings.provided.transport,
        inprocess=providers.Singleton(InProcess),
        loopback=providers.Singleton(Loopback),
    )
    platform = providers.Singleton(
        Platform,
        mongo,
        redis,
        settings.provided.mongodb_prefix,
        transport,
        providers.Callable(retries, settings),
    )
    bus = platform.provided.bus
    own = providers.Callable(database, mongo, settings.provided.mongodb_prefix, "shop")
    keys = providers.Singleton(Keys, own)
    doors = providers.Singleton(
        Doors,
        keys,
        providers.Callable(tokens, settings),
        providers.Callable(rates, settings, redis),
    )
    signer = providers.Singleton(Signer, providers.Callable(partial, signing_keys, own))

    links = providers.Singleton(
        Links,
        signer,
        lifetime=settings.provided.tracking_lifetime,
        address=settings.provided.public_url,
    )

    gateway = providers.Selector(
        settings.provided.payment_gateway,
        builtin=providers.Singleton(
            BuiltinGateway,
            providers.Callable(database, mongo, settings.provided.mongodb_prefix, "payment"),
        ),
        stripe=providers.Singleton(stripe_gateway, settings, platform),
    )

    map_room = providers.Callable(database, mongo, settings.provided.mongodb_prefix, "maps")
    answers = providers.Singleton(Memory, map_room, platform.provided.cache)
    maps = providers.Singleton(
        maps_module.register,
        platform,
        router=providers.Callable(atlas.router, settings, answers),
        geocoder=providers.Callable(atlas.geocoder, settings, answers, map_room),
    )
    catalog = providers.Singleton(
        catalog_module.register,
        platform,
        currency=settings.provided.currency,
        most_shipments=settings.provided.most_shipments,
    )
    payment = providers.Singleton(
        payment_module.register, platform, gateway, currency=settings.provided.currency
    )
    delivery = providers.Singleton(
        delivery_module.register,
        platform,
        tariffs=providers.Callable(tariffs, settings),
        redelivery=providers.Factory(
            Redelivery,
            attempts=settings.provided.delivery_attempts,
            after=settings.provided.redelivery_after,
        ),
        slot_terms=providers.Factory(
            SlotTerms,
            horizon=settings.provided.slot_horizon,
            lead=settings.provided.slot_lead,
            time_zone=settings.provided.time_zone,
        ),
    )
    ordering = providers.Singleton(
        ordering_module.register,
        platform,
        signer=signer,
        quote_validity=settings.provided.quote_validity,
        expiry=settings.provided.order_expiry,
        reservation_ttl=settings.provided.reservation_ttl,
        terms=providers.Factory(
            Terms,
            window=settings.provided.return_window,
            auto_approve=settings.provided.return_auto_approve,
        ),
    )
    webhooks = providers.Singleton(
        webhooks_module.register,
        platform,
        ordering,
        delivery,
        allow_private=settings.provided.webhooks_allow_private,
    )
    contexts = providers.List(maps, catalog, payment, delivery, ordering, webhooks)

    endpoints = providers.Callable(
        surface,
        bus,
        providers.Object(ordering_routes.endpoints),
        providers.Object(catalog_routes.endpoints),
        providers.Object(delivery_routes.endpoints),
        providers.Object(balance_routes.endpoints),
        providers.Factory(
            partial,
            tracking_routes.endpoints,
            links=links,
            looks=providers.Callable(looks, settings),
        ),
        providers.Factory(
            partial,
            payment_routes.endpoints,
            webhooks=providers.Callable(stripe_webhooks, settings, gateway),
        ),
    )
