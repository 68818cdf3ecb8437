"""The catalog's records: a product's sheet, who changed what and why, what a SKU cost when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from bus.messages import Event, Money
from catalog.contract import ANYWHERE
from catalog.item import (
    BackorderChanged,
    Item,
    ItemListed,
    ItemOffered,
    ItemRenamed,
    ItemWeighed,
    ItemWithdrawn,
    LowStockSet,
    PriceCalledOff,
    PriceChanged,
    StockAdjusted,
    StockReceived,
)
from catalog.prices import price_at, standing
from catalog.product import (
    Description,
    PicturesChanged,
    Product,
    ProductArchived,
    ProductDescribed,
    ProductListed,
    ProductPublished,
    VariantsChanged,
)
from catalog.queries import (
    Change,
    PriceEntry,
    PriceState,
    ProductSheet,
    SheetVariant,
    StandingPrice,
)

PRICES = (ItemListed, PriceChanged, PriceCalledOff)
"""What a SKU's price history is made of."""

CHANGES = (
    *PRICES,
    ItemRenamed,
    ItemWeighed,
    ItemWithdrawn,
    ItemOffered,
    StockReceived,
    StockAdjusted,
    BackorderChanged,
    LowStockSet,
)
"""What people change of a SKU; what is reserved and sold of it is not among them."""


class Noted(NamedTuple):
    """An event as it stands in the log: where, when and by whom."""

    position: int
    at: datetime
    who: str
    event: Event


def sheet(
    product: Product, items: Mapping[str, Item | None], currency: str, at: datetime
) -> ProductSheet:
    """A product as the shop's own people see it."""
    return ProductSheet(
        product_id=product.product_id,
        status=product.status,
        **product.about.model_dump(),
        variants=tuple(
            SheetVariant(
                **variant.model_dump(),
                for_sale=one.for_sale,
                available=one.available,
                costs=price_at(one.prices, currency, at),
                prices=tuple(
                    StandingPrice(price=dated.price, starts=dated.starts)
                    for dated in standing(one.prices, at)
                ),
            )
            for variant in product.variants
            if (one := items[variant.sku]) is not None
        ),
        pictures=product.pictures,
    )


def changes(notes: Iterable[Noted]) -> tuple[Change, ...]:
    """What somebody changed, in the order of the log, in a few words each."""
    told: list[Change] = []
    about: Description | None = None
    for position, at, who, event in notes:
        if isinstance(event, ProductListed | ProductDescribed):
            what, about = described(about, event), event.about
        else:
            what = in_words(event, at)
        told.append(
            Change(
                position=position,
                at=at,
                id=str(getattr(event, "sku", None) or getattr(event, "product_id", "")),
                who=who,
                what=what,
                why=str(getattr(event, "reason", "")),
                type=event.type_name,
                data=event.model_dump(mode="json", exclude_none=True),
            )
        )
    return tuple(told)


def described(before: Description | None, event: ProductListed | ProductDescribed) -> str:
    """What is new on a product's page, in a few words."""
    if isinstance(event, ProductListed) or before is None:
        return "listed as a draft" if getattr(event, "status", "") == "draft" else "listed"
    old, new = before.model_dump(), event.about.model_dump()
    return f"{', '.join(field for field in new if new[field] != old[field])} changed"


def in_words(event: Event, at: datetime) -> str:
    """What happened at a moment, in a few words."""
    match event:
        case ItemListed(price=price):
            return f"listed at {price}"
        case ItemRenamed(name=name):
            return f"called {name}"
        case ItemWeighed(weight_g=grams):
            return f"weighs {grams} g"
        case ItemWithdrawn():
            return "not for sale any more"
        case ItemOffered():
            return "for sale again"
        case PriceChanged(price=price, starts=starts):
            ahead = f" from {written(starts)}" if starts is not None and starts > at else ""
            return f"costs {price}{ahead}"
        case PriceCalledOff(currency=currency, starts=starts):
            return f"price in {currency} from {written(starts)} called off"
        case StockReceived(quantity=pieces, warehouse_id=place):
            return f"{pieces} received{there(place)}"
        case StockAdjusted(change=change, warehouse_id=place):
            return f"{change:+d} in stock{there(place)}"
        case BackorderChanged(allowed=allowed):
            return "sold before it is there" if allowed else "sold only when it is there"
        case LowStockSet(threshold=threshold):
            return f"low at {threshold}" if threshold else "never low"
        case VariantsChanged(variants=variants):
            return f"sold as {', '.join(variant.sku for variant in variants)}"
        case PicturesChanged(pictures=pictures):
            return f"shows {len(pictures)} pictures" if len(pictures) != 1 else "shows 1 picture"
        case ProductPublished():
            return "published"
        case ProductArchived():
            return "archived"
        case _:
            return event.type_name


def there(warehouse_id: str) -> str:
    """Where pieces are, where that matters."""
    return "" if warehouse_id == ANYWHERE else f" at {warehouse_id}"


def written(moment: datetime) -> str:
    """A moment as it is typed: `2026-11-23T12:00:00+00:00`."""
    return moment.isoformat()


class Said(NamedTuple):
    """A price that somebody set, from a moment on; `None`: since the SKU was listed."""

    price: Money
    starts: datetime | None
    noted: Noted


def price_history(notes: Iterable[Noted], now: datetime) -> tuple[PriceEntry, ...]:
    """What a SKU has cost, costs and is to cost: by when each price starts, the last first."""
    said: dict[tuple[str, datetime | None], Said] = {}
    gone: list[tuple[Said, PriceState]] = []
    for noted in notes:
        match noted.event:
            case ItemListed(price=price):
                said[price.currency, None] = Said(price, None, noted)
            case PriceChanged(price=price, starts=starts):
                key = (price.currency, starts or noted.at)
                if key in said:
                    gone.append((said[key], "replaced"))
                said[key] = Said(price, key[1], noted)
            case PriceCalledOff(currency=currency, starts=starts) if (currency, starts) in said:
                gone.append((said.pop((currency, starts)), "called_off"))
    held = [(each, state_of(each, said.values(), now)) for each in said.values()]
    entries = [entry(each, state) for each, state in (*gone, *held)]
    return tuple(sorted(entries, key=lambda it: (it.starts, it.position), reverse=True))


def state_of(said: Said, others: Iterable[Said], now: datetime) -> PriceState:
    """How a price stands that was not taken back, among all the others of its SKU."""
    if said.starts is not None and said.starts > now:
        return "waiting"
    since = [
        each.starts
        for each in others
        if each.price.currency == said.price.currency
        and each.starts is not None
        and each.starts <= now
    ]
    return "holds" if said.starts == max(since, default=None) else "over"


def entry(said: Said, state: PriceState) -> PriceEntry:
    """A line of the price history."""
    position, at, who, event = said.noted
    return PriceEntry(
        price=said.price,
        starts=said.starts or at,
        state=state,
        position=position,
        at=at,
        who=who,
        why=str(getattr(event, "reason", "")),
    )
